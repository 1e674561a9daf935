// 3x3 convolution of the concatenated sources, zeros around them.
#pragma once

#include "conv_step.h"

namespace esr {

class Conv3x3 : public ConvStep {
 public:
  Conv3x3(const Program& program, const std::vector<int>& sources, const ConvSpec& spec,
          int residual);
  size_t scratch_floats(const SourceRows* sources) const override;

 private:
  size_t scratch_floats_;
};

}  // namespace esr
