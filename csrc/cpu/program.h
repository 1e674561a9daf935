// A network, or a part of one, as steps over tile rows: built once, run on pictures of any size.
// step.h says what a step is, plan.h in what order their rows are computed.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels.h"
#include "plan.h"
#include "step.h"

namespace esr {

class Program {
 public:
  // in_bfloat16: convolutions may multiply bfloat16 numbers, where the kernels have tiles for that.
  explicit Program(const Kernels& kernels, bool in_bfloat16 = false)
      : kernels_(kernels), has_tiles_(in_bfloat16 && kernels.tile_conv) {}

  // Building: adds a step of this class, made of the program and `args`. Returns the value that it
  // makes, -1 where it makes none.
  template <class Kind, class... Args>
  int add(Args&&... args) {
    return append(std::make_unique<Kind>(*this, std::forward<Args>(args)...));
  }

  // Throws std::invalid_argument where the pictures are too small for a value to have a pixel.
  void run(const std::vector<Picture>& inputs, const std::vector<Picture>& outputs, int batch,
           int height, int width, int threads);

  int input_count() const { return inputs_; }
  int output_count() const { return outputs_; }
  int value_count() const { return int(values_.size()); }
  int channels(int value) const { return values_.at(value).channels; }
  Resolution resolution(int value) const { return values_.at(value).resolution; }
  const Kernels& kernels() const { return kernels_; }
  bool has_tiles() const { return has_tiles_; }

  // For steps while they are made; the checks throw std::invalid_argument.
  int next_input() { return inputs_++; }  // its number
  int next_output() { return outputs_++; }
  Axes& axes() { return axes_; }
  Resolution common_resolution(const std::vector<int>& values) const;
  void check_resolution(int value, Resolution expected) const;

 private:
  int append(std::unique_ptr<Step> step);
  void settle_formats();
  void choose_formats();
  void prepare(int height, int width, int threads);

  const Kernels& kernels_;
  const bool has_tiles_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<ValueShape> values_;
  std::vector<int> results_;  // of the steps: values, or -1
  Axes axes_;
  int inputs_ = 0, outputs_ = 0;
  std::unique_ptr<Plan> plan_;  // of the last run, if nothing was added since
  std::mutex mutex_;
};

}  // namespace esr
