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
  static constexpr int kNTiles = 2;  // products of 8 columns that fill it
};
template <>
struct Slab<TF32> {
  static constexpr int kChannels = 8;
  static constexpr int kNTiles = 1;
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
constexpr int kPatchValues = 4 * Slab<F>::kNTiles;

ESR_DEVICE int lane_index() { return thread_index() % 32; }

// Sums of rows of patches that start with the bias of their columns.
template <int kRows, int kNTiles>
ESR_DEVICE void start_sums(const float* bias, float (&sum)[kRows][kNTiles][4]) {
  ESR_UNROLL
  for (int t = 0; t < kNTiles; ++t) ESR_UNROLL
  for (int i = 0; i < 2; ++i) {
    const float start = load_global(bias + 8 * t + lane_index() % 4 * 2 + i);
    ESR_UNROLL
    for (int r = 0; r < kRows; ++r) sum[r][t][i] = sum[r][t][i + 2] = start;
  }
}

// The patch of one slab's columns among a row's sums.
template <class F, int kNTiles>
ESR_DEVICE void take_patch(const float (&sum)[kNTiles][4], int slab,
                           float (&value)[kPatchValues<F>]) {
  ESR_UNROLL
  for (int i = 0; i < kPatchValues<F>; ++i) value[i] = sum[slab * Slab<F>::kNTiles + i / 4][i % 4];
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

// The piece of 16 bytes that a lane moves: a chunk of pixel quad or quad + 8.
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

// The fragment `a` that a patch of 16-bit numbers is.
template <class F>
ESR_DEVICE void patch_fragment(const float (&value)[8], uint32_t (&a)[4]) {
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) a[i] = F::pack(value[2 * i], value[2 * i + 1]);
}

// The fragment `a` that 16 pixels of a slab are; `count` of them, from `pixel` on, exist.
template <class F>
ESR_DEVICE void load_fragment(const char* pixel, int count, uint32_t (&a)[4]) {
  Bytes16 piece{};
  if (piece_pixel() < count)
    piece = load_global(reinterpret_cast<const Bytes16*>(pixel + piece_offset()));
  transpose_quad(piece.word);  // word i is of chunk i % 2 of pixel quad + 8 (i / 2)
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) {
    a[i] = piece.word[i % 2 * 2 + i / 2];
    if constexpr (Slab<F>::kNTiles == 1) a[i] = F::round(a[i]);
  }
}

struct alignas(8) Bytes8 {
  float value[2];
};

// A chunk of a slab's pixel: half of its channels, in order.
template <class F>
ESR_DEVICE Bytes16 pack_chunk(const float (&value)[Slab<F>::kChannels / 2]) {
  Bytes16 chunk;
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) {
    if constexpr (Slab<F>::kNTiles == 2)
      chunk.word[i] = F::pack(value[2 * i], value[2 * i + 1]);
    else
      chunk.word[i] = bits_of_float(value[i]);
  }
  return chunk;
}

template <class F>
ESR_DEVICE void load_chunk(const char* from, float (&value)[Slab<F>::kChannels / 2]) {
  const Bytes16 chunk = load_global(reinterpret_cast<const Bytes16*>(from));
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) {
    if constexpr (Slab<F>::kNTiles == 2)
      F::unpack(chunk.word[i], value[2 * i], value[2 * i + 1]);
    else
      value[i] = float_of_bits(chunk.word[i]);
  }
}

// One channel of the pixel at `pixel` of the first slab; slabs are `plane` bytes apart.
template <class F>
ESR_DEVICE float load_channel(const char* pixel, int64_t plane, int channel) {
  constexpr int kChunkChannels = Slab<F>::kChannels / 2;
  const char* slab = pixel + channel / Slab<F>::kChannels * plane;
  float value[kChunkChannels], found = 0;
  load_chunk<F>(slab + channel % Slab<F>::kChannels / kChunkChannels * 16, value);
  ESR_UNROLL
  for (int i = 0; i < kChunkChannels; ++i) found = i == channel % kChunkChannels ? value[i] : found;
  return found;
}

// Where TF32's lane keeps its pair of pixel quad + 8 `octet`.
ESR_DEVICE int pair_offset(int octet) {
  return (lane_index() / 4 + 8 * octet) * kPixelBytes + 8 * (lane_index() % 4);
}

// The patch whose first pixel lies at `pixel`; `count` of its pixels exist, the rest are zeros.
template <class F>
ESR_DEVICE void load_patch(const char* pixel, int count, float (&value)[kPatchValues<F>]) {
  if constexpr (Slab<F>::kNTiles == 2) {
    Bytes16 piece{};
    if (piece_pixel() < count)
      piece = load_global(reinterpret_cast<const Bytes16*>(pixel + piece_offset()));
    unpack_piece<F>(piece, value);
  } else {
    ESR_UNROLL
    for (int octet = 0; octet < 2; ++octet) {
      Bytes8 pair{};
      if (lane_index() / 4 + 8 * octet < count)
        pair = load_global(reinterpret_cast<const Bytes8*>(pixel + pair_offset(octet)));
      value[2 * octet] = pair.value[0];
      value[2 * octet + 1] = pair.value[1];
    }
  }
}

template <class F>
ESR_DEVICE void store_patch(char* pixel, int count, const float (&value)[kPatchValues<F>]) {
  if constexpr (Slab<F>::kNTiles == 2) {
    const Bytes16 piece = pack_piece<F>(value);
    if (piece_pixel() < count)
      store_global(reinterpret_cast<Bytes16*>(pixel + piece_offset()), piece);
  } else {
    ESR_UNROLL
    for (int octet = 0; octet < 2; ++octet)
      if (lane_index() / 4 + 8 * octet < count)
        store_global(reinterpret_cast<Bytes8*>(pixel + pair_offset(octet)),
                     Bytes8{{value[2 * octet], value[2 * octet + 1]}});
  }
}

}  // namespace esr::cuda
