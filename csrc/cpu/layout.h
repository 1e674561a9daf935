// The activation layout of the CPU kernels.
//
// A picture row is stored channel by channel. Pixel x = 4 t + p belongs to tile t (4 pixels wide,
// as Winograd F(4x4, 3x3) wants) and phase p; `lanes` neighbouring tiles form a block:
//
//   row     = guard, channel 0, guard, channel 1, guard, ...
//   channel = [block][phase 0..3][lane]            guard = one vector of zeros
//
// So a vector holds the same phase of neighbouring tiles, transforms need no shuffles but one lane
// shift at each end of a block, and any number of channels fits without padding. Lanes from the
// picture's width on hold zeros: together with the guards they are the convolution's zero padding.
#pragma once

#include <cstddef>

namespace esr {

constexpr int kTile = 4;  // output pixels of a Winograd tile, and rows of a tile row

struct Geometry {
  int height, width;  // pixels
  int lanes;          // floats of a vector
  int blocks;         // of 4 * lanes pixels, to cover the width
  int tile_rows;      // of 4 pixel rows, to cover the height

  Geometry(int height, int width, int lanes)
      : height(height),
        width(width),
        lanes(lanes),
        blocks((width + kTile * lanes - 1) / (kTile * lanes)),
        tile_rows((height + kTile - 1) / kTile) {}

  size_t block_stride() const { return size_t(kTile) * lanes; }
  size_t channel_stride() const { return blocks * block_stride() + lanes; }
  size_t row_stride(int channels) const { return channels * channel_stride() + lanes; }
};

}  // namespace esr
