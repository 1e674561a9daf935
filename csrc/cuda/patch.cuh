// Patches: 16 pixels of a row by the channels of one slab, in registers as a tensor core leaves
// them, and in memory as slabs keep them.
//
// A lane's quad is lane / 4, its place in it lane % 4. Of a 16 x 8 product the lane holds pixels
// quad and quad + 8, columns 2 place and 2 place + 1: value[0..1] and value[2..3].
#pragma once

#include "ptx.cuh"
#include "slabs.h"

namespace esr::cuda {

constexpr int kPatchPixels = 16;

template <class F>
struct Slab {  // of 16-bit numbers
  static constexpr int kChannels = 16;
  static constexpr int kTiles = 2;  // products of 8 columns that fill it
};
template <>
struct Slab<TF32> {
  static constexpr int kChannels = 8;
  static constexpr int kTiles = 1;
};

// What a kernel multiplies, as a type.
template <Format kFormat>
struct NumbersOf;
template <>
struct NumbersOf<Format::f16> {
  using Type = F16;
};
template <>
struct NumbersOf<Format::bf16> {
  using Type = BF16;
};
template <>
struct NumbersOf<Format::tf32> {
  using Type = TF32;
};
template <>
struct NumbersOf<Format::half_sums> {
  using Type = HalfSums;
};
template <Format kFormat>
using Numbers = typename NumbersOf<kFormat>::Type;

template <class F>
constexpr int kPatchValues = 4 * Slab<F>::kTiles;

ESR_DEVICE int lane_index() { return thread_index() % 32; }

// Sums of rows of patches that start with the bias of their columns.
template <int kRows, int kTiles>
ESR_DEVICE void start_sums(const float* bias, float (&sum)[kRows][kTiles][4]) {
  ESR_UNROLL
  for (int t = 0; t < kTiles; ++t) ESR_UNROLL
  for (int i = 0; i < 2; ++i) {
    const float start = load_global(bias + 8 * t + lane_index() % 4 * 2 + i);
    ESR_UNROLL
    for (int r = 0; r < kRows; ++r) sum[r][t][i] = sum[r][t][i + 2] = start;
  }
}

// The patch of one slab's columns among a row's sums.
template <class F, int kTiles>
ESR_DEVICE void take_patch(const float (&sum)[kTiles][4], int slab,
                           float (&value)[kPatchValues<F>]) {
  ESR_UNROLL
  for (int i = 0; i < kPatchValues<F>; ++i) value[i] = sum[slab * Slab<F>::kTiles + i / 4][i % 4];
}

// Lane i of a quad gets word i of all four lanes, in their order. Its own inverse.
ESR_DEVICE void transpose_quad(uint32_t (&word)[4]) {
  const bool odd = lane_index() & 1, high = lane_index() & 2;
  const auto exchange = [](uint32_t& low, uint32_t& up, bool is_up, int mask) {
    const uint32_t other = shuffle_xor(is_up ? low : up, mask);
    low = is_up ? other : low;
    up = is_up ? up : other;
  };
  exchange(word[0], word[1], odd, 1);
  exchange(word[2], word[3], odd, 1);
  exchange(word[0], word[2], high, 2);
  exchange(word[1], word[3], high, 2);
}

// The piece of 16 bytes that a lane moves: half of pixel quad or quad + 8.
ESR_DEVICE int piece_pixel() { return lane_index() / 4 + 4 * (lane_index() & 2); }
ESR_DEVICE int piece_offset() { return piece_pixel() * kPixelBytes + 16 * (lane_index() & 1); }

// Values of a patch from 16-byte pieces: of tile t, value[4t..4t+3].
template <class F>
ESR_DEVICE void unpack_piece(Bytes16 piece, float (&value)[kPatchValues<F>]) {
  transpose_quad(piece.word);
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) {  // piece i holds tile i % 2 of pixel quad + 8 (i / 2)
    float* to = value + 4 * (i % 2) + 2 * (i / 2);
    F::unpack(piece.word[i], to[0], to[1]);
  }
}

template <class F>
ESR_DEVICE Bytes16 pack_piece(const float (&value)[kPatchValues<F>]) {
  Bytes16 piece;
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) {
    const float* from = value + 4 * (i % 2) + 2 * (i / 2);
    piece.word[i] = F::pack(from[0], from[1]);
  }
  transpose_quad(piece.word);
  return piece;
}

