// Every kernel of an instruction set against plain loops in double, on odd sizes.
//
//   kernels_test [isa ...]     all that this processor runs, if none is named
//
// Stands alone, so that it can be cross-compiled and emulated. The kernels are driven through
// Program on one thread: pack, the kernel, then a shuffle by 1 bring a picture through.
#include <algorithm>
#include <iterator>

#include "convolution.h"

namespace {

using test::Act;
using test::compare;
using test::Conv;
using test::Framed;
using test::name;
using test::Planes;
using test::Random;
using test::random_planes;
using test::sigmoid;
using test::with_act;

const int kWidths[] = {1, 2, 3, 5, 15, 16, 17, 33, 63, 64, 65, 79, 257, 321};
const char* const kActs[] = {"none", "relu", "lrelu", "silu", "gelu", "spab"};

void test_conv(const esr::Kernels& kernels, int kernel, Act act, bool with_residual, int out,
               const std::vector<int>& ins, int height, int width) {
  Random random(out * 1000 + width);
  std::vector<Framed> pictures;
  std::vector<esr::Program::Picture> views;
  std::vector<int> sources;
  esr::Program program(kernels);
  int in = 0;
  for (int channels : ins) in += channels;
  const Planes x = random_planes(in, height, width, random);
  const Planes u = random_planes(out, height, width, random);
  int first = 0;
  for (int channels : ins) {
    Planes part(channels, height, width);
    std::copy_n(x.data.begin() + size_t(first) * height * width, part.data.size(),
                part.data.begin());
    pictures.emplace_back(part);
    sources.push_back(program.input(channels, nullptr));
    first += channels;
  }
  const int residual = with_residual ? program.input(out, nullptr) : -1;
  if (with_residual) pictures.emplace_back(u);
  for (Framed& p : pictures) views.push_back(p.picture());
  const Conv conv(out, in, kernel, random);
  program.output(program.conv(sources, conv.spec(act, .1f), residual), 1, -1);
  Framed ours(out, height, width);
  program.run(views, {ours.picture()}, 1, height, width, 1);
  Planes exact(out, height, width);
  for (int o = 0; o < out; ++o)
    for (int y = 0; y < height; ++y)
      for (int c = 0; c < width; ++c)
        exact.at(o, y, c) = with_act(conv.sum(x, o, y - kernel / 2, c - kernel / 2), act, .1f,
                                     with_residual ? u.get(o, y, c) : 0);
  compare(exact, ours, name(kActs[int(act)], kernel, out, height, width));
}

void test_convs(const esr::Kernels& kernels) {
  for (int kernel : {1, 3}) {
    for (int act = 0; act < 6; ++act)
      for (bool residual : {false, true})
        if (residual || Act(act) != Act::spab)
          test_conv(kernels, kernel, Act(act), residual, 5, {3}, 6, 35);
    for (int width : kWidths) test_conv(kernels, kernel, Act::silu, true, 3, {2}, 5, width);
    for (int height : {1, 2, 3, 4, 5, 8, 9})
      test_conv(kernels, kernel, Act::none, false, 4, {1}, height, 7);
    test_conv(kernels, kernel, Act::spab, true, 1, {26}, 3, 19);
    test_conv(kernels, kernel, Act::none, false, 28, {1, 4, 2}, 3, 17);
    test_conv(kernels, kernel, Act::relu, true, 9, {1, 1, 1, 1, 1, 1, 1, 3}, 2, 5);
  }
}

// Three convolutions: the zero padding is zero at every depth, also where a bias shifted it.
void test_chain(const esr::Kernels& kernels, int height, int width) {
  Random random(width);
  const Planes x = random_planes(3, height, width, random);
  const std::vector<double> shift = {.5, -.25, 1};
  esr::Program program(kernels);
  int value = program.input(3, shift.data());
  Planes exact = x;
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < height * width; ++i) exact.data[size_t(c) * height * width + i] += shift[c];
  for (int depth = 0; depth < 3; ++depth) {
    const Conv conv(3, 3, 3, random);
    value = program.conv({value}, conv.spec(Act::silu), -1);
    Planes next(3, height, width);
    for (int o = 0; o < 3; ++o)
      for (int y = 0; y < height; ++y)
        for (int c = 0; c < width; ++c)
          next.at(o, y, c) = with_act(conv.sum(exact, o, y - 1, c - 1), Act::silu, 0, 0);
    exact = next;
  }
  program.output(value, 1, -1);
  Framed in(x), ours(3, height, width);
  program.run({in.picture()}, {ours.picture()}, 1, height, width, 1);
  compare(exact, ours, name("chain", 3, 3, height, width));
}

