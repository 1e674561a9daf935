#include "strided_conv3x3.h"

#include "../program.h"

namespace esr {

constexpr Sampling kSampling{3, 2};

StridedConv3x3::StridedConv3x3(Program& program, int source, const ConvSpec& spec, int residual)
    : ConvStep(program, program.kernels().strided_conv3x3, {source}, Window{0, 2, 2},
               program.axes().sampled(program.resolution(source), kSampling), spec, residual,
               pack_pointwise(spec.weight, spec.out_channels, spec.in_channels * 9,
                              program.kernels().group)) {}

}  // namespace esr
