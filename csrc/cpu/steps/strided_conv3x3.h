// 3x3 convolution with stride 2 and no padding: the result has one pixel for each place of the
// filter inside the source.
#pragma once

#include "conv_step.h"

namespace esr {

class StridedConv3x3 : public ConvStep {
 public:
  StridedConv3x3(Program& program, int source, const ConvSpec& spec, int residual);
};

}  // namespace esr
