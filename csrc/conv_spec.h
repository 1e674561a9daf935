// What a convolution computes, in words that the CPU's and the GPU's programs share.
#pragma once

namespace esr {

enum class Act { none, relu, lrelu, silu, gelu, spab };

// Constants of one convolution in double, [out][in][k][k].
struct ConvSpec {
  int out_channels, in_channels, kernel;
  const double* weight;
  const double* bias;  // null: none
  Act act = Act::none;
  float slope = 0;  // of lrelu
};

}  // namespace esr
