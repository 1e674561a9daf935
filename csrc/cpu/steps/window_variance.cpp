#include "window_variance.h"

#include "../program.h"

namespace esr {

WindowVariance::WindowVariance(Program& program, int source, int kernel, int stride, int padding)
    : Step({{source, {padding, kernel - 1 - padding, stride, false, true}}},
           program.channels(source),
           program.axes().sampled(program.resolution(source), {kernel, stride, 1, padding})),
      kernel_(program.kernels().window_variance),
      sampling_{kernel, stride, 1, padding} {}

// All rows of a window.
size_t WindowVariance::scratch_floats(const SourceRows* sources) const {
  return sampling_.kernel * window_floats(sampling_, *sources[0].geometry);
}

void WindowVariance::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0], sampling_, at.out, at.rows, at.scratch});
}

}  // namespace esr
