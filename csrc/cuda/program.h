// A network, or a part of one, as kernel launches: built once, run on pictures of any size.
//
// Nothing here calls CUDA: the steps' launch functions do, which the tests implement with the
// emulator. Memory is the caller's: one block of constants on the device, made once, and a
// workspace for each run.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device.h"
#include "slabs.h"
#include "step.h"

namespace esr::cuda {

// Kernel forms that a program is made to use; by default estimates choose among them.
struct Options {
  enum class Fusion { automatic, fused, apart };
  enum class HalfSums { never, automatic, always };  // automatic: where Device::fast_half_sums

  Fusion fusion = Fusion::automatic;     // of steps that are one kernel, or one per convolution
  HalfSums half_sums = HalfSums::never;  // of 3x3 convolutions in f16
  int n_tiles = 0;                       // of convolutions: 2, 4, 6 or 8
  int blocks_per_sm = 0;                 // of convolutions
  int shared_bytes = 0;                  // that a block may have, if less than the device's
};

class Program {
 public:
  // Throws std::invalid_argument where no kernel has such a form.
  explicit Program(Format format, const Options& options = {});

  // Building: adds a step of this class, made of the program and `args`; returns the values that it
  // makes.
  template <class Kind, class... Args>
  std::vector<int> add(Args&&... args) {
    return append(std::make_unique<Kind>(*this, std::forward<Args>(args)...));
  }

  int input_count() const { return inputs_; }
  int output_count() const { return outputs_; }
  int value_count() const { return int(values_.size()); }
  int channels(int value) const { return values_.at(value).channels; }
  int slabs(int value) const { return slab_count(format_, channels(value)); }
  Format format() const { return format_; }
  const Options& options() const { return options_; }

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
  // small for a step, or where a forced form does not fit the device; std::runtime_error where a
  // launch fails.
  void run(const Run& run) const;

  // For steps while they are made: the number of the next picture, and the offset of a copy of
  // `values` in the block of constants.
  int next_input() { return inputs_++; }
  int next_output() { return outputs_++; }
  template <class T>
  size_t add_constants(const std::vector<T>& values) {
    return add_bytes(values.data(), values.size() * sizeof(T));
  }

  // For planning.
  const std::vector<std::unique_ptr<Step>>& steps() const { return steps_; }
  const Step& producer(int value) const { return *steps_[values_[value].producer]; }
  // Numbers of steps, each once.
  const std::vector<int>& readers(int value) const { return values_[value].readers; }

 private:
  struct Value {
    int channels, producer;
    std::vector<int> readers;
  };

  std::vector<int> append(std::unique_ptr<Step> step);
  size_t add_bytes(const void* data, size_t bytes);

  const Format format_;
  const Options options_;
  std::vector<Value> values_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<char> constants_;
  int inputs_ = 0, outputs_ = 0;
};

}  // namespace esr::cuda
