// The kernels of an instruction set that keep the size against plain loops in double, on odd sizes.
//
//   kernels_test [isa ...]     all that this processor runs, if none is named
//
// Stands alone, so that it can be cross-compiled and emulated. The kernels are driven through
// Program on one thread: pack, the kernel, then a shuffle by 1 bring a picture through.
#include <algorithm>
#include <iterator>

#include "convolution.h"
#include "steps.h"

namespace {

using test::Act;
using test::compare;
using test::Conv;
using test::Framed;
using test::name;
using test::Planes;
using test::Random;
using test::random_planes;
using test::with_act;

const int kWidths[] = {1, 2, 3, 5, 15, 16, 17, 33, 63, 64, 65, 79, 257, 321};
const int kActs = int(std::size(esr::kActNames));

void test_conv(const esr::Kernels& kernels, int kernel, Act act, bool with_residual, int out,
               const std::vector<int>& ins, int height, int width) {
  Random random(out * 1000 + width);
  std::vector<Framed> pictures;
  std::vector<esr::Picture> views;
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
    sources.push_back(test::input(program, channels));
    first += channels;
  }
  const int residual = with_residual ? test::input(program, out) : -1;
  if (with_residual) pictures.emplace_back(u);
  for (Framed& p : pictures) views.push_back(p.picture());
  const Conv conv(out, in, kernel, random);
  program.add<esr::Output>(test::conv(program, sources, conv.spec(act, .1f), residual), 1, -1);
  Framed ours(out, height, width);
  program.run(views, {ours.picture()}, 1, height, width, 1);
  Planes exact(out, height, width);
  for (int o = 0; o < out; ++o)
    for (int y = 0; y < height; ++y)
      for (int c = 0; c < width; ++c)
        exact.at(o, y, c) = with_act(conv.sum(x, o, y - kernel / 2, c - kernel / 2), act, .1f,
                                     with_residual ? u.get(o, y, c) : 0);
  compare(exact, ours, name(esr::kActNames[int(act)], kernel, out, height, width));
}

void test_convs(const esr::Kernels& kernels) {
  for (int kernel : {1, 3}) {
    for (int act = 0; act < kActs; ++act)
      for (bool residual : {false, true})
        if (residual || !esr::needs_residual(Act(act)))
          test_conv(kernels, kernel, Act(act), residual, 5, {3}, 6, 35);
    for (int width : kWidths) test_conv(kernels, kernel, Act::silu, true, 3, {2}, 5, width);
    for (int height : {1, 2, 3, 4, 5, 8, 9})
      test_conv(kernels, kernel, Act::none, false, 4, {1}, height, 7);
    test_conv(kernels, kernel, Act::span_gate, true, 1, {26}, 3, 19);
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
  int value = test::input(program, 3, shift.data());
  Planes exact = x;
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < height * width; ++i) exact.data[size_t(c) * height * width + i] += shift[c];
  for (int depth = 0; depth < 3; ++depth) {
    const Conv conv(3, 3, 3, random);
    value = test::conv(program, {value}, conv.spec(Act::silu), -1);
    Planes next(3, height, width);
    for (int o = 0; o < 3; ++o)
      for (int y = 0; y < height; ++y)
        for (int c = 0; c < width; ++c)
          next.at(o, y, c) = with_act(conv.sum(exact, o, y - 1, c - 1), Act::silu, 0, 0);
    exact = next;
  }
  program.add<esr::Output>(value, 1, -1);
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
  const int middle = test::conv(program, {test::input(program, 2)}, pointwise.spec(), -1);
  const int residual = with_residual ? test::input(program, channels) : -1;
  program.add<esr::Output>(program.add<esr::Depthwise3x3>(middle, filters.spec(act, .1f), residual),
                           1, -1);
  Framed in(x), added(u), ours(channels, height, width);
  std::vector<esr::Picture> views = {in.picture()};
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
  for (int act = 0; act < kActs; ++act)
    for (bool residual : {false, true})
      if (residual || !esr::needs_residual(Act(act)))
        test_depthwise(kernels, 5, Act(act), residual, 6, 35);
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
  const int value = test::input(program, channels);
  const int skip = with_skip ? test::input(program, colours) : -1;
  program.add<esr::Output>(value, factor, skip);
  Framed in(x), low(under), ours(colours, height * factor, width * factor);
  std::vector<esr::Picture> views = {in.picture()};
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

void test_kernels(const esr::Kernels& kernels) {
  test_convs(kernels);
  test_depthwises(kernels);
  for (int width : {1, 4, 31, 64, 66, 130}) test_chain(kernels, 7, width);
  for (int factor = 1; factor <= 8; ++factor)
    for (int width : {1, 7, 64, 67}) test_shuffle(kernels, factor, width != 7, 2, width);
}

}  // namespace

int main(int count, char** names) { return test::run_all(count, names, test_kernels); }