// A 1x1 convolution, then the depthwise one: its padding is zero, and not the 1x1's bias.
void test_depthwise(const esr::Kernels& kernels, int channels, Act act, bool with_residual,
                    int height, int width) {
  Random random(channels * 1000 + width);
  const Conv pointwise(channels, 2, 1, random), filters(channels, 1, 3, random);
  const Planes x = random_planes(2, height, width, random);
  const Planes u = random_planes(channels, height, width, random);
  esr::Program program(kernels);
  const int middle = program.conv({program.input(2, nullptr)}, pointwise.spec(), -1);
  const int residual = with_residual ? program.input(channels, nullptr) : -1;
  program.output(program.depthwise(middle, filters.spec(act, .1f), residual), 1, -1);
  Framed in(x), added(u), ours(channels, height, width);
  std::vector<esr::Program::Picture> views = {in.picture()};
  if (with_residual) views.push_back(added.picture());
  program.run(views, {ours.picture()}, 1, height, width, 1);
  Planes between(channels, height, width), exact(channels, height, width);
  for (int o = 0; o < channels; ++o)
    for (int y = 0; y < height; ++y)
      for (int c = 0; c < width; ++c) between.at(o, y, c) = pointwise.sum(x, o, y, c);
  for (int o = 0; o < channels; ++o)
    for (int y = 0; y < height; ++y)
      for (int c = 0; c < width; ++c)
        exact.at(o, y, c) = with_act(filters.filtered(between, o, y - 1, c - 1), act, .1f,
                                     with_residual ? u.get(o, y, c) : 0);
  compare(exact, ours, name("depthwise", int(act), channels, height, width));
}

void test_depthwises(const esr::Kernels& kernels) {
  for (int act = 0; act < 6; ++act)
    for (bool residual : {false, true})
      if (residual || Act(act) != Act::spab) test_depthwise(kernels, 5, Act(act), residual, 6, 35);
  for (int width : kWidths) test_depthwise(kernels, 3, Act::silu, true, 5, width);
  for (int height : {1, 2, 3, 4, 5, 8, 9}) test_depthwise(kernels, 4, Act::none, false, height, 7);
  for (int channels : {1, 26, 28, 52}) test_depthwise(kernels, channels, Act::gelu, true, 3, 17);
}

void test_shuffle(const esr::Kernels& kernels, int factor, bool with_skip, int height, int width) {
  const int colours = 2, channels = colours * factor * factor;
  Random random(factor);
  const Planes x = random_planes(channels, height, width, random);
  const Planes under = random_planes(colours, height, width, random);
  esr::Program program(kernels);
  const int value = program.input(channels, nullptr);
  const int skip = with_skip ? program.input(colours, nullptr) : -1;
  program.output(value, factor, skip);
  Framed in(x), low(under), ours(colours, height * factor, width * factor);
  std::vector<esr::Program::Picture> views = {in.picture()};
  if (with_skip) views.push_back(low.picture());
  program.run(views, {ours.picture()}, 1, height, width, 1);
  Planes exact(colours, height * factor, width * factor);
  for (int c = 0; c < colours; ++c)
    for (int y = 0; y < exact.height; ++y)
      for (int i = 0; i < exact.width; ++i) {
        const int from = (c * factor + y % factor) * factor + i % factor;
        exact.at(c, y, i) = x.get(from, y / factor, i / factor) +
                            (with_skip ? under.get(c, y / factor, i / factor) : 0);
      }
  compare(exact, ours, name("shuffle", factor, with_skip, height, width));
}

