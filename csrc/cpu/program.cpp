#include "program.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "thread_pool.h"

namespace esr {

// A longer chain keeps more from being written and read again, until its rings outgrow the cache.
// Measured on SPAN from 256 to 1024 pixels wide: 8 is as fast as any; none at all is 10-25% slower.
constexpr int kLongestLag = 8;
constexpr size_t kRingBytes = 12 << 20;  // of a thread
// More bands than threads even out what else the machine does, where that leaves them tall enough.
constexpr int kBandsPerThread = 2;

PackedConv::PackedConv(const ConvSpec& s, int group)
    : weight(s.kernel == 3 ? pack_winograd(s.weight, s.out_channels, s.in_channels, group)
                           : pack_pointwise(s.weight, s.out_channels, s.in_channels, group)),
      bias(pack_bias(s.bias, s.out_channels, group)),
      view{s.in_channels, s.out_channels, weight.data(), bias.data(), s.act, s.slope} {}

int Program::add_value(int channels) {
  values_.push_back(Value{channels});
  return int(values_.size()) - 1;
}

int Program::add_step(Step step, int channels) {
  step.result = channels ? add_value(channels) : -1;
  steps_.push_back(std::move(step));
  geometry_.reset();  // what was planned is out of date
  return steps_.back().result;
}

int Program::input(int channels, const double* shift) {
  Step step{StepKind::pack};
  step.picture = inputs_++;
  step.shift = pack_bias(shift, channels, 1);
  return add_step(std::move(step), channels);
}

int Program::conv(const std::vector<int>& sources, const ConvSpec& spec, int residual) {
  Step step{spec.kernel == 3 ? StepKind::conv3x3 : StepKind::conv1x1};
  step.sources = sources;
  step.residual = residual;
  step.conv = std::make_unique<PackedConv>(spec, kernels_.group);
  return add_step(std::move(step), spec.out_channels);
}

static Buffer to_float(const double* values, size_t count) {
  Buffer buffer(count);
  for (size_t i = 0; values && i < count; ++i) buffer.data()[i] = float(values[i]);
  return buffer;
}

int Program::esa(int q, const ConvSpec& conv1, const ConvSpec& conv_f, const ConvSpec& conv2,
                 const ConvSpec& conv3, const ConvSpec& conv4) {
  const int a = conv({q}, conv1, -1);
  const int esa = int(esa_channels_.size());
  esa_channels_.push_back(conv1.out_channels);
  const auto map_step = [&](StepKind kind, const ConvSpec* spec) {
    Step step{kind};
    step.esa = esa;
    if (kind == StepKind::esa_conv) step.sources = {a};
    if (spec) {
      step.weight = to_float(spec->weight, size_t(spec->out_channels) * spec->in_channels * 9);
      step.bias = to_float(spec->bias, spec->out_channels);
    }
    add_step(std::move(step), 0);
  };
  map_step(StepKind::esa_conv, &conv2);
  map_step(StepKind::esa_pool, nullptr);
  map_step(StepKind::esa_map, &conv3);
  Step gate{StepKind::esa_gate};
  gate.esa = esa;
  gate.sources = {q, a};
  gate.conv = std::make_unique<PackedConv>(conv_f, kernels_.group);
  gate.conv4 = std::make_unique<PackedConv>(conv4, kernels_.group);
  return add_step(std::move(gate), channels(q));
}

void Program::output(int value, int factor, int skip) {
  Step step{StepKind::shuffle};
  step.sources = {value};
  step.residual = skip;
  step.factor = factor;
  step.picture = outputs_++;
  add_step(std::move(step), 0);
}

namespace {

bool is_map_step(const Step& s) {
  return s.kind == StepKind::esa_conv || s.kind == StepKind::esa_pool ||
         s.kind == StepKind::esa_map;
}

template <class Visit>
void for_each_read(const Step& step, Visit&& visit) {  // visit(value, rows needed around)
  for (int source : step.sources) visit(source, step.kind == StepKind::conv3x3 ? 1 : 0);
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
                                             (steps_[s].kind == StepKind::conv3x3 ? 9 : 1)
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

int Program::longest_lag(const Geometry& g, int bands) const {
  int most = 1;
  for (const Value& v : values_) most = std::max(most, v.channels);
  const size_t ring_bytes = 3 * kTile * g.row_stride(most) * sizeof(float);
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
  int most = 1, depth = 1;
  size_t ring_floats = 0;
  for (Value& v : values_) {
    v.offset = ring_floats;
    if (v.buffer < 0) ring_floats += g.row_stride(v.channels) * v.ring_rows * kTile;
    most = std::max(most, v.channels);
  }
  for (const Step& step : steps_)
    if (step.conv) depth = std::max(depth, step.conv->view.in_channels);
  const size_t map_floats = size_t(most) * (kTile * g.lanes + g.width / 6 + 2 * g.lanes);
  const size_t scratch = std::max(kernels_.scratch_floats(std::max(most, depth)), map_floats);
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
  int most = 1;
  for (const Value& v : values_) {
    most = std::max(most, v.channels);
    if (v.buffer >= 0) continue;
    for (const auto* places : {&rings_, &seams_})
      for (size_t place : *places) clear_guards(g, place + v.offset, v.channels, v.ring_rows);
  }
  for (size_t b = 0; b < buffers_.size(); ++b)
    clear_guards(g, buffers_[b], buffer_channels_[b], g.tile_rows);
  std::fill_n(memory_ + zero_row_, g.row_stride(most), 0.f);
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

struct Program::Band {
  const std::vector<Picture>& inputs;
  const std::vector<Picture>& outputs;
  int image, thread, stage, index;
};

// The first tile row of band `index` at this lag.
int Program::first_row(int index, int lag, const Band& band) const {
  if (index == 0) return 0;
  if (index == bands_) return geometry_->tile_rows;
  return std::clamp(stages_[band.stage].bounds[index] + lag, 0, geometry_->tile_rows);
}

// Rows of the band itself, and those below that the next one left in its seam.
float* Program::row(int value, const Band& band, int y) const {
  if (y < 0 || y >= geometry_->height) return memory_ + zero_row_;
  const Value& v = values_[value];
  const size_t stride = geometry_->row_stride(v.channels);
  if (v.buffer >= 0) return memory_ + buffers_[v.buffer] + y * stride;
  const int tile_row = y / kTile, inside = y % kTile;
  const int owner = band.index + (tile_row >= first_row(band.index + 1, v.lag, band));
  const int place = tile_row - first_row(owner, v.lag, band);
  const bool seam = owner > 0 && place < v.ring_rows;
  const size_t at = seam ? seams_[owner] + v.offset : rings_[band.thread] + v.offset;
  return memory_ + at + size_t((seam ? place : tile_row % v.ring_rows) * kTile + inside) * stride;
}

SourceRows Program::source_rows(int value, const Band& band, int first_row, int count) const {
  SourceRows rows{};
  rows.channels = values_[value].channels;
  for (int i = 0; i < count; ++i) rows.row[i] = row(value, band, first_row + i);
  return rows;
}

// Rows below the picture are never written: a step stops after `rows` of them.
void Program::out_rows(int value, const Band& band, int tile_row, float** rows) const {
  for (int i = 0; i < kTile; ++i) {
    const int y = tile_row * kTile + i;
    rows[i] = y < geometry_->height ? row(value, band, y) : nullptr;
  }
}

void Program::run_conv(const Step& step, const Band& band, int tile_row) const {
  const bool wide = step.kind == StepKind::conv3x3;
  const int y = tile_row * kTile;
  ConvRow r{};
  r.conv = &step.conv->view;
  r.geometry = geometry_.get();
  r.source_count = int(step.sources.size());
  for (int s = 0; s < r.source_count; ++s)
    r.sources[s] = source_rows(step.sources[s], band, wide ? y - 1 : y, wide ? kTile + 2 : kTile);
  if (step.residual >= 0) {
    const SourceRows residual = source_rows(step.residual, band, y, kTile);
    std::copy_n(residual.row, kTile, r.residual);
  }
  out_rows(step.result, band, tile_row, r.out);
  r.rows = std::min(kTile, geometry_->height - y);
  r.scratch = memory_ + scratch_[band.thread];
  wide ? kernels_.conv3x3(r) : kernels_.conv1x1(r);
}

void Program::run_esa_gate(const Step& step, const Band& band, int tile_row) const {
  const EsaMaps& maps = esa_maps_[step.esa];
  const MapView<float> map = maps.map_view(memory_);
  EsaGateRow r{};
  r.geometry = geometry_.get();
  r.y = tile_row * kTile;
  r.rows = std::min(kTile, geometry_->height - r.y);
  r.q = source_rows(step.sources[0], band, r.y, kTile);
  r.a = source_rows(step.sources[1], band, r.y, kTile);
  r.map = {map.data, map.plane, map.row};
  r.map_height = maps.pool_height;
  r.map_width = maps.pool_width;
  r.conv_f = &step.conv->view;
  r.conv4 = &step.conv4->view;
  out_rows(step.result, band, tile_row, r.out);
  r.scratch = memory_ + scratch_[band.thread];
  kernels_.esa_gate(r);
}

void Program::run_rows(const Step& step, const Band& band, int tile_row) const {
  const Geometry& g = *geometry_;
  const int y = tile_row * kTile, rows = std::min(kTile, g.height - y);
  if (step.kind == StepKind::pack) {
    const Picture& p = band.inputs[step.picture];
    PackRow r{&g,
              {p.data + band.image * p.batch_stride, p.plane, p.row},
              step.shift.data(),
              values_[step.result].channels,
              y,
              rows,
              {}};
    out_rows(step.result, band, tile_row, r.out);
    kernels_.pack(r);
  } else if (step.kind == StepKind::shuffle) {
    const Picture& p = band.outputs[step.picture];
    ShuffleRow r{&g,
                 {p.data + band.image * p.batch_stride, p.plane, p.row},
                 source_rows(step.sources[0], band, y, kTile),
                 {},
                 step.factor,
                 y,
                 rows};
    if (step.residual >= 0) r.skip = source_rows(step.residual, band, y, kTile);
    kernels_.pixel_shuffle(r);
  } else if (step.kind == StepKind::esa_gate) {
    run_esa_gate(step, band, tile_row);
  } else {
    run_conv(step, band, tile_row);
  }
}

// The small maps of ESA: each thread takes its share of the map's rows.
void Program::run_esa_maps(const Step& step, const Band& band) const {
  const EsaMaps& maps = esa_maps_[step.esa];
  const int channels = maps.channels;
  const MapView<float> conv = maps.conv_view(memory_), pool = maps.pool_view(memory_),
                       map = maps.map_view(memory_);
  const int height = step.kind == StepKind::esa_conv ? maps.conv_height : maps.pool_height;
  const int first = height * band.thread / threads_, last = height * (band.thread + 1) / threads_;
  for (int y = first; y < last; ++y) {
    if (step.kind == StepKind::esa_conv) {
      const SourceRows rows = source_rows(step.sources[0], band, 2 * y, 3);
      kernels_.esa_conv({geometry_.get(),
                         {rows.row[0], rows.row[1], rows.row[2]},
                         step.weight.data(),
                         step.bias.data(),
                         channels,
                         y,
                         conv});
    } else if (step.kind == StepKind::esa_pool) {
      kernels_.esa_pool(
          {{conv.data, conv.plane, conv.row}, pool, channels, maps.conv_width, maps.pool_width, y});
    } else {
      kernels_.esa_map({{pool.data, pool.plane, pool.row},
                        map,
                        step.weight.data(),
                        step.bias.data(),
                        channels,
                        maps.pool_width,
                        y});
    }
  }
}

// At each time, a step computes the tile row that is its lag behind. From where the band's lag 0
// ends, rows of the next band are read: not before that has come to the same time.
void Program::run_stage(const Stage& stage, Band& band) {
  const int next = band.index + 1, until = first_row(next, stage.last_lag, band) + stage.last_lag;
  for (int time = first_row(band.index, 0, band); time < until; ++time) {
    if (next < bands_ && time >= first_row(next, 0, band))
      wait_until([&] { return progress_[next].load(std::memory_order_acquire) > time; });
    for (int s : stage.steps) {
      const int tile_row = time - lags_[s];
      if (tile_row >= first_row(band.index, lags_[s], band) &&
          tile_row < first_row(next, lags_[s], band))
        run_rows(steps_[s], band, tile_row);
    }
    progress_[band.index].store(time + 1, std::memory_order_release);
  }
  progress_[band.index].store(std::numeric_limits<int>::max(), std::memory_order_release);
}

void Program::run(const std::vector<Picture>& inputs, const std::vector<Picture>& outputs,
                  int batch, int height, int width, int threads) {
  const std::lock_guard<std::mutex> lock(mutex_);
  constexpr int kLeastForEsa = 15;
  if (!esa_channels_.empty() && std::min(height, width) < kLeastForEsa)
    throw std::invalid_argument("ESA needs a height and a width of 15 or more");
  const Geometry geometry(height, width, kernels_.lanes);
  threads = std::clamp(threads, 1, geometry.tile_rows);
  prepare(geometry, threads);
  auto workspace = take_workspace(size_, plan_);
  memory_ = workspace->data();
  if (workspace->plan != plan_) clear_guards(geometry);
  workspace->plan = plan_;
  Barrier barrier(threads);
  run_on_threads(threads, [&](int thread) {
    Band band{inputs, outputs, 0, thread, 0, 0};
    for (band.image = 0; band.image < batch; ++band.image) {
      for (band.stage = 0; band.stage < int(stages_.size()); ++band.stage) {
        const Stage& stage = stages_[band.stage];
        if (thread == 0) {
          for (int b = 0; b < bands_; ++b) progress_[b].store(0, std::memory_order_relaxed);
          bands_left_.store(bands_, std::memory_order_relaxed);
        }
        barrier.wait();
        if (is_map_step(steps_[stage.steps[0]]))
          run_esa_maps(steps_[stage.steps[0]], band);
        else
          while ((band.index = bands_left_.fetch_sub(1, std::memory_order_relaxed) - 1) >= 0)
            run_stage(stage, band);
        barrier.wait();
      }
    }
  });
  give_back(std::move(workspace));
}

}  // namespace esr
