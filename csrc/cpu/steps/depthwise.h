// Convolution of each channel by itself with a filter of any odd size.
#pragma once

#include <algorithm>

#include "conv_step.h"

namespace esr {

// Blocks that the kernel lays out at a time: all their rows stay in the first-level cache.
inline int depthwise_blocks(const Geometry& g) {
  constexpr int kPixels = 512;
  return std::min(g.blocks, kPixels / (kTile * g.lanes));
}

class Depthwise : public ConvStep {
 public:
  // spec: [out][1][taps.rows][taps.columns]
  Depthwise(const Program& program, int source, const ConvSpec& spec, const Taps& taps,
            int residual);
  double cost() const override;
  int least_height() const override;
  int least_width() const override;
  size_t scratch_floats(const SourceRows* sources) const override;

 private:
  Taps taps_;
};

}  // namespace esr
