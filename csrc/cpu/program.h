// A network, or a part of one, as steps over tile rows: built once, run on pictures of any size.
//
// Steps are grouped into stages. A stage is a chain of row steps that runs as a wavefront: while
// one step computes tile row r, the 3x3 convolution before it is one row ahead, `lag` counts by how
// many. What only the chain reads lives in a ring of a few rows, in cache; what later stages read
// is stored whole.
//
// Threads take bands of rows that slope with the lag: bounds[b] + lag to bounds[b+1] + lag. So all
// that a band needs from above is its own, and what it needs from below are the first rows of the
// next band, kept apart (the seam) and made before, since bands are taken from the bottom up.
// Nothing is computed twice, a thread that is slow takes fewer bands, and threads meet only between
// stages.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "buffer.h"
#include "kernels.h"
#include "pack_weights.h"
#include "workspace.h"

namespace esr {

enum class StepKind {
  pack,
  conv3x3,
  conv1x1,
  depthwise3x3,
  esa_conv,
  esa_pool,
  esa_map,
  esa_gate,
  shuffle
};

struct PackedConv {
  PackedConv(StepKind kind, const ConvSpec& spec, int group);  // for a step of this kind
  Buffer weight, bias;
  ConvWeights view;
};

struct Step {
  StepKind kind;
  std::vector<int> sources;
  int residual = -1;  // a value, or -1
  int result = -1;    // a value, or -1 where the step writes a picture or a small map
  int picture = -1;   // index of the input or output picture
  int factor = 1;     // of the shuffle
  int esa = -1;       // index of the ESA block
  Buffer shift;       // of pack
  std::unique_ptr<PackedConv> conv, conv4;
  Buffer weight, bias;  // of esa_conv and esa_map
};

// Whether the step reads the rows above and below its own.
inline bool has_window(const Step& s) {
  return s.kind == StepKind::conv3x3 || s.kind == StepKind::depthwise3x3;
}

// Whether the step makes a small map of ESA, which stands alone in its stage.
inline bool is_map_step(const Step& s) {
  return s.kind == StepKind::esa_conv || s.kind == StepKind::esa_pool ||
         s.kind == StepKind::esa_map;
}

class Program {
 public:
  explicit Program(const Kernels& kernels) : kernels_(kernels) {}

  // Building: each returns the value it makes.
  int input(int channels, const double* shift);
  int conv(const std::vector<int>& sources, const ConvSpec& spec, int residual);
  int depthwise(int source, const ConvSpec& spec, int residual);  // spec: [out][1][3][3]
  // q * sigmoid(conv4(up(conv3(maxpool(conv2(a)))) + conv_f(a))), a = conv1(q)
  int esa(int q, const ConvSpec& conv1, const ConvSpec& conv_f, const ConvSpec& conv2,
          const ConvSpec& conv3, const ConvSpec& conv4);
  // Writes the value as the next output picture, shuffled, plus `skip` under every sub-pixel.
  void output(int value, int factor, int skip);

  // Pictures of one batch element after the other, `stride` floats apart.
  struct Picture {
    float* data;
    size_t batch_stride, plane, row;
  };
  // Throws std::invalid_argument where ESA's pooling has no pixel: below 15 x 15.
  void run(const std::vector<Picture>& inputs, const std::vector<Picture>& outputs, int batch,
           int height, int width, int threads);

  int input_count() const { return inputs_; }
  int output_count() const { return outputs_; }
  int value_count() const { return int(values_.size()); }
  int channels(int value) const { return values_.at(value).channels; }
  const Kernels& kernels() const { return kernels_; }

 private:
  struct Value {
    int channels;
    int first_stage = -1, last_stage = -1;  // that makes it, that reads it last
    int lag = 0;                            // of the step that makes it
    int buffer = -1;                        // whole: which of them; -1: a ring
    int ring_rows = 1;                      // tile rows of the ring, and of the seam
    size_t offset = 0;                      // in the rings of a thread, and the seams of a band
  };
  struct Stage {
    std::vector<int> steps;
    int last_lag = 0;
    std::vector<int> bounds;  // tile rows at lag 0 where the bands begin
  };
  struct EsaMaps {
    EsaMaps(const Geometry& geometry, int channels);
    int channels, conv_height, conv_width, pool_height, pool_width;
    size_t conv_row, pool_row;
    size_t conv_floats, pool_floats, map_floats;
    size_t offset = 0;  // of conv, then pool, then map
    MapView<float> conv_view(float* memory) const;
    MapView<float> pool_view(float* memory) const;  // of pixel (0, 0) inside its ring of zeros
    MapView<float> map_view(float* memory) const;
  };
  struct Band;  // what a thread works on

  int add_value(int channels);
  int add_step(Step step, int channels);
  int add_conv(StepKind kind, std::vector<int> sources, const ConvSpec& spec, int residual);
  int most_channels() const;  // of a value
  int longest_lag(const Geometry& geometry, int bands) const;
  void plan_stages(int longest_lag);
  void plan_bounds(Stage& stage, const Geometry& geometry) const;
  void plan_buffers();
  void plan_memory(const Geometry& geometry, int threads);
  size_t reserve(size_t floats);
  void clear_guards(const Geometry& geometry) const;
  void clear_guards(const Geometry& geometry, size_t offset, int channels, int tile_rows) const;
  void prepare(const Geometry& geometry, int threads);
  void run_stage(const Stage& stage, Band& band);
  void run_rows(const Step& step, const Band& band, int tile_row) const;
  void run_conv(const Step& step, const Band& band, int tile_row) const;
  void run_esa_gate(const Step& step, const Band& band, int tile_row) const;
  void run_esa_maps(const Step& step, const Band& band) const;
  SourceRows source_rows(int value, const Band& band, int first_row, int count) const;
  int first_row(int index, int lag, const Band& band) const;
  float* row(int value, const Band& band, int y) const;
  void out_rows(int value, const Band& band, int tile_row, float** rows) const;

  const Kernels& kernels_;
  std::vector<Value> values_;
  std::vector<Step> steps_;
  std::vector<int> lags_;          // of the steps
  std::vector<int> esa_channels_;  // of the small maps of each ESA block
  int inputs_ = 0, outputs_ = 0;

  // Made by prepare() for one geometry and number of threads.
  std::vector<Stage> stages_;
  std::vector<int> buffer_channels_;
  std::unique_ptr<Geometry> geometry_;
  int threads_ = 0, bands_ = 0;
  std::vector<EsaMaps> esa_maps_;
  size_t size_ = 0;  // floats of the workspace, and where things are in it:
  size_t zero_row_ = 0;
  std::vector<size_t> buffers_, rings_, scratch_, seams_;  // whole values; per thread; per band
  unsigned plan_ = 0;                                      // a number that no other plan has
  std::unique_ptr<std::atomic<int>[]> progress_;           // of each band: the time it has reached
  std::atomic<int> bands_left_{0};                         // of the stage going on
  float* memory_ = nullptr;                                // the workspace of the run going on
  std::mutex mutex_;
};

}  // namespace esr
