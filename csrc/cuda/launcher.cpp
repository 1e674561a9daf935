#include "launcher.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace esr::cuda {

namespace {

Device limited(Device device, const Options& options) {
  if (options.shared_bytes)
    device.shared_bytes = std::min(device.shared_bytes, options.shared_bytes);
  return device;
}

}  // namespace

size_t Allocator::take(size_t bytes) {
  constexpr size_t kAlignment = 256;
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  size_t at = 0;
  for (const auto& [first, taken] : taken_) {
    if (first - at >= bytes) break;
    at = first + taken;
  }
  taken_.push_back({at, bytes});
  std::sort(taken_.begin(), taken_.end());
  most_ = std::max(most_, at + bytes);
  return at;
}

void Allocator::give_back(size_t at) {
  std::erase_if(taken_, [at](const auto& block) { return block.first == at; });
}

Launcher::Launcher(const Program& program, const Program::Run& run, Enqueue enqueue)
    : program_(program),
      run_(run),
      enqueue_(std::move(enqueue)),
      device_(limited(run.device, program.options())),
      partners_(program.steps().size(), -1),
      leaders_(program.steps().size(), -1),
      ending_(program.steps().size()),
      place_(program.value_count(), kNowhere) {
  size_values();
  join_steps();
  note_last_reads();
}

void Launcher::size_values() {
  sizes_.reserve(program_.value_count());
  for (const auto& step : program_.steps())
    for (int i = 0; i < int(step->makes().size()); ++i) {
      sizes_.push_back(step->size(*this, i));
      if (const int64_t pixels = pixel_count(sizes_.back());
          pixels > std::numeric_limits<int>::max())
        throw std::invalid_argument("a batch of " + std::to_string(pixels) +
                                    " pixels is too large: cut it into tiles");
    }
}

// A step takes in one other at most, and one that does is not taken in itself.
void Launcher::join_steps() {
  for (const auto& step : program_.steps()) {
    if (step->makes().size() != 1 || is_taken_in(*step)) continue;
    const std::vector<int>& readers = program_.readers(step->makes()[0]);
    if (readers.size() != 1) continue;
    const Step& next = *program_.steps()[readers[0]];
    if (is_taken_in(next) || !step->can_take_in(program_, next)) continue;
    partners_[step->number()] = next.number();
    leaders_[next.number()] = step->number();
  }
}

void Launcher::note_last_reads() {
  for (int value = 0; value < program_.value_count(); ++value) {
    int last = program_.producer(value).number();
    for (int reader : program_.readers(value)) last = std::max({last, reader, partners_[reader]});
    ending_[last].push_back(value);
  }
}

void Launcher::walk() {
  for (const auto& step : program_.steps()) {
    const int number = step->number();
    if (partners_[number] >= 0) continue;  // launched with its partner
    for (int i = 0; i < int(step->makes().size()); ++i)
      if (const size_t bytes = step->memory(*this, i))
        place_[step->makes()[i]] = memory_.take(bytes);
    if (leaders_[number] >= 0)
      program_.steps()[leaders_[number]]->launch(*this, step.get());
    else
      step->launch(*this, nullptr);
    for (int value : ending_[number]) {
      if (is_stored(value)) memory_.give_back(place_[value]);
      place_[value] = kNowhere;
    }
  }
}

Format Launcher::sums_format() const {
  using enum Options::HalfSums;
  const auto wanted = program_.options().half_sums;
  const bool half = wanted == always || (wanted == automatic && device_.fast_half_sums);
  return half ? Format::half_sums : program_.format();
}

Size Step::size(const Launcher& launcher, int) const {
  return reads_.empty() ? launcher.size() : launcher.size(reads_[0]);
}

size_t Step::memory(const Launcher& launcher, int i) const {
  return launcher.slab_bytes(makes_[i]);
}

}  // namespace esr::cuda
