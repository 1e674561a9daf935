#include "strided_conv.h"

#include "../program.h"

namespace esr {
namespace {

constexpr int kStride = 2;

}  // namespace

StridedConv::StridedConv(Program& program, int source, const ConvSpec& spec, int padding,
                         int residual)
    : ConvStep(
          program, program.kernels().strided_conv, {source},
          Window{padding, spec.kernel - 1 - padding, kStride},
          program.axes().sampled(program.resolution(source), {spec.kernel, kStride, 1, padding}),
          spec, residual,
          pack_pointwise(spec.weight, spec.out_channels,
                         spec.in_channels * spec.kernel * spec.kernel, program.kernels().group),
          Taps{spec.kernel, spec.kernel}, padding) {}

}  // namespace esr
