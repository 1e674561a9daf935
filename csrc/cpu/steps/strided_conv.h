// Convolution with stride 2: the result has one pixel for each place of the filter, two pixels
// apart, inside the source or the zeros around it.
#pragma once

#include "conv_step.h"

namespace esr {

// The sizes that the kernel has been made for.
inline bool is_strided_size(int size, int padding) {
  return size >= 2 && size <= 4 && (padding == 1 ? size > 2 : padding == 0 && size < 4);
}

class StridedConv : public ConvStep {
 public:
  // spec: square; see is_strided_size
  StridedConv(Program& program, int source, const ConvSpec& spec, int padding, int residual);
};

}  // namespace esr
