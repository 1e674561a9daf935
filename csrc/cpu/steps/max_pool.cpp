#include "max_pool.h"

#include "../program.h"

namespace esr {

MaxPool::MaxPool(Program& program, int source, int kernel, int stride)
    : Step({{source, {0, kernel - 1, stride}}}, program.channels(source),
           program.axes().sampled(program.resolution(source), {kernel, stride})),
      kernel_(program.kernels().max_pool),
      sampling_{kernel, stride} {}

// A row of the source's pixels in their order, and as many after it as the kernel reads in vain.
size_t MaxPool::scratch_floats(const SourceRows* sources) const {
  const Geometry& g = *sources[0].geometry;
  return g.blocks * g.block_stride() + sampling_.kernel + g.lanes;
}

void MaxPool::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0], sampling_, at.out, at.rows, at.scratch});
}

}  // namespace esr
