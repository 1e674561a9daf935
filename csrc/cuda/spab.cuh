// spab: three convolutions and the attention in one kernel; what lies between stays in shared
// memory.
//
//   t = silu(conv1(x)), v = silu(conv2(t)), y = conv3(v), o = (y + x)(sigmoid(y) - 1/2)
//
// A block goes down a strip of the picture, kRows rows a step. One third of its warps makes t, one
// v, a step behind, and one o, two steps behind, a warp for every 16 columns. x, t and v live in
// rings of three steps: the last and the one before, which are read, and the next, which is
// written. So rows are computed once, but for a few where a strip begins, and columns once, but for
// two on either side.
//
// At step s the rows of t begin at first - 2 + s kRows, and those of v and o one row higher than
// what they read. Column j of x, t, v and o is x - 3, x - 2, x - 1 and x + j for a strip at x.
#pragma once

#include "epilogue.cuh"
#include "halo.cuh"
#include "steps/spab.h"

namespace esr::cuda {

template <class F, int kSlabs, int kRows, int kPatches>
class SpabBlock {
 public:
  ESR_DEVICE explicit SpabBlock(const SpabParameters& p)
      : p_(p), band_(spab_band(p.geometry, p.size, block_index())) {}

  ESR_DEVICE void run() const {
    load_weights();
    clear_rings();
    load_rows(-1);
    load_rows(0);
    commit_copies();
    const int steps = divide_up(band_.bottom - band_.top + 4, kRows);
    const int conv = warp() / kPatches;
    for (int time = 0; time < steps + 2; ++time) {
      wait_copies<0>();
      sync_block();  // rows of this step are here, and those of the last but one are free
      if (time + 1 < steps) load_rows(time + 1);
      commit_copies();
      const int step = time - conv;
      if (step < 0 || step >= steps) continue;
      float sum[kRows][kNTiles][4];
      start_sums<kRows>(p_.bias[conv], sum);
      multiply(conv, step, sum);
      conv == 2 ? store_result(step, sum) : store_ring(conv, step, sum);
    }
    wait_copies<0>();
  }

 private:
  using Shape = SpabShape<kSlabs, kRows, kPatches>;
  static constexpr int kNTiles = 2 * kSlabs;
  static constexpr int kPitch = Shape::kPitch;

  ESR_DEVICE static int warp() { return thread_index() / 32; }
  ESR_DEVICE static int patch_column() { return warp() % kPatches * kPatchPixels; }

  // Row `row` of a step's rows in a ring; -1 and -2 are the last rows of the step before.
  ESR_DEVICE static uint32_t row_address(int ring, int step, int row, int slab) {
    const int line = (step * kRows + row + Shape::kRingRows) % Shape::kRingRows;
    return Shape::kWeightBytes + ring * Shape::kRingBytes +
           (slab * Shape::kRingRows + line) * kPitch * kPixelBytes;
  }

  ESR_DEVICE void load_weights() const {
    constexpr int kBytes = Shape::kWeightBytes / 3;
    for (int conv = 0; conv < 3; ++conv) {
      ESR_ROLLED
      for (int at = 16 * thread_index(); at < kBytes; at += 16 * Shape::kThreads)
        copy_async(conv * kBytes + at, p_.weights[conv] + at, true);
    }
  }

  // Rows and columns that nothing fills are multiplied, too, for results that are not kept.
  ESR_DEVICE void clear_rings() const {
    ESR_ROLLED
    for (int at = 16 * thread_index(); at < 3 * Shape::kRingBytes; at += 16 * Shape::kThreads)
      store_shared16(Shape::kWeightBytes + at, Bytes16{});
    sync_block();  // copies come next
  }

