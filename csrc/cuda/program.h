// A network, or a part of one, as kernel launches: built once, run on pictures of any size.
//
// Nothing here calls CUDA: launches go through launch.h, which the tests implement with the
// emulator. Memory is the caller's: one block of constants on the device, made once, and a
// workspace for each run.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "launch.h"

namespace esr::cuda {

enum class StepKind { input, conv, spab, output };

// Constants of one convolution, as offsets in the block of constants.
struct PackedConv {
  int kernel, out_channels, slabs, tiles;
  Act act;
  float slope;
  size_t weights, bias;
};

struct Step {
  StepKind kind;
  std::vector<int> sources;
  int residual = -1;         // a value, or -1; of an output: the skip
  std::vector<int> results;  // values
  std::vector<PackedConv> convs;
  int picture = -1;  // index of the input or output picture
  size_t shift = 0;  // of an input, an offset in the block of constants
  bool shifts = false;
  int factor = 1;  // of an output
};

class Program {
 public:
  explicit Program(Format format) : format_(format) {}

  // Building: each returns the value it makes. Throws std::invalid_argument where a convolution
  // would read more than kMaxSlabs slabs.
  int input(int channels, const double* shift);  // the next picture, plus shift[c]
  int conv(const std::vector<int>& sources, const ConvSpec& spec, int residual);
  // t = silu(conv1(x)), y = conv3(silu(conv2(t))), o = (y + x)(sigmoid(y) - 1/2): o and t.
  std::pair<int, int> spab(int x, const ConvSpec& conv1, const ConvSpec& conv2,
                           const ConvSpec& conv3);
  // Writes the value as the next output picture, shuffled, plus `skip` under every sub-pixel.
  void output(int value, int factor, int skip);

  int input_count() const { return inputs_; }
  int output_count() const { return outputs_; }
  int value_count() const { return int(channels_.size()); }
  int channels(int value) const { return channels_.at(value); }

  // To be copied to the device, at a multiple of 256 bytes.
  const std::vector<char>& constants() const { return constants_; }
  // Bytes that a run needs, at a multiple of 256.
  size_t workspace_bytes(const Device& device, const Size& size) const;
  // Names of the kernels in order, as a run would launch them.
  std::vector<std::string> launches(const Device& device, const Size& size) const;

  struct Run {
    std::vector<Picture> inputs, outputs;
    Size size;
    const char* constants;
    char* workspace;
    Device device;
    void* stream;
  };
  // Enqueues everything. Throws std::invalid_argument where the pictures are too large,
  // std::runtime_error where a launch fails.
  void run(const Run& run) const;

 private:
  friend class Launcher;

  int add_value(int channels);
  Step& add_step(StepKind kind, std::vector<int> sources);
  size_t add_constants(const void* data, size_t bytes);
  PackedConv pack(const ConvSpec& spec, const std::vector<int>& sources);
  std::vector<int> readers(int value) const;  // steps
  bool reads_picture(const Step& step) const;
  bool takes_picture(const Step& step, int value) const;
  bool is_packed(const Step& input) const;
  const Step* fused_output(const Step& conv) const;
  bool is_fused(const Step& output) const;

  const Format format_;
  std::vector<int> channels_;   // of values
  std::vector<int> producers_;  // of values: steps
  std::vector<Step> steps_;
  std::vector<char> constants_;
  int inputs_ = 0, outputs_ = 0;
};

}  // namespace esr::cuda
