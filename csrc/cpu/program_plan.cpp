// Planning a program for one geometry and number of threads: stages, bands, memory.
#include <algorithm>

#include "program.h"

namespace esr {

// A longer chain keeps more from being written and read again, until its rings outgrow the cache.
// Measured on SPAN from 256 to 1024 pixels wide: 8 is as fast as any; none at all is 10-25% slower.
constexpr int kLongestLag = 8;
constexpr size_t kRingBytes = 12 << 20;  // of a thread
// More bands than threads even out what else the machine does, where that leaves them tall enough.
constexpr int kBandsPerThread = 2;

namespace {

template <class Visit>
void for_each_read(const Step& step, Visit&& visit) {  // visit(value, rows needed around)
  for (int source : step.sources) visit(source, has_window(step) ? 1 : 0);
  if (step.residual >= 0) visit(step.residual, 0);
}

}  // namespace

// Greedy: a step joins the chain unless its lag grows too long; the small maps stand alone.
void Program::plan_stages(int longest_lag) {
  stages_.clear();
  lags_.assign(steps_.size(), 0);
  for (Value& v : values_) v = Value{v.channels};
  bool closed = true;
  for (int s = 0; s < int(steps_.size()); ++s) {
    const Step& step = steps_[s];
    int lag = 0;
    for_each_read(step, [&](int value, int around) {
      if (!closed && values_[value].first_stage == int(stages_.size()) - 1)
        lag = std::max(lag, values_[value].lag + around);
    });
    if (closed || is_map_step(step) || lag > longest_lag) {
      stages_.push_back(Stage{});
      lag = 0;
    }
    closed = is_map_step(step);
    const int stage = int(stages_.size()) - 1;
    stages_.back().steps.push_back(s);
    stages_.back().last_lag = std::max(stages_.back().last_lag, lag);
    lags_[s] = lag;
    for_each_read(step, [&](int value, int around) {
      Value& v = values_[value];
      v.last_stage = stage;
      if (v.first_stage == stage) v.ring_rows = std::max(v.ring_rows, lag - v.lag + 1 + around);
    });
    if (step.result >= 0) {
      Value& made = values_[step.result];
      made.first_stage = made.last_stage = stage;
      made.lag = lag;
    }
  }
}

// Bands of equal work: a band slopes down by the lag, so its rows lie lower by the mean of the lags
// of the convolutions than those at lag 0.
void Program::plan_bounds(Stage& stage, const Geometry& g) const {
  double work = 0, moment = 0;
  for (int s : stage.steps) {
    const double cost = steps_[s].conv ? double(steps_[s].conv->view.in_channels) *
                                             steps_[s].conv->view.out_channels *
                                             (has_window(steps_[s]) ? 9 : 1)
                                       : 1;
    work += cost;
    moment += cost * lags_[s];
  }
  for (int b = 0; b <= bands_; ++b)
    stage.bounds.push_back(int(double(g.tile_rows) * b / bands_ - moment / work + .5));
}

// Values that a later stage reads get a whole buffer. One that was read for the last time in an
// earlier stage gives its buffer on; not in the same stage, where another thread may still read it.
// Buffers keep their channel count, for their guards to stay zero.
void Program::plan_buffers() {
  buffer_channels_.clear();
  std::vector<int> free_after;  // stage whose end frees the buffer
  for (int stage = 0; stage < int(stages_.size()); ++stage) {
    for (int s : stages_[stage].steps) {
      const int result = steps_[s].result;
      if (result < 0 || values_[result].last_stage == stage) continue;
      Value& value = values_[result];
      for (int b = 0; b < int(free_after.size()) && value.buffer < 0; ++b)
        if (free_after[b] < stage && buffer_channels_[b] == value.channels) value.buffer = b;
      if (value.buffer < 0) {
        value.buffer = int(free_after.size());
        free_after.push_back(0);
        buffer_channels_.push_back(value.channels);
      }
      free_after[value.buffer] = value.last_stage;
    }
  }
}

int Program::most_channels() const {
  int most = 1;
  for (const Value& v : values_) most = std::max(most, v.channels);
  return most;
}

int Program::longest_lag(const Geometry& g, int bands) const {
  const size_t ring_bytes = 3 * kTile * g.row_stride(most_channels()) * sizeof(float);
  int lag = int(std::min<size_t>(kLongestLag, kRingBytes / ring_bytes));
  // A ring, and so a seam, must not be longer than a band: it has lag + 2 rows at most.
  if (bands > 1) lag = std::min(lag, g.tile_rows / bands - 2);
  return std::max(lag, 0);
}

void Program::prepare(const Geometry& g, int threads) {
  if (geometry_ && geometry_->height == g.height && geometry_->width == g.width &&
      threads_ == threads)
    return;
  geometry_.reset();  // stays empty if something below throws
  bands_ = threads == 1 ? 1 : threads * kBandsPerThread;
  if (longest_lag(g, bands_) < longest_lag(g, 1)) bands_ = threads;
  plan_stages(longest_lag(g, bands_));
  for (Stage& stage : stages_) plan_bounds(stage, g);
  plan_buffers();
  plan_memory(g, threads);
  progress_ = std::make_unique<std::atomic<int>[]>(bands_);
  threads_ = threads;
  geometry_ = std::make_unique<Geometry>(g);
}

size_t Program::reserve(size_t floats) {
  constexpr size_t kLineFloats = 16;
  const size_t at = size_;
  size_ += (floats + kLineFloats - 1) / kLineFloats * kLineFloats;
  return at;
}

void Program::plan_memory(const Geometry& g, int threads) {
  static std::atomic<unsigned> plans{0};
  plan_ = ++plans;
  size_ = 0;
  const int most = most_channels();
  int depth = most;
  size_t ring_floats = 0;
  for (Value& v : values_) {
    v.offset = ring_floats;
    if (v.buffer < 0) ring_floats += g.row_stride(v.channels) * v.ring_rows * kTile;
  }
  for (const Step& step : steps_)
    if (step.conv) depth = std::max(depth, step.conv->view.in_channels);
  const size_t map_floats = size_t(most) * (kTile * g.lanes + g.width / 6 + 2 * g.lanes);
  const size_t scratch = std::max(kernels_.scratch_floats(depth), map_floats);
  zero_row_ = reserve(g.row_stride(most));
  buffers_.clear();
  rings_.clear();
  scratch_.clear();
  seams_.clear();
  for (int channels : buffer_channels_)
    buffers_.push_back(reserve(g.row_stride(channels) * g.tile_rows * kTile));
  for (int t = 0; t < threads; ++t) {
    rings_.push_back(reserve(ring_floats));
    scratch_.push_back(reserve(scratch));
  }
  for (int b = 0; b < bands_; ++b) seams_.push_back(reserve(ring_floats));
  esa_maps_.clear();
  for (int channels : esa_channels_) {
    EsaMaps& maps = esa_maps_.emplace_back(g, channels);
    maps.offset = reserve(maps.conv_floats + maps.pool_floats + maps.map_floats);
  }
}

// A workspace comes with whatever the last run left in it. Pixels are written before they are read;
// what is only ever read has to be zero: guards, the row outside the picture, the pooled maps' rim.
void Program::clear_guards(const Geometry& g) const {
  for (const Value& v : values_) {
    if (v.buffer >= 0) continue;
    for (const auto* places : {&rings_, &seams_})
      for (size_t place : *places) clear_guards(g, place + v.offset, v.channels, v.ring_rows);
  }
  for (size_t b = 0; b < buffers_.size(); ++b)
    clear_guards(g, buffers_[b], buffer_channels_[b], g.tile_rows);
  std::fill_n(memory_ + zero_row_, g.row_stride(most_channels()), 0.f);
  for (const EsaMaps& maps : esa_maps_)
    std::fill_n(memory_ + maps.offset + maps.conv_floats, maps.pool_floats, 0.f);
}

void Program::clear_guards(const Geometry& g, size_t offset, int channels, int tile_rows) const {
  for (int y = 0; y < tile_rows * kTile; ++y) {
    float* row = memory_ + offset + y * g.row_stride(channels);
    for (int c = 0; c <= channels; ++c) std::fill_n(row + c * g.channel_stride(), g.lanes, 0.f);
  }
}

Program::EsaMaps::EsaMaps(const Geometry& g, int channels)
    : channels(channels),
      conv_height((g.height - 3) / 2 + 1),
      conv_width((g.width - 3) / 2 + 1),
      pool_height((conv_height - 7) / 3 + 1),
      pool_width((conv_width - 7) / 3 + 1),
      conv_row(size_t(g.blocks) * 2 * g.lanes),
      pool_row(pool_width + 2 + 2 * g.lanes),
      conv_floats(channels * conv_row * conv_height + 2 * g.lanes),
      pool_floats(channels * pool_row * (pool_height + 2)),
      map_floats(channels * pool_row * pool_height) {}

MapView<float> Program::EsaMaps::conv_view(float* memory) const {
  return {memory + offset, conv_row * conv_height, conv_row};
}
MapView<float> Program::EsaMaps::pool_view(float* memory) const {
  return {memory + offset + conv_floats + pool_row + 1, pool_row * (pool_height + 2), pool_row};
}
MapView<float> Program::EsaMaps::map_view(float* memory) const {
  return {memory + offset + conv_floats + pool_floats, pool_row * pool_height, pool_row};
}

}  // namespace esr
