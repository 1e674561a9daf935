#include "depthwise3x3.h"

#include "../program.h"

namespace esr {

Depthwise3x3::Depthwise3x3(const Program& program, int source, const ConvSpec& spec, int residual)
    : ConvStep(program, program.kernels().depthwise3x3, {source}, Window::around(1),
               program.resolution(source), spec, residual,
               pack_bias(spec.weight, spec.out_channels * 9, 1)) {}

}  // namespace esr
