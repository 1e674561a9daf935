// What convolutions of all shapes have in common: packed constants, sources, and an epilogue.
#pragma once

#include "../../conv_spec.h"
#include "../pack_weights.h"
#include "../step.h"
#include "../taps.h"

namespace esr {

// A convolution's constants, packed for one instruction set.
struct ConvWeights {
  int in_channels, out_channels;
  const float* weight;  // in the kernel's order
  const float* bias;    // [groups * kGroup]
  Act act;
  float slope;  // of lrelu
  Taps taps;    // of kernels that take any
  int padding;  // of those with a stride
};

struct ConvRow {
  const ConvWeights* conv;
  const Geometry* geometry;  // of the result
  const SourceRows* sources;
  int source_count;
  const float* residual[kTile];  // rows that the epilogue takes; null: none
  float* out[kTile];
  int rows;        // pixel rows that exist, 1..4
  float* scratch;  // of kernels that need some
};

class ConvStep : public Step {
 public:
  double cost() const override { return cost_; }
  void run(const TileRow& at) const override;

 protected:
  using Kernel = void (*)(const ConvRow&);

  // Throws std::invalid_argument where the residual, a value or -1, has another resolution than the
  // result, or the sources differ in theirs.
  ConvStep(const Program& program, Kernel kernel, const std::vector<int>& sources, Window window,
           Resolution resolution, const ConvSpec& spec, int residual, Buffer weight, Taps taps = {},
           int padding = 0);

 private:
  Kernel kernel_;
  Buffer weight_, bias_;
  ConvWeights view_;
  bool has_residual_;
  double cost_;
};

}  // namespace esr
