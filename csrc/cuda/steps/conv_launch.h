// A convolution's kernel: its forms, how it covers a picture on a device, and what it is given.
#pragma once

#include "../../conv_spec.h"
#include "../device.h"
#include "../forms.h"
#include "../slabs.h"

namespace esr::cuda {

// A block makes 16 rows of 32 pixels; each of its 8 warps 4 rows of 16.
struct ConvTile {
  static constexpr int kRows = 16, kColumns = 32, kWarpRows = 4, kThreads = 256;
};

// Where a convolution reads or writes a picture, or hands its result to a 1x1 convolution; it reads
// and writes slabs otherwise.
enum class ConvEnds { slabs, from_picture, to_picture, to_pointwise };

struct ConvForm {
  Format format;
  int taps;     // 9, or 1 for a 1x1 convolution
  int n_tiles;  // products of 8 columns that a block makes
  ConvEnds ends;

  bool operator==(const ConvForm&) const = default;
  std::string name() const;
  constexpr bool exists() const {
    if (taps == 1) return ends == ConvEnds::slabs && format != Format::half_sums;
    if (format == Format::half_sums) return ends == ConvEnds::slabs;
    return ends != ConvEnds::to_pointwise || format != Format::tf32;
  }
  template <class Add>
  static constexpr void each(Add add) {
    for (Format format : {Format::f16, Format::bf16, Format::tf32, Format::half_sums})
      for (int taps : {1, 9})
        for (int n_tiles : {2, 4, 6, 8})
          for (ConvEnds ends : {ConvEnds::slabs, ConvEnds::from_picture, ConvEnds::to_picture,
                                ConvEnds::to_pointwise})
            if (const ConvForm form{format, taps, n_tiles, ends}; form.exists()) add(form);
  }
};

// The products whose blocks take the least time together: a block's products, and reading what all
// blocks read, which costs about as much as 16 columns.
constexpr int conv_tiles(Format format, int out_channels) {
  const int columns = slab_count(format, out_channels) * slab_channels(format);
  const auto cost = [columns](int n_tiles) {
    return divide_up(columns, 8 * n_tiles) * (8 * n_tiles + 16);
  };
  int best = 8;
  for (int n_tiles : {6, 4, 2})
    if (cost(n_tiles) < cost(best)) best = n_tiles;
  return best;
}

// Blocks of so many products that a multiprocessor's registers hold.
constexpr int conv_blocks_per_sm(Format format, int n_tiles) {
  return n_tiles <= (format == Format::half_sums ? 2 : 4) ? 2 : 1;
}

// So many slabs of a 1x1 convolution's weights fit beside a 3x3 one's on every device.
constexpr int kMaxPointwiseSlabs = 12;

// What the geometry depends on beside the device and the picture.
struct ConvShape {
  ConvForm form;
  int slabs, out_channels;
  int pointwise = 0;      // slabs that a 1x1 convolution of the result reads; 0 where there is none
  int blocks_per_sm = 0;  // forced; 0: as many as fit
};

struct ConvGeometry {
  int n_tiles;       // products of 8 columns that a block makes: 2, 4, 6 or 8
  int layers;        // of blocks, that share the output channels
  int stages;        // slabs of a picture tile that are in flight
  bool resident;     // all weights of the block stay in shared memory; else they come with a slab
  int down, across;  // tiles of the picture
  int blocks;        // of each layer
  int shared_bytes;
};

// Shared memory of each stage.
constexpr int halo_bytes(int taps) {
  const int halo = taps == 9 ? 2 : 0;
  return (ConvTile::kRows + halo) * (ConvTile::kColumns + halo) * kPixelBytes;
}

// Throws std::invalid_argument where a block, or the forced number of them, does not fit.
ConvGeometry conv_geometry(const Device& device, const ConvShape& shape, const Size& size);

// The first pixel of a picture tile.
struct Corner {
  int n, y, x;
};
constexpr Corner tile_corner(const ConvGeometry& g, int tile) {
  const int row = tile / g.across;
  return {row / g.down, row % g.down * ConvTile::kRows, tile % g.across * ConvTile::kColumns};
}
constexpr int tile_count(const ConvGeometry& g, const Size& size) {
  return size.batch * g.down * g.across;
}

// A 1x1 convolution of a 3x3 one's result, which is slabs own, own + 1 ... of what it reads, and of
// others. Of 16-bit numbers, and with as many columns as the 3x3 convolution.
struct PointwiseParameters {
  const char* sources[kMaxSlabs];
  int slabs, own;
  const char* weights;
  const float* bias;
};

// A convolution's result goes to slabs, or shuffled into a picture.
struct ConvParameters {
  Size size;
  ConvGeometry geometry;

  // What it reads: slabs in the order of the weights, or a picture of one slab's channels, plus
  // shift[c].
  const char* sources[kMaxSlabs];
  int slabs;
  Picture picture;
  int picture_channels;
  const float* shift;

  const char* weights;  // [layer][slab][tap][column][32 bytes], see pack_weights.h
  const float* bias;    // [layer][column]
  Act act;
  float slope;

  char* out;             // slabs one after the other; of `pointwise` where it ends there
  const char* residual;  // likewise, for the epilogue; null: none
  int out_slabs;

  PointwiseParameters pointwise;
  Picture target, skip;  // instead of `out`: pixels of out_channels / factor^2 colours
  int out_channels, factor;
  bool pairs;  // neighbours of a row can be written as one, at twice their alignment
};

void launch_conv(const ConvForm& form, const ConvParameters& parameters, void* stream);

}  // namespace esr::cuda
