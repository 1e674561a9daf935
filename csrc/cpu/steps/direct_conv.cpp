#include "direct_conv.h"

#include "../program.h"

namespace esr {

DirectConv::DirectConv(const Program& program, const std::vector<int>& sources,
                       const ConvSpec& spec, const Taps& taps, int groups, int residual)
    : ConvStep(program, program.kernels().direct_conv, sources, Window::around(taps.above()),
               program.common_resolution(sources), spec, residual,
               pack_groups(spec.weight, groups, spec.out_channels / groups,
                           spec.in_channels * taps.rows * taps.columns, program.kernels().group),
               taps),
      taps_(taps),
      in_channels_(spec.in_channels * groups),
      group_(program.kernels().group),
      cost_(double(spec.out_channels) * spec.in_channels * taps.rows * taps.columns) {}

// A block of all rows that the sources have in the window, and the sums of a register tile.
size_t DirectConv::scratch_floats(const SourceRows* sources) const {
  const Stretch stretch(taps_, sources[0].geometry->lanes, 1);
  return size_t(in_channels_) * reads()[0].window.rows() * stretch.floats() +
         group_ * stretch.pixels();
}

}  // namespace esr