// The operand `a` that a patch of 16-bit numbers is.
template <class F>
ESR_DEVICE void patch_operand(const float (&value)[8], uint32_t (&a)[4]) {
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) a[i] = F::pack(value[2 * i], value[2 * i + 1]);
}

// The operand that 16 pixels of a slab are; `count` of them, from `pixel` on, exist.
template <class F>
ESR_DEVICE void load_operand(const char* pixel, int count, uint32_t (&a)[4]) {
  Bytes16 piece{};
  if (piece_pixel() < count)
    piece = load_global(reinterpret_cast<const Bytes16*>(pixel + piece_offset()));
  transpose_quad(piece.word);  // word i is of half i % 2 of pixel quad + 8 (i / 2)
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) {
    a[i] = piece.word[i % 2 * 2 + i / 2];
    if constexpr (Slab<F>::kTiles == 1) a[i] = F::round(a[i]);
  }
}

struct alignas(8) Bytes8 {
  float value[2];
};

// Half the channels of a slab's pixel, in order.
template <class F>
ESR_DEVICE Bytes16 pack_half(const float (&value)[Slab<F>::kChannels / 2]) {
  Bytes16 half;
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) {
    if constexpr (Slab<F>::kTiles == 2)
      half.word[i] = F::pack(value[2 * i], value[2 * i + 1]);
    else
      half.word[i] = bits_of_float(value[i]);
  }
  return half;
}

template <class F>
ESR_DEVICE void load_half(const char* from, float (&value)[Slab<F>::kChannels / 2]) {
  const Bytes16 half = load_global(reinterpret_cast<const Bytes16*>(from));
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) {
    if constexpr (Slab<F>::kTiles == 2)
      F::unpack(half.word[i], value[2 * i], value[2 * i + 1]);
    else
      value[i] = float_of_bits(half.word[i]);
  }
}

// One channel of the pixel at `pixel` of the first slab; slabs are `plane` bytes apart.
template <class F>
ESR_DEVICE float load_channel(const char* pixel, int64_t plane, int channel) {
  constexpr int kHalf = Slab<F>::kChannels / 2;
  const char* slab = pixel + channel / Slab<F>::kChannels * plane;
  float value[kHalf], found = 0;
  load_half<F>(slab + channel % Slab<F>::kChannels / kHalf * 16, value);
  ESR_UNROLL
  for (int i = 0; i < kHalf; ++i) found = i == channel % kHalf ? value[i] : found;
  return found;
}

// Where TF32's lane keeps its pair of pixel quad + 8 `half`.
ESR_DEVICE int pair_offset(int half) {
  return (lane_index() / 4 + 8 * half) * kPixelBytes + 8 * (lane_index() % 4);
}

// The patch whose first pixel lies at `pixel`; `count` of its pixels exist, the rest are zeros.
template <class F>
ESR_DEVICE void load_patch(const char* pixel, int count, float (&value)[kPatchValues<F>]) {
  if constexpr (Slab<F>::kTiles == 2) {
    Bytes16 piece{};
    if (piece_pixel() < count)
      piece = load_global(reinterpret_cast<const Bytes16*>(pixel + piece_offset()));
    unpack_piece<F>(piece, value);
  } else {
    ESR_UNROLL
    for (int half = 0; half < 2; ++half) {
      Bytes8 pair{};
      if (lane_index() / 4 + 8 * half < count)
        pair = load_global(reinterpret_cast<const Bytes8*>(pixel + pair_offset(half)));
      value[2 * half] = pair.value[0];
      value[2 * half + 1] = pair.value[1];
    }
  }
}

template <class F>
ESR_DEVICE void store_patch(char* pixel, int count, const float (&value)[kPatchValues<F>]) {
  if constexpr (Slab<F>::kTiles == 2) {
    const Bytes16 piece = pack_piece<F>(value);
    if (piece_pixel() < count)
      store_global(reinterpret_cast<Bytes16*>(pixel + piece_offset()), piece);
  } else {
    ESR_UNROLL
    for (int half = 0; half < 2; ++half)
      if (lane_index() / 4 + 8 * half < count)
        store_global(reinterpret_cast<Bytes8*>(pixel + pair_offset(half)),
                     Bytes8{{value[2 * half], value[2 * half + 1]}});
  }
}

}  // namespace esr::cuda
