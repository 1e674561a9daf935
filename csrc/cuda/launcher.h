// One pass over a program's steps: joins those that share a kernel, places values in the workspace,
// and hands each launch on. Steps take from it what they launch with.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "program.h"

namespace esr::cuda {

// Hands out bytes of a workspace, at multiples of 256: the lowest that are free.
class Allocator {
 public:
  size_t take(size_t bytes);
  void give_back(size_t at);
  size_t most() const { return most_; }

 private:
  std::vector<std::pair<size_t, size_t>> taken_;  // first byte and count, in order
  size_t most_ = 0;
};

class Launcher {
 public:
  struct Launch {
    const char* name;  // what for
    std::function<std::string()> form;
    std::function<void()> run;
  };
  using Enqueue = std::function<void(const Launch&)>;

  // `run` without pictures and memory: only to learn names and sizes.
  Launcher(const Program& program, const Program::Run& run, Enqueue enqueue);

  void walk();
  size_t workspace_bytes() const { return memory_.most(); }

  // For steps.
  const Program& program() const { return program_; }
  const Size& size() const { return run_.size; }  // of the input pictures
  const Size& size(int value) const { return sizes_[value]; }
  const Device& device() const { return device_; }
  // f16 as half_sums where the program's options and the device want them.
  Format sums_format() const;

  // True if another step's kernel does its work.
  bool is_taken_in(const Step& step) const { return leaders_[step.number()] >= 0; }
  bool is_stored(int value) const { return place_[value] != kNowhere; }
  // Bytes of all slabs of a value.
  size_t slab_bytes(int value) const { return program_.slabs(value) * plane_bytes(value); }
  // A value's memory, its slabs one after the other; null: none.
  char* memory(int value) const {
    return is_stored(value) ? run_.workspace + place_[value] : nullptr;
  }
  const char* slab(int value, int i) const {
    return is_stored(value) ? memory(value) + i * plane_bytes(value) : nullptr;
  }
  template <class T = char>
  const T* constant(size_t offset) const {
    return reinterpret_cast<const T*>(run_.constants + offset);
  }
  Picture input(int number) const { return run_.inputs.empty() ? Picture{} : run_.inputs[number]; }
  Picture output(int number) const {
    return run_.outputs.empty() ? Picture{} : run_.outputs[number];
  }

  // `launch`: what the kernel's .cu file defines.
  template <class Form, class Parameters>
  void enqueue(const char* name, const Form& form, const Parameters& parameters,
               void (*launch)(const Form&, const Parameters&, void* stream)) const {
    enqueue_({name, [&] { return form.name(); }, [&] { launch(form, parameters, run_.stream); }});
  }

 private:
  static constexpr size_t kNowhere = -1;

  size_t plane_bytes(int value) const { return pixel_count(sizes_[value]) * kPixelBytes; }
  void size_values();
  void join_steps();
  void note_last_reads();

  const Program& program_;
  const Program::Run& run_;
  const Enqueue enqueue_;
  const Device device_;
  std::vector<int> partners_;             // of steps: the one that each takes in, or -1
  std::vector<int> leaders_;              // of steps: the one that takes each in, or -1
  std::vector<std::vector<int>> ending_;  // of steps: values that none after it reads
  std::vector<size_t> place_;             // of values
  std::vector<Size> sizes_;               // of values
  Allocator memory_;
};

}  // namespace esr::cuda
