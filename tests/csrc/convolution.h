// Convolutions as plain loops in double, and the comparison with a kernel's result.
#pragma once

#include <algorithm>

#include "../../csrc/conv_spec.h"
#include "harness.h"

namespace test {

using esr::Act;

// Rounding of sums near 1: the worst seen is 2e-6. A lost term costs a thousand times more.
constexpr double kTolerance = 1e-5;

struct Conv {
  int out, in, kernel;
  std::vector<double> weight, bias;
  Conv(int out, int in, int kernel, Random& random)
      : out(out),
        in(in),
        kernel(kernel),
        weight(
            random.many(size_t(out) * in * kernel * kernel, 2 / std::sqrt(in * kernel * kernel))),
        bias(random.many(out, .3)) {}
  esr::ConvSpec spec(Act act = Act::none, float slope = 0) const {
    return {out, in, kernel, weight.data(), bias.data(), act, slope};
  }
  // The sum at (o, y, x) of `stride` steps from a first tap at (top, left) of the input.
  double sum(const Planes& x, int o, int top, int left) const {
    double total = bias[o];
    for (int c = 0; c < in; ++c)
      for (int i = 0; i < kernel; ++i)
        for (int j = 0; j < kernel; ++j)
          total += weight[((size_t(o) * in + c) * kernel + i) * kernel + j] *
                   x.get(c, top + i, left + j);
    return total;
  }
  // The same where each output channel has its own input channel: a depthwise convolution.
  double filtered(const Planes& x, int o, int top, int left) const {
    double total = bias[o];
    for (int i = 0; i < 9; ++i)
      total += weight[9 * size_t(o) + i] * x.get(o, top + i / 3, left + i % 3);
    return total;
  }
};

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

inline double with_act(double y, Act act, double slope, double residual) {
  switch (act) {
    case Act::none: return y + residual;
    case Act::relu: return std::max(y, 0.) + residual;
    case Act::lrelu: return (y < 0 ? slope * y : y) + residual;
    case Act::silu: return y * sigmoid(y) + residual;
    case Act::gelu: return y * .5 * std::erfc(-y / std::sqrt(2.)) + residual;
    case Act::span_gate: return (y + residual) * (sigmoid(y) - .5);
    case Act::gate: return residual * sigmoid(y);
  }
  return NAN;
}

// Of a whole picture.
inline Planes apply(const Conv& conv, const Planes& x, int stride, int pad) {
  Planes y(conv.out, (x.height + 2 * pad - conv.kernel) / stride + 1,
           (x.width + 2 * pad - conv.kernel) / stride + 1);
  for (int o = 0; o < conv.out; ++o)
    for (int i = 0; i < y.height; ++i)
      for (int j = 0; j < y.width; ++j)
        y.at(o, i, j) = conv.sum(x, o, i * stride - pad, j * stride - pad);
  return y;
}

inline Planes random_planes(int channels, int height, int width, Random& random) {
  Planes planes(channels, height, width);
  for (double& v : planes.data) v = float(random());
  return planes;
}

// Same shape, values within the tolerance, nothing written around.
inline void compare(const Planes& exact, Framed& ours, const std::string& what) {
  double worst = 0;
  for (int c = 0; c < exact.channels; ++c)
    for (int y = 0; y < exact.height; ++y)
      for (int x = 0; x < exact.width; ++x) {
        const double error = std::fabs(exact.get(c, y, x) - ours.at(c, y, x));
        worst = test::worse(worst, error);
      }
  expect(worst <= kTolerance, what + ": off by " + std::to_string(worst));
  expect(ours.canaries_live(), what + ": wrote outside the picture");
}

inline std::string name(const char* what, int a, int b, int c, int d) {
  char text[100];
  std::snprintf(text, sizeof text, "%s %d %d, %d x %d", what, a, b, c, d);
  return text;
}

}  // namespace test
