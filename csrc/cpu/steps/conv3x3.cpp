#include "conv3x3.h"

#include "../program.h"

namespace esr {

Conv3x3::Conv3x3(const Program& program, const std::vector<int>& sources, const ConvSpec& spec,
                 int residual)
    : ConvStep(
          program, program.kernels().conv3x3, sources, Window::around(1),
          program.common_resolution(sources), spec, residual,
          pack_winograd(spec.weight, spec.out_channels, spec.in_channels, program.kernels().group)),
      scratch_floats_(program.kernels().conv3x3_scratch(spec.in_channels)) {}

size_t Conv3x3::scratch_floats(const SourceRows*) const { return scratch_floats_; }

}  // namespace esr
