// What the tests of the CPU kernels share: pictures amid canaries, and how they run.
#pragma once

#include <cstring>

#include "checks.h"
#include "program.h"

namespace test {

// Pixels of [channels][height][width] in doubles; zero outside.
struct Planes {
  int channels, height, width;
  std::vector<double> data;
  Planes(int channels, int height, int width)
      : channels(channels), height(height), width(width), data(size_t(channels) * height * width) {}
  double& at(int c, int y, int x) { return data[(size_t(c) * height + y) * width + x]; }
  double get(int c, int y, int x) const {
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? data[(size_t(c) * height + y) * width + x] : 0;
  }
};

// A strided picture in memory of just its size, canaries between its rows. The first pixel is the
// first float of the heap block and the last pixel the last, so that a sanitizer sees one step
// beyond; the canaries show it without one.
class Framed {
 public:
  static constexpr float kCanary = -12345.f;
  Framed(int channels, int height, int width, int gap = 3)
      : channels_(channels),
        height_(height),
        width_(width),
        row_(width + gap),
        plane_(row_ * height + gap),
        data_(plane_ * (channels - 1) + row_ * (height - 1) + width) {
    for (float& v : data_) v = kCanary;
  }
  explicit Framed(const Planes& from) : Framed(from.channels, from.height, from.width) {
    for (int c = 0; c < channels_; ++c)
      for (int y = 0; y < height_; ++y)
        for (int x = 0; x < width_; ++x) at(c, y, x) = float(from.get(c, y, x));
  }
  Framed filled(float value) const {
    Framed other(channels_, height_, width_);
    for (int c = 0; c < channels_; ++c)
      for (int y = 0; y < height_; ++y)
        for (int x = 0; x < width_; ++x) other.at(c, y, x) = value;
    return other;
  }
  float& at(int c, int y, int x) { return data_[c * plane_ + y * row_ + x]; }
  esr::Picture picture() { return {data_.data(), 0, plane_, row_, 1}; }
  bool canaries_live() {
    size_t live = 0;
    for (float v : data_) live += v == kCanary;
    return live == data_.size() - size_t(channels_) * height_ * width_;
  }

 private:
  int channels_, height_, width_;
  size_t row_, plane_;
  std::vector<float> data_;
};

// The kernels to test: the named set, or all that this processor runs.
inline std::vector<const esr::Kernels*> wanted(int count, char** names) {
  int built = 0;
  const auto all = esr::built_kernels(&built);
  std::vector<const esr::Kernels*> list;
  for (int i = 0; i < built; ++i) {
    bool named = count < 2;
    for (int n = 1; n < count; ++n) named = named || !std::strcmp(names[n], all[i]->name);
    if (named && !esr::missing(*all[i])) list.push_back(all[i]);
  }
  return list;
}

template <class Body>
int run_all(int count, char** names, Body&& body) {
  const auto list = wanted(count, names);
  for (const esr::Kernels* kernels : list) {
    const int before = failures;
    body(*kernels);
    std::printf("%s %s\n", kernels->name, failures == before ? "passed" : "failed");
  }
  if (list.empty()) std::printf("none of these instruction sets runs here\n");
  return failures || list.empty() ? 1 : 0;
}

}  // namespace test
