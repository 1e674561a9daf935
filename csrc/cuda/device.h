// The GPU and the picture that launches depend on.
#pragma once

#include <cstdint>

namespace esr::cuda {

struct Device {
  int sm_count;      // streaming multiprocessors
  int shared_bytes;  // that one block may have
  bool fast_half_sums = false;
};

struct Size {
  int batch, height, width;
};

constexpr int64_t pixel_count(const Size& s) { return int64_t(s.batch) * s.height * s.width; }

constexpr int divide_up(int a, int b) { return (a + b - 1) / b; }

}  // namespace esr::cuda
