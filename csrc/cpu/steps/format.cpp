#include "format.h"

#include "../program.h"

namespace esr {

ToPixels::ToPixels(const Program& program, int source)
    : Step({{source, {}}}, program.channels(source), program.resolution(source)),
      kernel_(program.kernels().to_pixels) {}

void ToPixels::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0].row, channels(), at.out, at.rows});
}

ToPlanes::ToPlanes(const Program& program, int source)
    : Step({{source, {}}}, program.channels(source), program.resolution(source)),
      kernel_(program.kernels().to_planes) {}

void ToPlanes::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0].row, channels(), at.out, at.rows});
}

}  // namespace esr
