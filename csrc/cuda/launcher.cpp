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

int SlabAllocator::take(int count) {
  int at = 0;
  for (const auto& [first, taken] : taken_) {
    if (first - at >= count) break;
    at = first + taken;
  }
  taken_.push_back({at, count});
  std::sort(taken_.begin(), taken_.end());
  most_ = std::max(most_, at + count);
  return at;
}

void SlabAllocator::give_back(int at) {
  std::erase_if(taken_, [at](const auto& block) { return block.first == at; });
}

Launcher::Launcher(const Program& program, const Program::Run& run, Enqueue enqueue)
    : program_(program),
      run_(run),
      enqueue_(std::move(enqueue)),
      device_(limited(run.device, program.options_)),
      place_(program.value_count(), -1),
      last_(program.producers_),
      ending_(program.steps_.size()) {
  const Size& s = run.size;
  const int64_t pixels = int64_t(s.batch) * s.height * s.width;
  if (pixels > std::numeric_limits<int>::max())
    throw std::invalid_argument("a batch of " + std::to_string(pixels) +
                                " pixels is too large: cut it into tiles");
  plane_bytes_ = size_t(pixels) * kPixelBytes;
  for (int value = 0; value < program.value_count(); ++value) {
    for (int reader : program.readers_[value]) {
      // A convolution that a 1x1 one takes in is launched with that.
      const int with = program.fused_pointwise(program.steps_[reader]);
      last_[value] = std::max({last_[value], reader, with});
    }
    ending_[last_[value]].push_back(value);
  }
}

void Launcher::walk() {
  for (size_t i = 0; i < program_.steps_.size(); ++i) {
    const Step& step = program_.steps_[i];
    for (int value : step.results)
      if (is_stored(step, value)) place_[value] = slabs_.take(slab_total(value));
    launch(step);
    for (int value : ending_[i]) {
      if (place_[value] >= 0) slabs_.give_back(place_[value]);
      place_[value] = -1;
    }
  }
}

// Whether a result gets slabs of its own.
bool Launcher::is_stored(const Step& step, int value) const {
  switch (step.kind) {
    case StepKind::input: return program_.is_packed(step);
    case StepKind::conv: return !program_.fused_output(step) && program_.fused_pointwise(step) < 0;
    case StepKind::spab:
      return value == step.results[0] || !spab_geometry_of(step).slabs ||
             (value == step.results[1] && !program_.readers_[value].empty());
    default: return true;
  }
}

void Launcher::launch(const Step& step) {
  switch (step.kind) {
    case StepKind::input: return program_.is_packed(step) ? launch_input(step) : void();
    case StepKind::conv: return program_.fused_pointwise(step) < 0 ? launch_step(step) : void();
    case StepKind::spab: return launch_attention(step);
    case StepKind::esa: return launch_pooled_attention(step);
    case StepKind::output: return program_.is_fused(step) ? void() : launch_output(step);
  }
}

size_t Program::workspace_bytes(const Device& device, const Size& size) const {
  const Run run{{}, {}, size, nullptr, nullptr, device, nullptr};
  Launcher launcher(*this, run, [](const auto&) {});
  launcher.walk();
  return launcher.workspace_bytes();
}

std::vector<std::string> Program::launches(const Device& device, const Size& size) const {
  std::vector<std::string> names;
  const Run run{{}, {}, size, nullptr, nullptr, device, nullptr};
  Launcher(*this, run, [&](const auto& launch) { names.push_back(launch.name); }).walk();
  return names;
}

std::vector<std::string> Program::forms(const Device& device, const Size& size) const {
  std::vector<std::string> names;
  const Run run{{}, {}, size, nullptr, nullptr, device, nullptr};
  Launcher(*this, run, [&](const auto& launch) { names.push_back(launch.form()); }).walk();
  return names;
}

void Program::run(const Run& run) const {
  Launcher(*this, run, [](const auto& launch) { launch.run(); }).walk();
}

}  // namespace esr::cuda
