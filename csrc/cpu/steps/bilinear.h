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

  Format makes() const override { return format_; }
  bool can_make(Format format) const override;
  void make(Format format) override { format_ = format; }

 private:
  void (*to_planes_)(const BilinearRow&);
  void (*to_pixels_)(const BilinearRow&);  // null where there are no tiles
  Format format_ = Format::planes;
};

}  // namespace esr
