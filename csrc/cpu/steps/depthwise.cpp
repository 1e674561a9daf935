#include "depthwise.h"

#include "../program.h"

namespace esr {

Depthwise::Depthwise(const Program& program, int source, const ConvSpec& spec, const Taps& taps,
                     int residual)
    : ConvStep(program, program.kernels().depthwise, {source},
               taps.reflect ? Window::mirrored(taps.above()) : Window::around(taps.above()),
               program.resolution(source), spec, residual,
               pack_bias(spec.weight, spec.out_channels * taps.rows * taps.columns, 1), taps),
      taps_(taps) {}

int Depthwise::least_height() const { return taps_.reflect ? taps_.above() + 1 : 1; }
int Depthwise::least_width() const { return taps_.reflect ? taps_.beside() + 1 : 1; }

double Depthwise::cost() const { return double(channels()) * taps_.rows * taps_.columns; }

// The source's rows, and the sums of the tile row.
size_t Depthwise::scratch_floats(const SourceRows* sources) const {
  const Geometry& g = *sources[0].geometry;
  const Stretch stretch(taps_, g.lanes, depthwise_blocks(g));
  return reads()[0].window.rows() * stretch.floats() + kTile * stretch.pixels();
}

}  // namespace esr
