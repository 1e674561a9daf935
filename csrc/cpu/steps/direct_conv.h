// Convolution of the concatenated sources with a kernel of any odd size, zeros around them; in
// groups of channels, each of which reads and makes its own.
#pragma once

#include "conv_step.h"

namespace esr {

class DirectConv : public ConvStep {
 public:
  // spec: [out][in][taps.rows][taps.columns], `in` of a group. The sources have `in` channels for
  // each of the groups, by which the result's channels divide.
  DirectConv(const Program& program, const std::vector<int>& sources, const ConvSpec& spec,
             const Taps& taps, int groups, int residual);
  double cost() const override { return cost_; }
  size_t scratch_floats(const SourceRows* sources) const override;

 private:
  Taps taps_;
  int in_channels_, group_;  // of all groups; of a register tile
  double cost_;
};

}  // namespace esr
