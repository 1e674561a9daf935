// 3x3 convolution of each channel by itself, zeros around it: what most networks have, and faster
// than depthwise.h is for it.
#pragma once

#include "conv_step.h"

namespace esr {

class Depthwise3x3 : public ConvStep {
 public:
  // spec: [out][1][3][3]
  Depthwise3x3(const Program& program, int source, const ConvSpec& spec, int residual);
};

}  // namespace esr
