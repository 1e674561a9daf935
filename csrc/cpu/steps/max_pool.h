// The largest of kernel x kernel pixels, `stride` apart, as far as they lie inside. A NaN
// wins, as in torch.
#pragma once

#include "../step.h"

namespace esr {

// Numbers before a row's pixels in scratch, where windows may begin: whole vectors.
inline int pool_margin(const Sampling& s, int lanes) {
  return (s.padding + lanes - 1) / lanes * lanes;
}

struct MaxPoolRow {
  const Geometry* geometry;  // of the result
  SourceRows source;
  Sampling sampling;
  float* const* out;
  int y, rows;
  float* scratch;
};

class MaxPool : public Step {
 public:
  MaxPool(Program& program, int source, int kernel, int stride, int padding = 0);
  size_t scratch_floats(const SourceRows* sources) const override;
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const MaxPoolRow&);
  Sampling sampling_;
};

}  // namespace esr
