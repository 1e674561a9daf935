// How rows of values lie in memory: as planes, for vectors, or as pixels, for matrix tiles; or, on
// the way out, as lines.
//
// Planes, float32. A picture row is stored channel by channel. Pixel x = 4 t + p belongs to tile t
// (4 pixels wide, as Winograd F(4x4, 3x3) wants) and phase p; `lanes` neighbouring tiles form a
// block:
//
//   row     = guard, channel 0, guard, channel 1, guard, ...
//   channel = [block][phase 0..3][lane]            guard = one vector of zeros
//
// So a vector holds the same phase of neighbouring tiles, transforms need no shuffles but one lane
// shift at each end of a block, and any number of channels fits without padding. Lanes from the
// picture's width on hold zeros: together with the guards they are the convolution's zero padding.
//
// Pixels, bfloat16. Channels are innermost, 32 to a slab, and a pixel of a slab is one cache line:
//
//   row  = slab 0, slab 1, ...
//   slab = guard, pixel 0, pixel 1, ... up to a multiple of 64 pixels, guard
//
// A guard is a pixel of zeros. So a matrix tile is 16 pixels of a slab wherever they begin, a
// neighbouring pixel is a neighbouring line, and a concatenation is a list of slabs. Channels
// beyond the last are zeros; pixels beyond the first one outside the picture hold anything: they
// meet no pixel inside.
//
// Where no more than 16 channels are left for the last slab, it is half a slab: a pixel of it is
// half a line, and 32 numbers from anywhere are a pixel and the next one. So a product has two
// places of a filter's row, and 48 channels need five products a row instead of six.
//
// Lines, float32: what tiles hand on to be shuffled into a picture. As pixels, but 16 channels to a
// slab, which a pixel fills with a cache line too, and no guards, for nothing convolves them.
#pragma once

#include <cstddef>

namespace esr {

constexpr int kTile = 4;  // output pixels of a Winograd tile, and rows of a tile row

enum class Format { planes, pixels, lines };

constexpr int kSlab = 32;         // channels
constexpr int kPixelFloats = 16;  // of memory that a pixel of a slab takes
constexpr int kTileOutputs = 16;  // output channels of a tile of weights

constexpr int slabs_of(int channels) { return (channels + kSlab - 1) / kSlab; }  // half ones too

// Values of so few channels are pictures. As pixels they keep the digits that one bfloat16 cannot
// hold, in channels that would be empty: first every channel rounded, then what rounding took, then
// the rounded ones again: times the weight rounded, the same, and what rounding took of the weight,
// these are nearly the product of two floats.
constexpr bool is_split(int channels) { return 3 * channels <= kSlab; }

constexpr bool is_half(int channels, int slab) {
  return (is_split(channels) ? 3 * channels : channels - slab * kSlab) <= kSlab / 2;
}
constexpr int pixel_floats(int channels, int slab) {
  return is_half(channels, slab) ? kPixelFloats / 2 : kPixelFloats;
}

// Products of matrix tiles that a row of a filter takes in a slab.
constexpr int products_of(int channels, int slab, int kernel) {
  return is_half(channels, slab) ? (kernel + 1) / 2 : kernel;
}
// The place of that row at which one of these products begins.
constexpr int first_place(int channels, int slab, int kernel, int product) {
  if (!is_half(channels, slab) || kernel == 1) return product;
  return 2 * product < kernel - 2 ? 2 * product : kernel - 2;
}

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

  // Of pixels, in floats of memory too.
  size_t slab_stride() const { return slab_pixels() * kPixelFloats; }
  size_t line_stride() const { return size_t(width) * kPixelFloats; }
  size_t row_stride(int channels, Format format) const {
    if (format == Format::planes) return row_stride(channels);
    if (format == Format::lines) return (channels + 15) / 16 * line_stride();
    const int last = slabs_of(channels) - 1;
    return last * slab_stride() + slab_pixels() * pixel_floats(channels, last);
  }

 private:
  size_t slab_pixels() const { return size_t(width + 63) / 64 * 64 + 2; }
};

}  // namespace esr
