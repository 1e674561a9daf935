#include "max_pool.h"

#include "../program.h"

namespace esr {

MaxPool::MaxPool(Program& program, int source, int kernel, int stride, int padding)
    : Step({{source, {padding, kernel - 1 - padding, stride}}}, program.channels(source),
           program.axes().sampled(program.resolution(source), {kernel, stride, 1, padding})),
      kernel_(program.kernels().max_pool),
      sampling_{kernel, stride, 1, padding} {}

// A row of the source's pixels in their order, and as many after it as the kernel reads in vain.
size_t MaxPool::scratch_floats(const SourceRows* sources) const {
  const Geometry& g = *sources[0].geometry;
  return pool_margin(sampling_, g.lanes) + g.blocks * g.block_stride() + sampling_.kernel + g.lanes;
}

void MaxPool::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0], sampling_, at.out, at.y, at.rows, at.scratch});
}

}  // namespace esr
