// Pixels of strided pictures, as floats.
#pragma once

#include "ptx.cuh"
#include "slabs.h"

namespace esr::cuda {

ESR_DEVICE float load_element(const Picture& p, int64_t at) {
  float low, high;
  switch (p.element) {
    case Element::f32: return load_global(static_cast<const float*>(p.data) + at);
    case Element::f16:
      F16::unpack(load_global(static_cast<const uint16_t*>(p.data) + at), low, high);
      return low;
    case Element::bf16:
      BF16::unpack(load_global(static_cast<const uint16_t*>(p.data) + at), low, high);
      return low;
    case Element::u8: return load_global(static_cast<const uint8_t*>(p.data) + at) / 255.f;
  }
  return 0;
}

// The nearest level of 0..255; NaN becomes 0.
ESR_DEVICE uint32_t level_of(float value) {
  const float level = value * 255.f + .5f;
  return level > 0.f ? (level < 255.f ? uint32_t(level) : 255u) : 0u;
}

ESR_DEVICE void store_element(const Picture& p, int64_t at, float value) {
  switch (p.element) {
    case Element::f32: return store_global(static_cast<float*>(p.data) + at, value);
    case Element::f16:
      return store_global(static_cast<uint16_t*>(p.data) + at, uint16_t(F16::pack(value, 0)));
    case Element::bf16:
      return store_global(static_cast<uint16_t*>(p.data) + at, uint16_t(BF16::pack(value, 0)));
    case Element::u8:
      return store_global(static_cast<uint8_t*>(p.data) + at, uint8_t(level_of(value)));
  }
}

ESR_DEVICE int64_t pixel_at(const Picture& p, int n, int y, int x) {
  return n * p.batch + y * p.row + x * p.column;
}

}  // namespace esr::cuda
