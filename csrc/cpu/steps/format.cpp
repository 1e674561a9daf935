#include "format.h"

#include "../program.h"

namespace esr {

InFormat::InFormat(const Program& program, int source, Format format)
    : Step({{source, {}}}, program.channels(source), program.resolution(source)),
      kernel_(format == Format::pixels ? program.kernels().to_pixels : program.kernels().to_planes),
      format_(format) {}

Format InFormat::reads_as(int /*read*/) const {
  return format_ == Format::pixels ? Format::planes : Format::pixels;
}

void InFormat::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0].row, channels(), at.out, at.rows});
}

}  // namespace esr
