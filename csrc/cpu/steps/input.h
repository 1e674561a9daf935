// The program's next input picture as a value, plus a shift for each channel. It has the size of
// all pictures of the run, or one pixel.
#pragma once

#include "../buffer.h"
#include "../step.h"

namespace esr {

struct PackRow {
  const Geometry* geometry;
  PictureView<const float> picture;
  const float* shift;  // per channel, added
  int channels, y, rows;
  float* const* out;
};

class Input : public Step {
 public:
  // shift: null for zeros
  Input(Program& program, int channels, const double* shift, bool one_pixel = false);
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const PackRow&);
  int picture_;
  Buffer shift_;
};

}  // namespace esr
