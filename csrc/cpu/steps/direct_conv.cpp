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
  const size_t lanes = sources[0].geometry->lanes;
  const size_t in_order = Stretch(taps_, int(lanes), 1).floats();
  const size_t columns = taps_.beside() <= kTile ? (kTile + 2 * taps_.beside()) * lanes : 0;
  return size_t(in_channels_) * reads()[0].window.rows() * std::max(in_order, columns) +
         group_ * kTile * lanes;
}

}  // namespace esr
