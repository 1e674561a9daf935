// A value as the program's next output picture: shuffled, plus a picture under every sub-pixel.
#pragma once

#include "../step.h"

namespace esr {

struct ShuffleRow {
  const Geometry* geometry;
  PictureView<float> picture;
  SourceRows source;
  SourceRows skip;  // channels == 0: none
  int factor;       // 1..8; the source has factor^2 times the picture's channels
  int y, rows;
};

class Output : public Step {
 public:
  Output(Program& program, int value, int factor, int skip);  // skip: a value, or -1
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const ShuffleRow&);
  int factor_, picture_;
};

}  // namespace esr
