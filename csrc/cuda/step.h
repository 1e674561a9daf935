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

  // Its place among the program's steps.
  int number() const { return number_; }
  // Values; one that is read twice comes twice.
  const std::vector<int>& reads() const { return reads_; }
  // Values. They need not be read: one may be a step's own memory while it runs.
  const std::vector<int>& makes() const { return makes_; }
  // Of the values that it makes.
  const std::vector<int>& channels() const { return channels_; }

  // The picture that its one value is, plus a shift; null: it computes.
  virtual const InputPicture* picture() const { return nullptr; }
  // Whether it reads an input value from the picture itself, so that it needs no slabs of it.
  virtual bool reads_picture(const Launcher&, int /*value*/) const { return false; }

  // Fusion. Whether its kernel can do the work of `next` too, which alone reads its one value. Then
  // both are one launch, where `next` stands, and the value has no memory.
  virtual bool can_take_in(const Program&, const Step& /*next*/) const { return false; }
  // Whether a convolution's kernel can do this step's work on its result, and the launch of both.
  virtual bool can_end(const Program&, const Conv&) const { return false; }
  virtual ConvLaunch end(const Launcher&, const Conv&) const;  // asked only then

  // The resolution of makes()[i]; by default that of what it reads first, or else of the pictures.
  virtual Size size(const Launcher&, int i) const;
  // Bytes that makes()[i] needs, 0 if it is not stored; by default its slabs.
  virtual size_t memory(const Launcher&, int i) const;

  // `taken_in`: the step whose work the launch does too, or null.
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
