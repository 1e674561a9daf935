// The nearest pixel of another size: torch's rule, with the ratio of the sizes in float.
#pragma once

#include "../step.h"

namespace esr {

struct NearestRow {
  const Geometry* geometry;  // of the result
  SourceRows source;         // whole
  int y, rows;
  float* const* out;
  float* scratch;
};

class Nearest : public Step {
 public:
  Nearest(const Program& program, int source, Resolution to);
  size_t scratch_floats(const SourceRows* sources) const override;
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const NearestRow&);
};

}  // namespace esr
