// conv3x3_pixel_shuffle: a convolution's result, written as the shuffled picture. Channel
// (colour * r + i) * r + j of pixel (y, x) is the colour of pixel (r y + i, r x + j).
#pragma once

#include "patch.cuh"
#include "picture.cuh"
#include "steps/conv_launch.h"

namespace esr::cuda {

// Where a channel of a pixel lies, from the picture's pixel under it; and its skip colour.
struct SubPixel {
  int64_t target, skip;
};
ESR_DEVICE SubPixel sub_pixel(const ConvParameters& p, int channel) {
  const int line = channel / p.factor, colour = line / p.factor;
  return {colour * p.target.channel + line % p.factor * p.target.row +
              channel % p.factor * p.target.column,
          colour * p.skip.channel};
}

// Two elements, one after the other.
ESR_DEVICE void store_pair(const Picture& p, int64_t at, float first, float second) {
  if (p.element == Element::f32)
    store_global(reinterpret_cast<Bytes8*>(static_cast<float*>(p.data) + at), {{first, second}});
  else if (p.element == Element::u8)
    store_global(reinterpret_cast<uint16_t*>(static_cast<uint8_t*>(p.data) + at),
                 uint16_t(level_of(first) | level_of(second) << 8));
  else
    store_global(reinterpret_cast<uint32_t*>(static_cast<uint16_t*>(p.data) + at),
                 p.element == Element::f16 ? F16::pack(first, second) : BF16::pack(first, second));
}

// One lane's two channels of one pixel.
ESR_DEVICE void store_sub_pixels(const ConvParameters& p, const SubPixel (&sub)[2], int count,
                                 float first, float second, int64_t target, int64_t skip) {
  if (p.skip.data) first += load_element(p.skip, skip + sub[0].skip);
  if (p.pairs) {
    if (p.skip.data) second += load_element(p.skip, skip + sub[1].skip);
    return store_pair(p.target, target + sub[0].target, first, second);
  }
  store_element(p.target, target + sub[0].target, first);
  if (count < 2) return;
  if (p.skip.data) second += load_element(p.skip, skip + sub[1].skip);
  store_element(p.target, target + sub[1].target, second);
}

// Rows of 16 pixels, the first of them (n, y, x); channels from `column` on.
template <int kRows, int kNTiles>
ESR_DEVICE void store_shuffled(const ConvParameters& p, const float (&sum)[kRows][kNTiles][4],
                               int n, int y, int x, int column) {
  const int lane = lane_index();
  ESR_UNROLL
  for (int t = 0; t < kNTiles; ++t) {
    const int channel = column + 8 * t + lane % 4 * 2;
    const int count = p.out_channels - channel;  // of the two that exist, or more
    if (count <= 0) continue;
    const SubPixel sub[2] = {sub_pixel(p, channel), sub_pixel(p, channel + 1)};
    ESR_UNROLL
    for (int i = 0; i < 2 * kRows; ++i) {
      const int down = y + i / 2, right = x + lane / 4 + i % 2 * 8;
      if (down >= p.size.height || right >= p.size.width) continue;
      const float* pair = sum[i / 2][t] + i % 2 * 2;
      store_sub_pixels(p, sub, count, pair[0], pair[1],
                       pixel_at(p.target, n, down * p.factor, right * p.factor),
                       pixel_at(p.skip, n, down, right));
    }
  }
}

}  // namespace esr::cuda
