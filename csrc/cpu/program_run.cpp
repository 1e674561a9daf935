// Running a planned program.
#include <algorithm>
#include <limits>
#include <stdexcept>

#include "program.h"
#include "thread_pool.h"

namespace esr {

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
  const bool wide = has_window(step);
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
  if (step.kind == StepKind::conv3x3)
    kernels_.conv3x3(r);
  else if (step.kind == StepKind::depthwise3x3)
    kernels_.depthwise3x3(r);
  else
    kernels_.conv1x1(r);
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
