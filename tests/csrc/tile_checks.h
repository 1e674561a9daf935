// What tests of matrix tiles share: pictures and weights that bfloat16 holds, and programs whose
// results are exact but for one rounding.
#pragma once

#include "convolution.h"
#include "program.h"

namespace test {

inline double rounded(double v) {
  int exponent = 0;
  std::frexp(v, &exponent);
  return v == 0 || std::isnan(v)
             ? v
             : std::ldexp(std::nearbyint(std::ldexp(v, 8 - exponent)), exponent - 8);
}

inline Planes integers(int channels, int height, int width, Random& random) {
  Planes planes(channels, height, width);
  for (double& v : planes.data) v = std::round(3 * random());
  return planes;
}

inline Conv integer_conv(int out, int in, int kernel, Random& random) {
  Conv conv(out, in, kernel, random);
  for (double& w : conv.weight) w = std::round(w * std::sqrt(in * kernel * kernel));
  for (double& b : conv.bias) b = std::round(10 * b);
  return conv;
}

// A convolution that hands its source on.
inline Conv identity(int channels) {
  Random none(0);
  Conv conv(channels, channels, 1, none);
  std::fill(conv.weight.begin(), conv.weight.end(), 0);
  std::fill(conv.bias.begin(), conv.bias.end(), 0);
  for (int c = 0; c < channels; ++c) conv.weight[size_t(c) * channels + c] = 1;
  return conv;
}

// A first run on NaN leaves nothing else in the memory that the second one finds.
inline void run_after_nan(esr::Program& program, std::vector<Framed>& inputs, Framed& ours,
                          int height, int width, int threads) {
  std::vector<Framed> nans;
  std::vector<esr::Picture> in, bad;
  for (Framed& p : inputs) in.push_back(p.picture());
  for (const Framed& p : inputs) nans.push_back(p.filled(NAN));
  for (Framed& p : nans) bad.push_back(p.picture());
  program.run(bad, {ours.picture()}, 1, height, width, threads);
  program.run(in, {ours.picture()}, 1, height, width, threads);
}

// The program's one picture in, its one output out.
inline void expect_exact(esr::Program& program, const Planes& x, Planes exact,
                         const std::string& what) {
  std::vector<Framed> in = {Framed(x)};
  Framed ours(exact.channels, exact.height, exact.width);
  run_after_nan(program, in, ours, x.height, x.width, 1);
  double worst = 0;
  for (int c = 0; c < exact.channels; ++c)
    for (int y = 0; y < exact.height; ++y)
      for (int i = 0; i < exact.width; ++i)
        worst = test::worse(worst, std::fabs(exact.at(c, y, i) - ours.at(c, y, i)));
  expect(worst == 0, what + ": off by " + std::to_string(worst));
  expect(ours.canaries_live(), what + ": wrote outside the picture");
}

}  // namespace test
