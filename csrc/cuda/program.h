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

enum class StepKind { input, conv, spab, esa, output };

// Kernel forms that a program is made to use; by default estimates choose among them.
struct Options {
  enum class Spab { automatic, fused, apart };       // in one kernel, or as three convolutions
  enum class HalfSums { never, automatic, always };  // automatic: where Device::fast_half_sums

  Spab spab = Spab::automatic;
  HalfSums half_sums = HalfSums::never;  // of 3x3 convolutions in f16
  int n_tiles = 0;                       // of convolutions: 2, 4, 6 or 8
  int blocks_per_sm = 0;                 // of convolutions
  int shared_bytes = 0;                  // that a block may have, if less than the device's
};

// Constants of one convolution, as offsets in the block of constants.
struct PackedConv {
  int kernel, out_channels, slabs, n_tiles;
  Act act;
  float slope;
  size_t weights, bias;
};

// Constants of esa, likewise.
struct PackedEsa {
  int channels;  // of a
  size_t conv2, conv3, conv4, conv_f, bias2, bias3, bias4, bias_f;
};

struct Step {
  StepKind kind;
  std::vector<int> sources;
  int residual = -1;         // a value, or -1; of an output: the skip
  std::vector<int> results;  // values
  std::vector<PackedConv> convs;
  PackedEsa esa{};
  int picture = -1;  // index of the input or output picture
  size_t shift = 0;  // of an input, an offset in the block of constants
  bool shifts = false;
  int factor = 1;  // of an output
};

class Program {
 public:
  // Throws std::invalid_argument where no kernel has such a form.
  explicit Program(Format format, const Options& options = {});

  // Building: each returns the value it makes. Throws std::invalid_argument where a convolution
  // would read more than kMaxSlabs slabs.
  int input(int channels, const double* shift);  // the next picture, plus shift[c]
  int conv(const std::vector<int>& sources, const ConvSpec& spec, int residual);
  // t = silu(conv1(x)), y = conv3(silu(conv2(t))), o = (y + x)(sigmoid(y) - 1/2): o and t.
  std::pair<int, int> spab(int x, const ConvSpec& conv1, const ConvSpec& conv2,
                           const ConvSpec& conv3);
  // q * sigmoid(conv4(up(conv3(maxpool(conv2(a)))) + conv_f(a))), a = conv1(q). Throws
  // std::invalid_argument where `a` has more than kEsaMaxChannels.
  int esa(int q, const ConvSpec& conv1, const ConvSpec& conv_f, const ConvSpec& conv2,
          const ConvSpec& conv3, const ConvSpec& conv4);
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
  // What a run would launch, in order: what for, and in which forms (forms.h).
  std::vector<std::string> launches(const Device& device, const Size& size) const;
  std::vector<std::string> forms(const Device& device, const Size& size) const;

  struct Run {
    std::vector<Picture> inputs, outputs;
    Size size;
    const char* constants;
    char* workspace;
    Device device;
    void* stream;
  };
  // Enqueues everything. Throws std::invalid_argument where the pictures are too large, or too
  // small for ESA's pooling, or where a forced form does not fit the device; std::runtime_error
  // where a launch fails.
  void run(const Run& run) const;

 private:
  friend class Launcher;

  int add_value(int channels);
  Step& add_step(StepKind kind, std::vector<int> sources, int residual = -1);
  size_t add_constants(const void* data, size_t bytes);
  template <class T>
  size_t add_constants(const std::vector<T>& values) {
    return add_constants(values.data(), values.size() * sizeof(T));
  }
  PackedConv pack(const ConvSpec& spec, const std::vector<int>& sources);
  bool reads_picture(const Step& step) const;
  bool takes_picture(const Step& step, int value) const;
  bool is_packed(const Step& input) const;
  const Step* fused_output(const Step& conv) const;
  bool is_fused(const Step& output) const;
  int fused_pointwise(const Step& conv) const;
  bool is_pointwise(const Step& step) const;

  int conv_tiles_of(int out_channels) const;

  const Format format_;
  const Options options_;
  std::vector<int> channels_;              // of values
  std::vector<int> producers_;             // of values: steps
  std::vector<std::vector<int>> readers_;  // of values: steps
  std::vector<Step> steps_;
  std::vector<char> constants_;
  int inputs_ = 0, outputs_ = 0;
};

}  // namespace esr::cuda
