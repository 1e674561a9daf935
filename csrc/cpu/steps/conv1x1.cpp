#include "conv1x1.h"

#include "../program.h"

namespace esr {

Conv1x1::Conv1x1(const Program& program, const std::vector<int>& sources, const ConvSpec& spec,
                 int residual)
    : ConvStep(program, program.kernels().conv1x1, sources, Window{},
               program.common_resolution(sources), spec, residual,
               pack_pointwise(spec.weight, spec.out_channels, spec.in_channels,
                              program.kernels().group)) {}

}  // namespace esr
