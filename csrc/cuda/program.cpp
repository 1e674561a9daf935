#include "program.h"

#include <algorithm>
#include <stdexcept>

#include "launcher.h"

namespace esr::cuda {

Program::Program(Format format, const Options& options) : format_(format), options_(options) {
  const int n_tiles = options.n_tiles, blocks = options.blocks_per_sm;
  if (n_tiles < 0 || n_tiles > 8 || n_tiles % 2)
    throw std::invalid_argument("convolutions take 2, 4, 6 or 8 tiles, not " +
                                std::to_string(n_tiles));
  if (blocks < 0 || blocks > 2)
    throw std::invalid_argument("convolutions run in 1 or 2 blocks per SM, not " +
                                std::to_string(blocks));
  if (options.half_sums != Options::HalfSums::never && format != Format::f16)
    throw std::invalid_argument(std::string("only f16 has half sums, not ") + name_of(format));
}

std::vector<int> Program::append(std::unique_ptr<Step> step) {
  const int number = step->number_ = int(steps_.size());
  for (int value : step->reads_) {
    std::vector<int>& readers = values_.at(value).readers;
    if (readers.empty() || readers.back() != number) readers.push_back(number);
  }
  for (int channels : step->channels_) {
    step->makes_.push_back(value_count());
    values_.push_back({channels, number, {}});
  }
  steps_.push_back(std::move(step));
  return steps_.back()->makes_;
}

size_t Program::add_bytes(const void* data, size_t bytes) {
  constexpr size_t kAlignment = 256;
  const size_t at = (constants_.size() + kAlignment - 1) / kAlignment * kAlignment;
  constants_.resize(at + bytes);
  const char* from = static_cast<const char*>(data);
  std::copy(from, from + bytes, constants_.begin() + at);
  return at;
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
