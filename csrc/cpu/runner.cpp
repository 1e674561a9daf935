#include "runner.h"

#include <atomic>
#include <limits>

#include "thread_pool.h"
#include "workspace.h"

namespace esr {
namespace {

// What a thread works on, and lists that it fills for one step after the other.
struct Band {
  int image, thread;
  const Plan::Stage* stage;
  int index;
  std::vector<SourceRows> sources;
  std::vector<const float*> rows;  // that the sources point at
};

class Runner {
 public:
  Runner(const Plan& plan, const std::vector<std::unique_ptr<Step>>& steps,
         const std::vector<int>& results, const Batch& batch, float* memory)
      : plan_(plan),
        steps_(steps),
        results_(results),
        batch_(batch),
        memory_(memory),
        progress_(std::make_unique<std::atomic<int>[]>(plan.most_bands())),
        barrier_(plan.threads()) {}

  void work(int thread);

 private:
  Band new_band(int thread) const;
  void run_stage(Band& band);
  void run_band(Band& band);
  void run_rows(int step, Band& band, int tile_row) const;
  float* row(int value, const Band& band, int y) const;
  float* ring_row(const Plan::Value& v, const Band& band, int y) const;

  const Plan& plan_;
  const std::vector<std::unique_ptr<Step>>& steps_;
  const std::vector<int>& results_;
  const Batch& batch_;
  float* const memory_;
  const std::unique_ptr<std::atomic<int>[]> progress_;  // of each band: the time it has reached
  std::atomic<int> bands_left_{0};                      // of the stage going on
  Barrier barrier_;
};

Band Runner::new_band(int thread) const {
  size_t sources = 0, rows = 0;
  for (const auto& step : steps_) {
    size_t read = 0;
    for (const Read& r : step->reads()) read += r.window.rows();
    sources = std::max(sources, step->reads().size());
    rows = std::max(rows, read);
  }
  return {0, thread, nullptr, 0, std::vector<SourceRows>(sources), std::vector<const float*>(rows)};
}

// Rows of the band itself, and those below that the next one left in its seam.
float* Runner::ring_row(const Plan::Value& v, const Band& band, int y) const {
  const int tile_row = y / kTile, inside = y % kTile;
  const int owner = band.index + (tile_row >= band.stage->first_row(band.index + 1, v.lag));
  const int place = tile_row - band.stage->first_row(owner, v.lag);
  const bool seam = owner > 0 && place < v.ring_rows;
  const size_t at = seam ? plan_.seam(v, owner) : plan_.ring(v, band.thread);
  const size_t slot = size_t(seam ? place : tile_row % v.ring_rows) * kTile + inside;
  return memory_ + at + slot * v.row_stride();
}

float* Runner::row(int value, const Band& band, int y) const {
  const Plan::Value& v = plan_.values()[value];
  if (y < 0 || y >= v.geometry.height) return memory_ + plan_.zero_row();
  if (v.buffer < 0) return ring_row(v, band, y);
  return memory_ + plan_.buffer(v) + y * v.row_stride();
}

// Rows below the picture are never written: a step stops after `rows` of them.
void Runner::run_rows(int s, Band& band, int tile_row) const {
  const Step& step = *steps_[s];
  const Geometry& g = plan_.geometry(s);
  const int y = tile_row * kTile, rows = std::min(kTile, g.height - y);
  const float** next = band.rows.data();
  SourceRows* source = band.sources.data();
  for (const Read& read : step.reads()) {
    const Plan::Value& v = plan_.values()[read.value];
    const bool whole = v.buffer >= 0;
    *source++ = {next, whole ? memory_ + plan_.buffer(v) : nullptr, &v.geometry, v.channels};
    const int top = y * read.window.stride - read.window.above;
    for (int i = 0; i < read.window.rows(); ++i)
      *next++ = row(read.value, band, read.window.row(top + i, v.geometry.height));
  }
  float* out[kTile] = {};
  if (results_[s] >= 0)
    for (int i = 0; i < rows; ++i) out[i] = row(results_[s], band, y + i);
  step.run({&g, y, rows, band.sources.data(), out, memory_ + plan_.scratch(band.thread),
            batch_.inputs, batch_.outputs, band.image});
}

// At each time, a step computes the tile row that is its lag behind. From where the band's lag 0
// ends, rows of the next band are read: not before that has come to the same time.
void Runner::run_band(Band& band) {
  const Plan::Stage& stage = *band.stage;
  const int here = band.index, next = here + 1;
  const int until = stage.first_row(next, stage.last_lag) + stage.last_lag;
  for (int time = stage.first_row(here, 0); time < until; ++time) {
    if (next < stage.bands && time >= stage.first_row(next, 0))
      wait_until([&] { return progress_[next].load(std::memory_order_acquire) > time; });
    for (int s : stage.steps) {
      const int lag = plan_.lag(s), tile_row = time - lag;
      if (tile_row >= stage.first_row(here, lag) && tile_row < stage.first_row(next, lag))
        run_rows(s, band, tile_row);
    }
    progress_[here].store(time + 1, std::memory_order_release);
  }
  progress_[here].store(std::numeric_limits<int>::max(), std::memory_order_release);
}

void Runner::run_stage(Band& band) {
  if (band.thread == 0) {
    for (int b = 0; b < band.stage->bands; ++b) progress_[b].store(0, std::memory_order_relaxed);
    bands_left_.store(band.stage->bands, std::memory_order_relaxed);
  }
  barrier_.wait();
  while ((band.index = bands_left_.fetch_sub(1, std::memory_order_relaxed) - 1) >= 0)
    run_band(band);
  barrier_.wait();
}

void Runner::work(int thread) {
  Band band = new_band(thread);
  for (band.image = 0; band.image < batch_.count; ++band.image) {
    for (const Plan::Stage& stage : plan_.stages()) {
      band.stage = &stage;
      run_stage(band);
    }
  }
}

}  // namespace

void run_plan(const Plan& plan, const std::vector<std::unique_ptr<Step>>& steps,
              const std::vector<int>& results, const Batch& batch) {
  auto workspace = take_workspace(plan.size(), plan.number());
  if (workspace->plan != plan.number()) plan.clear_guards(workspace->data());
  workspace->plan = plan.number();
  Runner runner(plan, steps, results, batch, workspace->data());
  run_on_threads(plan.threads(), [&](int thread) { runner.work(thread); });
  give_back(std::move(workspace));
}

}  // namespace esr
