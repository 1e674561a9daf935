#include "bilinear.h"

#include "../program.h"

namespace esr {

Bilinear::Bilinear(const Program& program, int source, Resolution to)
    : Step({{source, Window::all()}}, program.channels(source), to),
      to_planes_(program.kernels().bilinear),
      to_pixels_(program.kernels().bilinear_pixels) {}

double Bilinear::cost() const { return 4. * channels(); }

bool Bilinear::can_make(Format format) const {
  return format == Format::planes || (to_pixels_ && !is_split(channels()));
}

// Four rows of the source's pixels in their order, all channels, and a vector after each; to
// pixels, whole vectors of channels.
size_t Bilinear::scratch_floats(const SourceRows* sources) const {
  const int lanes = sources[0].geometry->lanes;
  return kTile * sources[0].geometry->row_stride((channels() + lanes - 1) / lanes * lanes);
}

void Bilinear::run(const TileRow& at) const {
  const auto kernel = format_ == Format::pixels ? to_pixels_ : to_planes_;
  kernel({at.geometry, at.sources[0], at.y, at.rows, at.out, at.scratch});
}

}  // namespace esr
