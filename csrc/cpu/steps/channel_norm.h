// Layer norm over the channels of each pixel: weight * (x - mean) / sqrt(variance + eps) + bias.
#pragma once

#include "../buffer.h"
#include "../step.h"

namespace esr {

struct ChannelNormRow {
  const Geometry* geometry;
  SourceRows source;
  const float *weight, *bias;  // [channels]
  float eps;
  float* const* out;
  int rows;
};

class ChannelNorm : public Step {
 public:
  // weight and bias: [channels]
  ChannelNorm(const Program& program, int source, const double* weight, const double* bias,
              double eps);
  double cost() const override { return 6. * channels(); }
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const ChannelNormRow&);
  Buffer weight_, bias_;
  float eps_;
};

}  // namespace esr
