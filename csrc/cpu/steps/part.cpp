#include "part.h"

#include <algorithm>

#include "../program.h"

namespace esr {

Part::Part(const Program& program, int source, int first, int count)
    : Step({{source, {}}}, count, program.resolution(source)), first_(first) {}

// The guards around the channels are zero in both.
void Part::run(const TileRow& at) const {
  const Geometry& g = *at.geometry;
  for (int row = 0; row < at.rows; ++row)
    std::copy_n(at.sources[0].row[row] + first_ * g.channel_stride(), g.row_stride(channels()),
                at.out[row]);
}

}  // namespace esr
