// 1x1 convolution of the concatenated sources.
#pragma once

#include "conv_step.h"

namespace esr {

class Conv1x1 : public ConvStep {
 public:
  Conv1x1(const Program& program, const std::vector<int>& sources, const ConvSpec& spec,
          int residual);
};

}  // namespace esr
