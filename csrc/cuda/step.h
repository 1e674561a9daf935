// A step of a program: a class of its own for each kind, in steps/. Programs and launchers know
// this interface and no kinds.
//
// A step reads and makes values. It is constructed with the program that it becomes part of, packs
// its constants there, and must not keep a reference to it: Program::add().
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "device.h"

namespace esr::cuda {

class Conv;
class Launcher;
class Program;
struct ConvLaunch;

// An input picture, as a step that makes its value has it.
struct InputPicture {
  int number;    // among the program's inputs
  size_t shift;  // of the channels, an offset in the block of constants
  bool shifts;   // by anything else than zero
};

class Step {
 public:
  virtual ~Step() = default;

  // The step's place among the program's steps.
  int number() const { return number_; }
  // The values that it reads; a value that it reads twice comes twice.
  const std::vector<int>& reads() const { return reads_; }
  // The values that it makes, some of them perhaps only for itself, and their channels.
  const std::vector<int>& makes() const { return makes_; }
  const std::vector<int>& channels() const { return channels_; }

  // The input picture that its one value is, up to a shift; null for a step that computes.
  virtual const InputPicture* picture() const { return nullptr; }
  // True if it reads an input value from the picture itself and needs no slabs of it.
  virtual bool reads_picture(const Launcher&, int /*value*/) const { return false; }

  // Fusion: true if its kernel can do the work of `next` too, the only reader of its one value. The
  // two are then one launch, at the place of `next`, and the value needs no memory.
  virtual bool can_take_in(const Program&, const Step& /*next*/) const { return false; }
  // Fusion with a convolution: true if the convolution's kernel can do this step's work on its
  // result. end(), which is called only then, gives the launch of both.
  virtual bool can_end(const Program&, const Conv&) const { return false; }
  virtual ConvLaunch end(const Launcher&, const Conv&) const;

  // The size of makes()[i] in pixels: by default that of its first source, or of the pictures.
  virtual Size size(const Launcher&, int i) const;
  // The bytes that makes()[i] needs: by default all its slabs, 0 if it is not stored.
  virtual size_t memory(const Launcher&, int i) const;

  // Enqueues its kernels. `taken_in`: the step whose work they do too, or null.
  virtual void launch(const Launcher&, const Step* taken_in) const = 0;

 protected:
  Step(std::vector<int> reads, std::vector<int> channels)
      : reads_(std::move(reads)), channels_(std::move(channels)) {}

 private:
  friend class Program;
  int number_ = -1;
  std::vector<int> reads_, channels_, makes_;
};

}  // namespace esr::cuda
