// What programs of csrc/cuda compute, as plain loops in double.
#pragma once

#include "../../csrc/conv_spec.h"
#include "cuda_harness.h"

namespace test {

inline double activation(esr::Act act, float slope, double y) {
  switch (act) {
    case esr::Act::relu: return y < 0 ? 0 : y;
    case esr::Act::lrelu: return y < 0 ? slope * y : y;
    case esr::Act::silu: return y / (1 + std::exp(-y));
    case esr::Act::gelu: return .5 * y * (1 + std::erf(y * std::sqrt(.5)));
    default: return y;
  }
}

// Everything a convolution is made of, and what it should give.
struct Conv {
  int kernel;
  esr::Act act = esr::Act::none;
  float slope = 0;
  std::vector<double> weight, bias;
  int out, in;

  Conv(Random& random, int out, int in, int kernel, esr::Act act = esr::Act::none, float slope = 0)
      : kernel(kernel),
        act(act),
        slope(slope),
        weight(exact(random, out * in * kernel * kernel)),
        bias(exact(random, out)),
        out(out),
        in(in) {}
  esr::ConvSpec spec() const { return {out, in, kernel, weight.data(), bias.data(), act, slope}; }

  Batch apply(const Batch& x, const Batch* u = nullptr) const {
    Batch y(x.batch, out, x.height, x.width);
    y.fill([&](int n, int o, int row, int column) {
      double sum = bias[o];
      const int reach = kernel / 2;
      for (int c = 0; c < in; ++c)
        for (int k = 0; k < kernel * kernel; ++k)
          sum += weight[(size_t(o) * in + c) * kernel * kernel + k] *
                 x.get(n, c, row + k / kernel - reach, column + k % kernel - reach);
      if (act == esr::Act::span_gate)
        return (sum + u->get(n, o, row, column)) * (1 / (1 + std::exp(-sum)) - .5);
      return activation(act, slope, sum) + (u ? u->get(n, o, row, column) : 0);
    });
    return y;
  }
};

inline Batch concat(const std::vector<Batch>& parts) {
  int channels = 0;
  for (const Batch& part : parts) channels += part.channels;
  Batch all(parts[0].batch, channels, parts[0].height, parts[0].width);
  int first = 0;
  for (const Batch& part : parts) {
    for (int n = 0; n < all.batch; ++n)
      for (int c = 0; c < part.channels; ++c)
        for (int y = 0; y < all.height; ++y)
          for (int x = 0; x < all.width; ++x) all.at(n, first + c, y, x) = part.get(n, c, y, x);
    first += part.channels;
  }
  return all;
}

inline Batch shuffle(const Batch& x, int r, const Batch* skip) {
  Batch y(x.batch, x.channels / r / r, x.height * r, x.width * r);
  y.fill([&](int n, int c, int row, int column) {
    const int channel = (c * r + row % r) * r + column % r;
    return x.get(n, channel, row / r, column / r) +
           (skip ? skip->get(n, c, row / r, column / r) : 0);
  });
  return y;
}

}  // namespace test
