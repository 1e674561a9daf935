// Pixels of a slab in shared memory, and the products of their 3x3 neighbourhoods.
//
// A pixel is two chunks of 16 bytes, which change places with bit 2 of its column, so that the
// eight rows of a matrix, which are eight pixels of a row wherever they begin, lie in different
// banks.
#pragma once

#include <type_traits>

#include "patch.cuh"

namespace esr::cuda {

// Where a chunk of a pixel lies, from the start of a row of pixels.
ESR_DEVICE constexpr uint32_t swizzled_address(int column, int chunk) {
  return column * kPixelBytes + ((chunk ^ ((column >> 2) & 1)) << 4);
}

// The fragment `a` of 16 pixels of a row from `column` on.
template <class F>
ESR_DEVICE void load_pixels(uint32_t row, int column, uint32_t (&a)[4]) {
  const int lane = lane_index();
  load_matrices(a, row + swizzled_address(column + lane % 16, lane / 16));
  if constexpr (Slab<F>::kNTiles == 1) {
    ESR_UNROLL
    for (int i = 0; i < 4; ++i) a[i] = F::round(a[i]);
  }
}

// The fragments `b` of 16 columns from `column` on: b[0..1] of the first eight, b[2..3] of the
// rest. A column's row of k numbers is laid out as a pixel is.
ESR_DEVICE void load_columns(uint32_t matrix, int column, uint32_t (&b)[4]) {
  const int lane = lane_index();
  load_matrices(b, matrix + swizzled_address(column + lane % 8 + lane / 16 * 8, lane / 8 % 2));
}

// sum += a patch by the weights of its slab: 8 kNTiles columns, of one tap.
template <class F, int kNTiles>
ESR_DEVICE void multiply_patch(float (&sum)[kNTiles][4], const uint32_t (&a)[4], uint32_t weights) {
  ESR_UNROLL
  for (int t = 0; t < kNTiles; t += 2) {
    uint32_t b[4];
    load_columns(weights, 8 * t, b);
    F::multiply(sum[t], a, b[0], b[1]);
    F::multiply(sum[t + 1], a, b[2], b[3]);
  }
}

// Products of 8 columns whose fragments are in registers at the same time.
constexpr int kNTilesTogether = 4;

// sum[r][t] += the slab's part of the convolution, for 16 pixels of kRows rows and some of 8
// kNTiles columns. `row_of(i)` is the address of row i of the pixels, and `column` the first tap's
// of the first pixel. A row is loaded once for all rows of the result that it belongs to.
template <class F, int kTaps, int kRows, int kNTiles, int kWords, class Sum, class RowOf>
ESR_DEVICE void multiply_columns(Sum (&sum)[kRows][kNTiles][kWords], RowOf row_of, int column,
                                 uint32_t weights, int first) {
  constexpr int kSide = kTaps == 9 ? 3 : 1;
  ESR_UNROLL
  for (int dx = 0; dx < kSide; ++dx) {
    uint32_t b[kSide][kNTilesTogether / 2][4];
    ESR_UNROLL
    for (int dy = 0; dy < kSide; ++dy) ESR_UNROLL
    for (int t = first; t < kNTiles && t < first + kNTilesTogether; t += 2)
      load_columns(weights + (dy * kSide + dx) * 8 * kNTiles * kPixelBytes, 8 * t,
                   b[dy][(t - first) / 2]);
    ESR_UNROLL
    for (int i = 0; i < kRows + kSide - 1; ++i) {
      uint32_t a[4];
      load_pixels<F>(row_of(i), column + dx, a);
      ESR_UNROLL
      for (int dy = 0; dy < kSide; ++dy) {
        const int r = i - dy;
        if (r < 0 || r >= kRows) continue;
        ESR_UNROLL
        for (int t = first; t < kNTiles && t < first + kNTilesTogether; ++t) {
          const uint32_t* pair = b[dy][(t - first) / 2] + t % 2 * 2;
          F::multiply(sum[r][t], a, pair[0], pair[1]);
        }
      }
    }
  }
}

ESR_DEVICE void add_halves(const uint32_t (&half)[2], float (&sum)[4]) {
  ESR_UNROLL
  for (int i = 0; i < 2; ++i) {
    float low, high;
    F16::unpack(half[i], low, high);
    sum[2 * i] += low;
    sum[2 * i + 1] += high;
  }
}

// All of its columns.
template <class F, int kTaps, int kRows, int kNTiles, class RowOf>
ESR_DEVICE void multiply_slab(float (&sum)[kRows][kNTiles][4], RowOf row_of, int column,
                              uint32_t weights) {
  if constexpr (std::is_same_v<F, HalfSums>) {
    uint32_t half[kRows][kNTiles][2] = {};
    ESR_UNROLL
    for (int first = 0; first < kNTiles; first += kNTilesTogether)
      multiply_columns<F, kTaps>(half, row_of, column, weights, first);
    ESR_UNROLL
    for (int r = 0; r < kRows; ++r) ESR_UNROLL
    for (int t = 0; t < kNTiles; ++t) add_halves(half[r][t], sum[r][t]);
  } else {
    ESR_UNROLL
    for (int first = 0; first < kNTiles; first += kNTilesTogether)
      multiply_columns<F, kTaps>(sum, row_of, column, weights, first);
  }
}

}  // namespace esr::cuda
