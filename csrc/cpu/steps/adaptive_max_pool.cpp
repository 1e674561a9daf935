#include "adaptive_max_pool.h"

#include "../program.h"

namespace esr {

AdaptiveMaxPool::AdaptiveMaxPool(Program& program, int source, int divisor)
    : Step({{source, Window::all()}}, program.channels(source),
           program.axes().sampled(program.resolution(source), {divisor, divisor})),
      kernel_(program.kernels().adaptive_max_pool) {}

// The largest of a window's rows, pixels in their order.
size_t AdaptiveMaxPool::scratch_floats(const SourceRows* sources) const {
  return sources[0].geometry->channel_stride();
}

void AdaptiveMaxPool::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0], at.y, at.rows, at.out, at.scratch});
}

}  // namespace esr
