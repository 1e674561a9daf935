// The largest of kernel x kernel pixels, `stride` apart, without padding. A NaN wins, as in torch.
#pragma once

#include "../step.h"

namespace esr {

struct MaxPoolRow {
  const Geometry* geometry;  // of the result
  SourceRows source;
  Sampling sampling;
  float* const* out;
  int rows;
  float* scratch;
};

class MaxPool : public Step {
 public:
  MaxPool(Program& program, int source, int kernel, int stride);
  size_t scratch_floats(const SourceRows* sources) const override;
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const MaxPoolRow&);
  Sampling sampling_;
};

}  // namespace esr
