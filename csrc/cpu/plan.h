// In what order the rows of a program's values are computed, and where they lie in memory: planned
// once for a size of pictures and a number of threads.
//
// Steps are grouped into stages. A stage is a chain of steps over rows of one number, that runs as
// a wavefront: while one step computes tile row r, a 3x3 convolution's source is one row ahead,
// `lag` counts by how many. What only the chain reads lives in a ring of a few rows, in cache; what
// later stages read is stored whole. So a step that changes the number of rows begins a stage.
//
// Threads take bands of rows that slope with the lag: bounds[b] + lag to bounds[b+1] + lag. So all
// that a band needs from above is its own, and what it needs from below are the first rows of the
// next band, kept apart (the seam) and made before, since bands are taken from the bottom up.
// Nothing is computed twice, a thread that is slow takes fewer bands, and threads meet only between
// stages.
#pragma once

#include <memory>
#include <vector>

#include "step.h"

namespace esr {

struct ValueShape {
  int channels;
  Resolution resolution;
  Format format;
};

// What is planned.
struct ProgramShape {
  const std::vector<std::unique_ptr<Step>>& steps;
  const std::vector<int>& results;  // of the steps: values, or -1
  const std::vector<ValueShape>& values;
  const Axes& axes;
  int lanes;
};

class Plan {
 public:
  struct Value {
    int channels;
    Geometry geometry;
    Format format;
    int first_stage = -1, last_stage = -1;  // that makes it, that reads it last
    int lag = 0;                            // of the step that makes it
    int buffer = -1;                        // whole: which of them; -1: a ring
    int ring_rows = 1;                      // tile rows of the ring, and of the seam
    size_t offset = 0;                      // in the rings of a thread, and the seams of a band

    size_t row_stride() const { return geometry.row_stride(channels, format); }
  };
  struct Stage {
    int axis, tile_rows;  // of the rows
    int bands, longest_lag;
    std::vector<int> steps;
    int last_lag = 0;
    std::vector<int> bounds;  // tile rows at lag 0 where the bands begin

    // The first tile row of a band at this lag.
    int first_row(int band, int lag) const {
      if (band == 0) return 0;
      if (band == bands) return tile_rows;
      return std::clamp(bounds[band] + lag, 0, tile_rows);
    }
  };

  Plan(const ProgramShape& program, int height, int width, int threads);

  bool is_for(int height, int width, int threads) const {
    return height == height_ && width == width_ && threads == asked_threads_;
  }
  int threads() const { return threads_; }
  const std::vector<Value>& values() const { return values_; }
  const std::vector<Stage>& stages() const { return stages_; }
  int lag(int step) const { return lags_[step]; }
  const Geometry& geometry(int step) const { return geometries_[step]; }
  int most_bands() const;

  // The workspace: its floats, and where things are in it.
  unsigned number() const { return number_; }  // that no other plan has
  size_t size() const { return size_; }
  size_t zero_row() const { return zero_row_; }
  size_t scratch(int thread) const { return scratch_[thread]; }
  size_t buffer(const Value& v) const { return buffers_[v.buffer].at; }
  size_t ring(const Value& v, int thread) const { return rings_[thread] + v.offset; }
  size_t seam(const Value& v, int band) const { return seams_[band] + v.offset; }
  // Makes zero what is only ever read. A workspace comes with whatever the last run left in it.
  void clear_guards(float* memory) const;

 private:
  struct Whole {
    int channels;
    Geometry geometry;
    Format format;
    int free_after;  // the stage
    size_t at = 0;
  };

  Stage new_stage(int axis) const;
  int longest_lag(int axis, int bands) const;
  int lag_in(const Stage& stage, const Step& step) const;
  void plan_stages();
  void plan_bounds(Stage& stage) const;
  void plan_buffers();
  void plan_memory();
  size_t scratch_floats() const;
  size_t reserve(size_t floats);

  const ProgramShape program_;
  const int height_, width_, asked_threads_, threads_;
  std::vector<Value> values_;
  std::vector<Geometry> geometries_;  // of the steps
  std::vector<int> lags_;             // likewise
  std::vector<Stage> stages_;
  std::vector<Whole> buffers_;
  unsigned number_;
  size_t size_ = 0, zero_row_ = 0, zero_floats_ = 0;
  std::vector<size_t> rings_, scratch_, seams_;  // of the threads; of the bands
};

}  // namespace esr
