// Stages, lags and bands; plan_memory.cpp has the rest.
#include "plan.h"

#include <atomic>

namespace esr {
namespace {

// A longer chain keeps more from being written and read again, until its rings outgrow the cache.
// Measured on SPAN from 256 to 1024 pixels wide: 8 is as fast as any; none at all is 10-25% slower.
constexpr int kLongestLag = 8;
constexpr size_t kRingBytes = 12 << 20;  // of a thread
// More bands than threads even out what else the machine does, where that leaves them tall enough.
constexpr int kBandsPerThread = 2;
constexpr int kNoLag = -1;

std::atomic<unsigned> plans{0};

int tile_rows_of(int pixels) { return (pixels + kTile - 1) / kTile; }

}  // namespace

Plan::Plan(const ProgramShape& program, int height, int width, int threads)
    : program_(program),
      height_(height),
      width_(width),
      asked_threads_(threads),
      threads_(std::clamp(threads, 1, tile_rows_of(height))),
      lags_(program.steps.size(), 0),
      number_(++plans) {
  const auto geometry = [&](Resolution r) {
    return Geometry(program.axes.length(r.rows, height, width),
                    program.axes.length(r.columns, height, width), program.lanes);
  };
  for (const ValueShape& v : program.values)
    values_.push_back({v.channels, geometry(v.resolution), v.format});
  for (const auto& step : program.steps) geometries_.push_back(geometry(step->resolution()));
  plan_stages();
  for (Stage& stage : stages_) plan_bounds(stage);
  plan_buffers();
  plan_memory();
}

// The rings of the chain's values must fit into the cache: three tile rows of the largest, times
// the lag. And a ring, so a seam, must not be longer than a band.
int Plan::longest_lag(int axis, int bands) const {
  size_t row_floats = 1;
  int reach = 0;
  for (size_t v = 0; v < values_.size(); ++v)
    if (program_.values[v].resolution.rows == axis)
      row_floats = std::max(row_floats, values_[v].row_stride());
  for (const auto& step : program_.steps)
    for (const Read& read : step->reads())
      if (read.window.follows()) reach = std::max(reach, read.window.reach());
  const size_t ring_bytes = 3 * kTile * row_floats * sizeof(float);
  const int tile_rows = tile_rows_of(program_.axes.length(axis, height_, width_));
  int lag = int(std::min<size_t>(kLongestLag, kRingBytes / ring_bytes));
  if (bands > 1) lag = std::min(lag, tile_rows / bands - 1 - reach);
  return std::max(lag, 0);
}

Plan::Stage Plan::new_stage(int axis) const {
  int bands = threads_ == 1 ? 1 : threads_ * kBandsPerThread;
  if (longest_lag(axis, bands) < longest_lag(axis, 1)) bands = threads_;
  const int tile_rows = tile_rows_of(program_.axes.length(axis, height_, width_));
  return {axis, tile_rows, bands, longest_lag(axis, bands)};
}

// With which lag the step can join the stage, the last one; kNoLag where it cannot.
int Plan::lag_in(const Stage& stage, const Step& step) const {
  if (step.resolution().rows != stage.axis) return kNoLag;
  int lag = 0;
  for (const Read& read : step.reads()) {
    const Value& v = values_[read.value];
    if (v.first_stage != int(stages_.size()) - 1) continue;
    if (!read.window.follows()) return kNoLag;
    lag = std::max(lag, v.lag + read.window.reach());
  }
  return lag <= stage.longest_lag ? lag : kNoLag;
}

// Greedy: a step joins the chain unless it has other rows, needs one of the chain's values whole,
// or its lag grows too long.
void Plan::plan_stages() {
  for (int s = 0; s < int(program_.steps.size()); ++s) {
    const Step& step = *program_.steps[s];
    int lag = stages_.empty() ? kNoLag : lag_in(stages_.back(), step);
    if (lag == kNoLag) {
      stages_.push_back(new_stage(step.resolution().rows));
      lag = 0;
    }
    Stage& stage = stages_.back();
    stage.steps.push_back(s);
    stage.last_lag = std::max(stage.last_lag, lag);
    lags_[s] = lag;
    const int number = int(stages_.size()) - 1;
    for (const Read& read : step.reads()) {
      Value& v = values_[read.value];
      v.last_stage = number;
      if (v.first_stage == number)
        v.ring_rows = std::max(v.ring_rows, lag - v.lag + 1 + read.window.reach());
    }
    if (program_.results[s] >= 0) {
      Value& made = values_[program_.results[s]];
      made.first_stage = made.last_stage = number;
      made.lag = lag;
    }
  }
}

// Bands of equal work: a band slopes down by the lag, so its rows lie lower by the mean of the lags
// of the steps than those at lag 0.
void Plan::plan_bounds(Stage& stage) const {
  double work = 0, moment = 0;
  for (int s : stage.steps) {
    const double cost = program_.steps[s]->cost();
    work += cost;
    moment += cost * lags_[s];
  }
  for (int b = 0; b <= stage.bands; ++b)
    stage.bounds.push_back(int(double(stage.tile_rows) * b / stage.bands - moment / work + .5));
}

int Plan::most_bands() const {
  int most = 1;
  for (const Stage& stage : stages_) most = std::max(most, stage.bands);
  return most;
}

}  // namespace esr
