#include "bilinear.h"

#include "../program.h"

namespace esr {

Bilinear::Bilinear(const Program& program, int source, Resolution to)
    : Step({{source, Window::all()}}, program.channels(source), to),
      kernel_(program.kernels().bilinear) {}

double Bilinear::cost() const { return 4. * channels(); }

// Four rows of the source's pixels in their order, all channels, and a vector after each.
size_t Bilinear::scratch_floats(const SourceRows* sources) const {
  return kTile * sources[0].geometry->row_stride(channels());
}

void Bilinear::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0], at.y, at.rows, at.out, at.scratch});
}

}  // namespace esr