  ESR_DEVICE bool inside(int y, int x) const {
    return y >= 0 && y < p_.size.height && x >= 0 && x < p_.size.width;
  }
  // True where this block writes results.
  ESR_DEVICE bool is_own(int y, int x) const {
    return y >= band_.top && y < band_.bottom && x >= band_.left &&
           x < band_.left + Shape::kOutColumns && x < p_.size.width;
  }
  ESR_DEVICE int64_t pixel(int slab, int y, int x) const {
    const int plane = p_.size.batch * p_.size.height * p_.size.width;
    return int64_t(slab) * plane + (band_.n * p_.size.height + y) * p_.size.width + x;
  }

  // The kRows rows of x that end under the last tap of t's step.
  ESR_DEVICE void load_rows(int step) const {
    constexpr int kPieces = kSlabs * kRows * kPitch * 2;
    ESR_ROLLED
    for (int i = thread_index(); i < kPieces; i += Shape::kThreads) {
      const int chunk = i % 2, column = i / 2 % kPitch, row = i / 2 / kPitch % kRows;
      const int slab = i / 2 / kPitch / kRows;
      const int y = band_.top - 1 + step * kRows + row, x = band_.left - 3 + column;
      const bool valid = inside(y, x);
      const int64_t from = valid ? pixel(slab, y, x) * kPixelBytes + 16 * chunk : 0;
      copy_async(row_address(0, step, row, slab) + swizzled_address(column, chunk), p_.x + from,
                 valid);
    }
  }

  ESR_DEVICE void multiply(int conv, int step, float (&sum)[kRows][kNTiles][4]) const {
    ESR_ROLLED
    for (int slab = 0; slab < kSlabs; ++slab)
      multiply_slab<F, 9>(
          sum, [=](int row) { return row_address(conv, step, row - 2, slab); }, patch_column(),
          (conv * kSlabs + slab) * slab_weight_bytes(9, kNTiles));
  }

  // t or v, for the next convolution; zero outside of the picture, as its padding is.
  ESR_DEVICE void store_ring(int conv, int step, const float (&sum)[kRows][kNTiles][4]) const {
    const int column = patch_column() + piece_pixel();
    const int x = band_.left - 2 + conv + column;
    ESR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const int y = band_.top - 2 - conv + step * kRows + r;
      ESR_UNROLL
      for (int slab = 0; slab < kSlabs; ++slab) {
        float value[kPatchValues<F>];
        take_patch<F>(sum[r], slab, value);
        ESR_UNROLL
        for (int i = 0; i < kPatchValues<F>; ++i) value[i] *= sigmoid(value[i]);
        const Bytes16 piece = pack_piece<F>(value);
        const bool kept = inside(y, x);
        store_shared16(
            row_address(conv + 1, step, r, slab) + swizzled_address(column, lane_index() & 1),
            kept ? piece : Bytes16{});
        if (conv == 0 && p_.t && is_own(y, x))
          store_global(reinterpret_cast<Bytes16*>(p_.t + pixel(slab, y, x) * kPixelBytes) +
                           (lane_index() & 1),
                       piece);
      }
    }
  }

  ESR_DEVICE void store_result(int step, const float (&sum)[kRows][kNTiles][4]) const {
    const int column = patch_column(), x = band_.left + column;
    const int right = p_.size.width - band_.left < Shape::kOutColumns ? p_.size.width - band_.left
                                                                      : Shape::kOutColumns;
    ESR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const int y = band_.top - 4 + step * kRows + r;
      if (y < band_.top || y >= band_.bottom || column >= right) continue;
      ESR_UNROLL
      for (int slab = 0; slab < kSlabs; ++slab) {
        const int64_t at = pixel(slab, y, x) * kPixelBytes;
        float value[kPatchValues<F>], u[kPatchValues<F>];
        take_patch<F>(sum[r], slab, value);
        load_patch<F>(p_.x + at, right - column, u);
        finish(Act::span_gate, 0, value, u);
        store_patch<F>(p_.out + at, right - column, value);
      }
    }
  }

  const SpabParameters& p_;
  const Band band_;
};

}  // namespace esr::cuda
