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

  Format reads_as(int read) const override { return read == 0 ? format_ : Format::planes; }
  bool can_read_lines() const override { return factor_ == 4 && of_lines_; }
  void read_lines() override { format_ = Format::lines; }

 private:
  void (*of_planes_)(const ShuffleRow&);
  void (*of_lines_)(const ShuffleRow&);  // null where there are no tiles
  Format format_ = Format::planes;
  int factor_, picture_;
};

}  // namespace esr
