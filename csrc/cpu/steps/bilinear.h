// Bilinear interpolation to another size: torch's rule with align_corners=False.
#pragma once

#include "../step.h"

namespace esr {

struct BilinearRow {
  const Geometry* geometry;  // of the result
  SourceRows source;         // whole
  int y, rows;
  float* const* out;
  float* scratch;
};

class Bilinear : public Step {
 public:
  Bilinear(const Program& program, int source, Resolution to);
  double cost() const override;
  size_t scratch_floats(const SourceRows* sources) const override;
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const BilinearRow&);
};

}  // namespace esr
