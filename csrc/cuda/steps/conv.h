// A 3x3 or 1x1 convolution of the concatenation of its sources, with an activation and a residual.
#pragma once

#include "../step.h"
#include "conv_launch.h"

namespace esr::cuda {

// Constants of one convolution, as offsets in the block of constants.
struct PackedConv {
  int kernel, out_channels, slabs, n_tiles;
  Act act;
  float slope;
  size_t weights, bias;

  // Throws std::invalid_argument where it would read more than kMaxSlabs slabs.
  PackedConv(Program& program, const std::vector<int>& sources, const ConvSpec& spec);
};

// A launch, to be completed by what it writes.
struct ConvLaunch {
  const char* name;
  ConvForm form;
  ConvParameters parameters{};

  void enqueue(const Launcher& launcher) const;
};

// `residual`: a value, or -1. `pointwise`: see ConvShape.
ConvLaunch begin_conv(const Launcher& launcher, const PackedConv& packed,
                      const std::vector<int>& sources, int residual, ConvEnds ends,
                      int pointwise = 0);

class Conv : public Step {
 public:
  // `residual`: a value, or -1.
  Conv(Program& program, const std::vector<int>& sources, const ConvSpec& spec, int residual);

  const PackedConv& packed() const { return packed_; }
  bool has_residual() const { return residual_ >= 0; }
  ConvLaunch begin(const Launcher& launcher, ConvEnds ends, int pointwise = 0) const {
    return begin_conv(launcher, packed_, sources_, residual_, ends, pointwise);
  }

  bool reads_picture(const Launcher& launcher, int value) const override;
  bool can_take_in(const Program& program, const Step& next) const override;
  bool can_end(const Program& program, const Conv& first) const override;
  ConvLaunch end(const Launcher& launcher, const Conv& first) const override;
  void launch(const Launcher& launcher, const Step* taken_in) const override;

 private:
  const InputPicture* only_picture(const Program& program) const;

  const std::vector<int> sources_;
  const int residual_;
  const PackedConv packed_;
};

}  // namespace esr::cuda
