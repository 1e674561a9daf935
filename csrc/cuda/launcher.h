// One pass over a program's steps: places values in the workspace, and hands each launch on.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "program.h"

namespace esr::cuda {

// Hands out slabs of a workspace: the lowest that are free.
class SlabAllocator {
 public:
  int take(int count);
  void give_back(int at);
  int most() const { return most_; }

 private:
  std::vector<std::pair<int, int>> taken_;  // first slab and count, in order
  int most_ = 0;
};

class Launcher {
 public:
  struct Launch {
    const char* name;
    std::function<std::string()> form;
    std::function<void()> run;
  };
  using Enqueue = std::function<void(const Launch&)>;

  // `run` without pictures and memory: only to learn names and sizes.
  Launcher(const Program& program, const Program::Run& run, Enqueue enqueue);

  void walk();
  size_t workspace_bytes() const { return slabs_.most() * plane_bytes_; }

 private:
  bool is_stored(const Step& step, int value) const;
  void launch(const Step& step);

  void launch_input(const Step& step);
  void launch_output(const Step& step);
  void launch_step(const Step& step);
  void launch_pointwise(const Step& step);
  void launch_attention(const Step& step);
  void launch_pooled_attention(const Step& step);
  void enqueue_conv(const char* name, ConvEnds ends, const ConvParameters& p, const PackedConv& c);
  void launch_plain(const PackedConv& c, int source, int residual, int result);

  ConvertParameters convert(int value) const;
  // `pointwise`: slabs that a 1x1 convolution of the result reads.
  ConvParameters conv(const PackedConv& c, ConvEnds ends, const std::vector<int>& sources,
                      int residual, int pointwise = 0) const;
  ConvForm form_of(const PackedConv& c, ConvEnds ends) const;
  Format sums_format() const;
  SpabGeometry chosen_spab(const PackedConv& c, int channels) const;
  // Without slabs where three convolutions are launched.
  const SpabGeometry& spab_geometry_of(const Step& step) const;

  Picture input(const Step& step) const;
  Picture output(const Step& step) const;
  int slab_total(int value) const {
    return slab_count(program_.format_, program_.channels_[value]);
  }
  char* slab(int value) const {
    return place_[value] < 0 ? nullptr : run_.workspace + place_[value] * plane_bytes_;
  }
  const char* plane(int value, int i) const;
  template <class T = char>
  const T* constant(size_t offset) const {
    return reinterpret_cast<const T*>(run_.constants + offset);
  }

  const Program& program_;
  const Program::Run& run_;
  const Enqueue enqueue_;
  const Device device_;
  std::vector<int> place_, last_;         // of values: first slab, or -1; the last step they serve
  std::vector<std::vector<int>> ending_;  // of steps: values that none after it reads
  mutable std::map<int, SpabGeometry> spabs_;  // by channels: the search takes microseconds
  SlabAllocator slabs_;
  size_t plane_bytes_;
};

}  // namespace esr::cuda
