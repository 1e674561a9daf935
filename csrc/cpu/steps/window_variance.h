// The unbiased variance of kernel x kernel pixels, `stride` apart, of a source mirrored at its
// edges by less than a third of a window, so that a window has what is mirrored inside.
#pragma once

#include "../step.h"

namespace esr {

struct WindowVarianceRow {
  const Geometry* geometry;  // of the result
  SourceRows source;
  Sampling sampling;
  float* const* out;
  int rows;
  float* scratch;
};

// A row of the source with what is mirrored, as numbers in scratch: whole vectors.
inline size_t window_floats(const Sampling& s, const Geometry& g) {
  const size_t beside = (s.padding + g.lanes - 1) / g.lanes * g.lanes;
  return g.blocks * g.block_stride() + 2 * beside;
}

class WindowVariance : public Step {
 public:
  WindowVariance(Program& program, int source, int kernel, int stride, int padding);
  size_t scratch_floats(const SourceRows* sources) const override;
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const WindowVarianceRow&);
  Sampling sampling_;
};

}  // namespace esr
