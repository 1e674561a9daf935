// The channels of each pixel, normalised: weight * n(x) + bias.
#pragma once

#include "../buffer.h"
#include "../step.h"

namespace esr {

enum class Norm {
  layer,   // n(x) = (x - mean) / sqrt(variance + eps)
  rms,     // x / sqrt(mean of x^2 + eps)
  length,  // x / max(sqrt(sum of x^2), eps)
};

struct ChannelNormRow {
  const Geometry* geometry;
  SourceRows source;
  const float *weight, *bias;  // [channels]
  float eps;
  Norm norm;
  float* const* out;
  int rows;
};

class ChannelNorm : public Step {
 public:
  // weight and bias: [channels]
  ChannelNorm(const Program& program, int source, const double* weight, const double* bias,
              double eps, Norm norm);
  double cost() const override { return 6. * channels(); }
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const ChannelNormRow&);
  Buffer weight_, bias_;
  float eps_;
  Norm norm_;
};

}  // namespace esr
