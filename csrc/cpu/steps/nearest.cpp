#include "nearest.h"

#include "../program.h"

namespace esr {

Nearest::Nearest(const Program& program, int source, Resolution to)
    : Step({{source, Window::all()}}, program.channels(source), to),
      kernel_(program.kernels().nearest) {}

// A row of the source's pixels in their order.
size_t Nearest::scratch_floats(const SourceRows* sources) const {
  return sources[0].geometry->channel_stride();
}

void Nearest::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0], at.y, at.rows, at.out, at.scratch});
}

}  // namespace esr
