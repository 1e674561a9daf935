// The program's next input picture as a value, plus a shift for each channel.
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
  Input(Program& program, int channels, const double* shift);  // shift: null for zeros
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const PackRow&);
  int picture_;
  Buffer shift_;
};

}  // namespace esr
