// Steps whose result has another size than their source, against plain loops in double.
//
//   sizes_test [isa ...]     all that this processor runs, if none is named
#include <algorithm>

#include "convolution.h"
#include "steps.h"

namespace {

using test::Act;
using test::apply;
using test::compare;
using test::Conv;
using test::Framed;
using test::name;
using test::Planes;
using test::Random;
using test::random_planes;

// The program's one picture in, its one value out.
void check(esr::Program& program, int value, const Planes& x, const Planes& exact,
           const std::string& what) {
  program.add<esr::Output>(value, 1, -1);
  Framed in(x), ours(exact.channels, exact.height, exact.width);
  program.run({in.picture()}, {ours.picture()}, 1, x.height, x.width, 1);
  compare(exact, ours, what);
}

void test_strided(const esr::Kernels& kernels, int out, int in, Act act, int height, int width) {
  Random random(out * 1000 + width);
  const Planes x = random_planes(in, height, width, random);
  const Conv conv(out, in, 3, random);
  esr::Program program(kernels);
  const int value =
      program.add<esr::StridedConv>(test::input(program, in), conv.spec(act, .1f), 0, -1);
  Planes exact = apply(conv, x, 2, 0);
  for (double& y : exact.data) y = test::with_act(y, act, .1f, 0);
  check(program, value, x, exact, name("strided", out, in, height, width));
}

Planes pooled(const Planes& x, int kernel, int stride) {
  Planes y(x.channels, (x.height - kernel) / stride + 1, (x.width - kernel) / stride + 1);
  for (int c = 0; c < y.channels; ++c)
    for (int i = 0; i < y.height; ++i)
      for (int j = 0; j < y.width; ++j) {
        double most = -INFINITY;
        for (int k = 0; k < kernel * kernel; ++k)
          most = std::max(most, x.get(c, stride * i + k / kernel, stride * j + k % kernel));
        y.at(c, i, j) = most;
      }
  return y;
}

void test_max_pool(const esr::Kernels& kernels, int kernel, int stride, int height, int width) {
  Random random(kernel * 1000 + width);
  Planes x = random_planes(3, height, width, random);
  for (double& v : x.data) v -= 2;  // all below the zeros around the picture
  esr::Program program(kernels);
  const int value = program.add<esr::MaxPool>(test::input(program, 3), kernel, stride);
  check(program, value, x, pooled(x, kernel, stride),
        name("max_pool", kernel, stride, height, width));
}

// torch's bilinear rule with align_corners=False.
Planes resized(const Planes& x, int height, int width) {
  const auto source = [](int at, int in, int out) {
    return std::max(0., (at + .5) * in / out - .5);
  };
  Planes y(x.channels, height, width);
  for (int c = 0; c < x.channels; ++c)
    for (int i = 0; i < height; ++i)
      for (int j = 0; j < width; ++j) {
        const double sy = source(i, x.height, height), sx = source(j, x.width, width);
        const int y0 = int(sy), x0 = int(sx);
        const int y1 = std::min(y0 + 1, x.height - 1), x1 = std::min(x0 + 1, x.width - 1);
        const double wy = sy - y0, wx = sx - x0;
        y.at(c, i, j) = (1 - wy) * ((1 - wx) * x.get(c, y0, x0) + wx * x.get(c, y0, x1)) +
                        wy * ((1 - wx) * x.get(c, y1, x0) + wx * x.get(c, y1, x1));
      }
  return y;
}

// Both ways between a picture and its pooling.
void test_bilinear(const esr::Kernels& kernels, int kernel, int stride, int height, int width) {
  Random random(kernel * 1000 + width);
  const Planes x = random_planes(3, height, width, random), small = pooled(x, kernel, stride);
  esr::Program program(kernels), back(kernels);
  const int like = program.add<esr::MaxPool>(test::input(program, 3), kernel, stride);
  // Places in wider sources are rounded, as torch rounds them, by more than the tolerance.
  if (width <= 130)
    check(program, program.add<esr::Bilinear>(0, program.resolution(like)), x,
          resized(x, small.height, small.width), name("smaller", kernel, stride, height, width));
  const int from = back.add<esr::MaxPool>(test::input(back, 3), kernel, stride);
  check(back, back.add<esr::Bilinear>(from, back.resolution(0)), x, resized(small, height, width),
        name("larger", kernel, stride, height, width));
}

// Every step at its own size: q * sigmoid(conv4(up(conv3(pool(conv2(a)))) + conv_f(a))).
void test_attention(const esr::Kernels& kernels, int channels, int hidden, int height, int width) {
  Random random(height * 1000 + width);
  const Planes q = random_planes(channels, height, width, random);
  const Conv conv1(hidden, channels, 1, random), conv_f(hidden, hidden, 1, random);
  const Conv conv2(hidden, hidden, 3, random), conv3(hidden, hidden, 3, random);
  const Conv conv4(channels, hidden, 1, random);
  esr::Program program(kernels);
  const int value = test::input(program, channels);
  const int a = test::conv(program, {value}, conv1.spec(), -1);
  const int half = program.add<esr::StridedConv>(a, conv2.spec(), 0, -1);
  const int small = program.add<esr::MaxPool>(half, 7, 3);
  const int map = test::conv(program, {small}, conv3.spec(), -1);
  const int up = program.add<esr::Bilinear>(map, program.resolution(value));
  const int sum = test::conv(program, {a}, conv_f.spec(), up);
  const int gated = test::conv(program, {sum}, conv4.spec(Act::gate), value);

  const Planes hidden_q = apply(conv1, q, 1, 0);
  const Planes coarse = apply(conv3, pooled(apply(conv2, hidden_q, 2, 0), 7, 3), 1, 1);
  Planes exact_sum = apply(conv_f, hidden_q, 1, 0);
  const Planes enlarged = resized(coarse, height, width);
  for (size_t i = 0; i < exact_sum.data.size(); ++i) exact_sum.data[i] += enlarged.data[i];
  Planes exact = apply(conv4, exact_sum, 1, 0);
  for (size_t i = 0; i < exact.data.size(); ++i)
    exact.data[i] = q.data[i] * test::sigmoid(exact.data[i]);
  check(program, gated, q, exact, name("attention", channels, hidden, height, width));
}

void test_sizes(const esr::Kernels& kernels) {
  for (int width : {3, 4, 5, 17, 18, 63, 64, 65, 66, 127, 130, 259})
    test_strided(kernels, 5, 3, Act::silu, 8, width);
  for (int height : {3, 4, 9, 11, 17}) test_strided(kernels, 2, 1, Act::none, height, 21);
  for (int width : {7, 8, 31, 65, 130, 259}) test_max_pool(kernels, 7, 3, 11, width);
  for (int kernel : {1, 2, 3, 5, 9})
    for (int stride : {1, 2, 4}) test_max_pool(kernels, kernel, stride, 20, 70);
  for (int width : {7, 20, 64, 129, 300}) test_bilinear(kernels, 7, 6, 23, width);
  for (int width : {3, 66, 201}) test_bilinear(kernels, 2, 2, 9, width);  // 32 pixels from 64
  test_bilinear(kernels, 1, 16, 40, 150);
  test_bilinear(kernels, 5, 1, 5, 9);
  for (int width : {15, 16, 31, 64, 65, 127, 130, 259}) test_attention(kernels, 6, 3, 17, width);
  for (int height : {15, 16, 23, 40}) test_attention(kernels, 5, 8, height, 21);
}

}  // namespace

int main(int count, char** names) { return test::run_all(count, names, test_sizes); }