// torch's bilinear rule with align_corners=False, for one pixel.
double enlarged(const Planes& map, int c, int y, int x, int height, int width) {
  const auto source = [](int at, int in, int out) {
    return std::max(0., (at + .5) * in / out - .5);
  };
  const double sy = source(y, map.height, height), sx = source(x, map.width, width);
  const int y0 = int(sy), x0 = int(sx);
  const int y1 = std::min(y0 + 1, map.height - 1), x1 = std::min(x0 + 1, map.width - 1);
  const double wy = sy - y0, wx = sx - x0;
  return (1 - wy) * ((1 - wx) * map.get(c, y0, x0) + wx * map.get(c, y0, x1)) +
         wy * ((1 - wx) * map.get(c, y1, x0) + wx * map.get(c, y1, x1));
}

void test_esa(const esr::Kernels& kernels, int channels, int hidden, int height, int width) {
  Random random(height * 1000 + width);
  const Planes q = random_planes(channels, height, width, random);
  const Conv conv1(hidden, channels, 1, random), conv_f(hidden, hidden, 1, random);
  const Conv conv2(hidden, hidden, 3, random), conv3(hidden, hidden, 3, random);
  const Conv conv4(channels, hidden, 1, random);
  esr::Program program(kernels);
  const int value = program.input(channels, nullptr);
  program.output(
      program.esa(value, conv1.spec(), conv_f.spec(), conv2.spec(), conv3.spec(), conv4.spec()), 1,
      -1);
  Framed in(q), ours(channels, height, width);
  program.run({in.picture()}, {ours.picture()}, 1, height, width, 1);

  const auto apply = [](const Conv& conv, const Planes& x, int stride, int pad) {
    Planes y(conv.out, (x.height + 2 * pad - conv.kernel) / stride + 1,
             (x.width + 2 * pad - conv.kernel) / stride + 1);
    for (int o = 0; o < conv.out; ++o)
      for (int i = 0; i < y.height; ++i)
        for (int j = 0; j < y.width; ++j)
          y.at(o, i, j) = conv.sum(x, o, i * stride - pad, j * stride - pad);
    return y;
  };
  const Planes a = apply(conv1, q, 1, 0), small = apply(conv2, a, 2, 0);
  Planes pooled(hidden, (small.height - 7) / 3 + 1, (small.width - 7) / 3 + 1);
  for (int c = 0; c < hidden; ++c)
    for (int y = 0; y < pooled.height; ++y)
      for (int x = 0; x < pooled.width; ++x) {
        double most = -INFINITY;
        for (int i = 0; i < 49; ++i)
          most = std::max(most, small.get(c, 3 * y + i / 7, 3 * x + i % 7));
        pooled.at(c, y, x) = most;
      }
  const Planes map = apply(conv3, pooled, 1, 1);
  Planes sum = apply(conv_f, a, 1, 0);
  for (int c = 0; c < hidden; ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) sum.at(c, y, x) += enlarged(map, c, y, x, height, width);
  Planes exact = apply(conv4, sum, 1, 0);
  for (size_t i = 0; i < exact.data.size(); ++i) exact.data[i] = q.data[i] * sigmoid(exact.data[i]);
  compare(exact, ours, name("esa", channels, hidden, height, width));
}

void test_kernels(const esr::Kernels& kernels) {
  test_convs(kernels);
  test_depthwises(kernels);
  for (int width : {1, 4, 31, 64, 66, 130}) test_chain(kernels, 7, width);
  for (int factor = 1; factor <= 8; ++factor)
    for (int width : {1, 7, 64, 67}) test_shuffle(kernels, factor, width != 7, 2, width);
  for (int width : {15, 16, 31, 64, 65, 127, 130, 259}) test_esa(kernels, 6, 3, 17, width);
  for (int height : {15, 16, 23, 40}) test_esa(kernels, 5, 8, height, 21);
}

}  // namespace

int main(int count, char** names) { return test::run_all(count, names, test_kernels); }
