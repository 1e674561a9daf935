// Convolution of the concatenated sources on matrix tiles: products of bfloat16 numbers, sums in
// float32. 3x3 or 1x1; or with a stride, of sizes from 2x2 to 4x4 and a padding of its own.
#pragma once

#include "../../conv_spec.h"
#include "../buffer.h"
#include "../step.h"

namespace esr {

constexpr int kTilePixels = 16;                               // of a tile
constexpr int kTileBlocks = 3;                                // of sums, under way at a time
constexpr size_t kBlockFloats = size_t(kTilePixels) * kSlab;  // of each

// One product of a block: where pixel 0 meets its place of the filter, how far pixels are apart,
// and how many pixels of the older block have had their epilogue after it.
struct TileStep {
  const float* pixels;
  int pixel_floats, finished;
};

struct TileConvRow {
  const Geometry* geometry;
  const SourceRows* sources;  // as pixels
  int source_count;
  int kernel, stride, padding, out_channels;
  const float*
      weight;         // [groups of 32][ky][source][slab][product][outputs of the group / 16][tile]
  const float* bias;  // up to a multiple of kTileOutputs
  Act act;
  float slope;
  Format format;                 // of the result and the residual; lines have none
  const float* const* residual;  // null: none
  float* const* out;
  int rows;
  float* scratch;
};

class TileConv : public Step {
 public:
  // Throws std::invalid_argument where the sources or the residual, a value or -1, differ in size.
  TileConv(Program& program, const std::vector<int>& sources, const ConvSpec& spec, int residual)
      : TileConv(program, sources, spec, residual, 1, spec.kernel / 2) {}
  // A result of a stride other than 1 must not be a picture (layout.h).
  TileConv(Program& program, const std::vector<int>& sources, const ConvSpec& spec, int residual,
           int stride, int padding);

  double cost() const override { return cost_; }
  size_t scratch_floats(const SourceRows* sources) const override;
  void run(const TileRow& at) const override;

  Format reads_as(int read) const override;
  Format makes() const override { return format_; }
  bool can_make(Format format) const override;
  void make(Format format) override { format_ = format; }

 private:
  void (*kernel_)(const TileConvRow&);
  Format format_;
  int sources_, kernel_size_, stride_, padding_;
  bool has_residual_;
  Buffer weight_, bias_;
  Act act_;
  float slope_;
  double cost_;
};

}  // namespace esr
