// The largest pixel of each of height / divisor x width / divisor windows that cover the picture:
// torch's adaptive pooling, whose windows differ in size and overlap where the sizes do not divide.
#pragma once

#include "../step.h"

namespace esr {

struct AdaptiveMaxPoolRow {
  const Geometry* geometry;  // of the result
  SourceRows source;         // whole
  int y, rows;
  float* const* out;
  float* scratch;
};

class AdaptiveMaxPool : public Step {
 public:
  AdaptiveMaxPool(Program& program, int source, int divisor);
  size_t scratch_floats(const SourceRows* sources) const override;
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const AdaptiveMaxPoolRow&);
};

}  // namespace esr
