// A step of a program: what the planner must know of it, and the computation of one tile row. Each
// kind of step is a class in steps/; programs are planned and run without knowing the kinds.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "resolution.h"
#include "rows.h"

namespace esr {

class Program;

// The pixel rows of a value that a step reads for its row y: stride * y - above .. stride * y +
// below. With a stride of 1 the value's rows are numbered as the step's own, and the step may
// follow them while they are made. With any other, and with `whole`, the value is complete before
// the step's first row.
struct Window {
  int above = 0, below = 0, stride = 1;
  bool whole = false;   // all rows, in SourceRows::first
  bool mirror = false;  // rows outside the value are those inside, reflected at its edge

  static Window around(int rows) { return {rows, rows}; }
  static Window mirrored(int rows) { return {rows, rows, 1, false, true}; }
  static Window all() { return {0, 0, 1, true}; }

  // The row of a value of this height that is read as row y; one outside is zeros. A tile row has
  // rows behind the value's last one that nothing needs: they stay outside.
  int row(int y, int height) const {
    if (!mirror || (y >= 0 && y < height) || y >= height + below) return y;
    return y < 0 ? -y : 2 * (height - 1) - y;
  }

  bool follows() const { return stride == 1 && !whole; }
  // Rows that a tile row of the step reads.
  int rows() const { return whole ? 0 : above + 1 + below + (kTile - 1) * stride; }
  // Tile rows that the value is ahead of a step that follows it.
  int reach() const { return (std::max(above, below) + kTile - 1) / kTile; }
};

struct Read {
  int value;
  Window window;
};

// Pictures of a batch, `batch_stride` floats apart.
struct Picture {
  float* data;
  size_t batch_stride, plane, row, pixel;
};

// One tile row of the step's result in one picture, on one thread.
struct TileRow {
  const Geometry* geometry;   // of the step's resolution
  int y, rows;                // the first pixel row, and how many exist: 1..4
  const SourceRows* sources;  // of each read
  float* const* out;          // [kTile] rows of the result
  float* scratch;
  const Picture *inputs, *outputs;  // of the program
  int image;                        // of the batch

  PictureView<const float> input(int i) const { return view<const float>(inputs[i]); }
  PictureView<float> output(int i) const { return view<float>(outputs[i]); }

 private:
  template <class T>
  PictureView<T> view(const Picture& p) const {
    return {p.data + image * p.batch_stride, p.plane, p.row, p.pixel};
  }
};

class Step {
 public:
  virtual ~Step() = default;

  // In the order in which run() finds them in TileRow::sources.
  const std::vector<Read>& reads() const { return reads_; }
  // Of the result; 0: the step has none, and writes a picture.
  int channels() const { return channels_; }
  // Of the result, or of what is written: bands are cut from its rows.
  Resolution resolution() const { return resolution_; }

  // How a value lies that the step reads, and how its result does. A step that can choose is told
  // before the first run.
  virtual Format reads_as(int /*read*/) const { return Format::planes; }
  virtual Format makes() const { return Format::planes; }
  virtual bool can_make(Format format) const { return format == makes(); }
  virtual void make(Format /*format*/) {}
  // Of a step that would rather read lines, as the only reader of a value that can be made so.
  virtual bool can_read_lines() const { return false; }
  virtual void read_lines() {}
  // Lets it read another value in the place of this one, which has the other format.
  void redirect(int read, int value) { reads_[read].value = value; }

  // Of the value that it makes.
  virtual int least_height() const { return 1; }
  virtual int least_width() const { return 1; }

  // Multiplications of a pixel, by which work is shared out.
  virtual double cost() const { return 1; }
  // Memory that run() needs for itself; of the sources only geometry and channels are known yet.
  virtual size_t scratch_floats(const SourceRows* /*sources*/) const { return 0; }
  // Computes the tile row. Lanes outside the result's width must become zero.
  virtual void run(const TileRow& at) const = 0;

 protected:
  Step(std::vector<Read> reads, int channels, Resolution resolution)
      : reads_(std::move(reads)), channels_(channels), resolution_(resolution) {}

 private:
  std::vector<Read> reads_;
  int channels_;
  Resolution resolution_;
};

}  // namespace esr
