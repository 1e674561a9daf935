// The GPU's number formats, on bits: what its conversions and its tensor cores make of a number.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace esr::cuda {

constexpr uint16_t kNan16 = 0x7fff;  // that a conversion makes of every NaN

// To the nearest, ties to even; too large a number becomes infinity.
inline uint16_t f16_of_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), size = bits & 0x7fffffff;
  const uint16_t sign = bits >> 16 & 0x8000;
  if (size > 0x7f800000) return kNan16;
  if (size >= 0x47800000) return sign | 0x7c00;                                // 2^16 and more
  if (size < 0x38800000)                                                       // below 2^-14
    return sign | uint16_t(std::nearbyint(std::ldexp(std::fabs(value), 24)));  // subnormal
  return sign | uint16_t((size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13);
}

inline float float_of_f16(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16, size = bits & 0x7fff;
  if (size >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (size & 0x3ff) << 13);
  if (size < 0x400) return std::copysign(std::ldexp(float(size), -24), bits & 0x8000 ? -1.f : 1.f);
  return std::bit_cast<float>(sign | ((size << 13) + 0x38000000));
}

// To the nearest, ties to even.
inline uint16_t bf16_of_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return kNan16;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

inline float float_of_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

// To the nearest, ties away from zero; 13 bits are left empty.
inline uint32_t tf32_of_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fffffff;
  return (bits + 0x1000) & ~0x1fffu;
}

// What a tensor core reads of a 32-bit word.
inline float float_of_tf32(uint32_t bits) { return std::bit_cast<float>(bits & ~0x1fffu); }

inline float without_denormal(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.f, value) : value;
}

}  // namespace esr::cuda
