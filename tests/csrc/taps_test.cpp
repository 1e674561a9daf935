// Convolutions whose filters have any odd size and dilation, against plain loops in double.
//
//   taps_test [isa ...]     all that this processor runs, if none is named
#include "convolution.h"
#include "steps.h"

namespace {

using esr::Act;
using esr::Taps;
using test::Framed;
using test::Planes;
using test::Random;
using test::random_planes;

// Filters [channels][taps.rows][taps.columns] with a bias each.
struct Filters {
  Taps taps;
  std::vector<double> weight, bias;

  Filters(int count, const Taps& taps, double scale, Random& random)
      : taps(taps),
        weight(random.many(size_t(count) * taps.rows * taps.columns, scale)),
        bias(random.many(count, .3)) {}

  // Filter f on channel c around the pixel, without the bias.
  double sum(const Planes& x, int f, int c, int y, int column) const {
    double total = 0;
    for (int i = 0; i < taps.rows; ++i)
      for (int j = 0; j < taps.columns; ++j)
        total += weight[(size_t(f) * taps.rows + i) * taps.columns + j] *
                 x.get(c, y - taps.above() + i * taps.dilation,
                       column - taps.beside() + j * taps.dilation);
    return total;
  }
};

std::string name(const char* what, const Taps& taps, int height, int width) {
  return test::name(what, taps.rows * 100 + taps.columns, taps.dilation, height, width);
}

// Every pixel of the result by `sum`, then the activation; the residual is `u`.
template <class Sum>
Planes computed(int channels, const Planes& u, Act act, Sum&& sum) {
  Planes exact(channels, u.height, u.width);
  for (int o = 0; o < channels; ++o)
    for (int y = 0; y < u.height; ++y)
      for (int x = 0; x < u.width; ++x)
        exact.at(o, y, x) = test::with_act(sum(o, y, x), act, .1, u.get(o, y, x));
  return exact;
}

// Two of them, so that the second reads rows of a ring; on several threads.
void test_depthwise(const esr::Kernels& kernels, const Taps& taps, Act act, int height, int width,
                    int threads = 1) {
  constexpr int kChannels = 3;
  Random random(taps.rows * 1000 + width);
  const double scale = 2 / std::sqrt(taps.rows * taps.columns);
  const Filters first(kChannels, taps, scale, random), second(kChannels, taps, scale, random);
  const Planes x = random_planes(kChannels, height, width, random);
  const auto apply = [&](const Filters& f, const Planes& from) {
    return computed(kChannels, x, act, [&](int o, int y, int column) {
      return f.bias[o] + f.sum(from, o, o, y, column);
    });
  };
  esr::Program program(kernels);
  const int input = test::input(program, kChannels);
  int value = input;
  for (const Filters* f : {&first, &second})
    value = program.add<esr::Depthwise>(
        value, esr::ConvSpec{kChannels, 1, taps.rows, f->weight.data(), f->bias.data(), act, .1f},
        taps, input);
  program.add<esr::Output>(value, 1, -1);
  Framed in(x), ours(kChannels, height, width);
  program.run({in.picture()}, {ours.picture()}, 1, height, width, threads);
  compare(apply(second, apply(first, x)), ours, name("depthwise", taps, height, width));
}

// Of two sources, the first with one channel; each group makes and reads as many as are given.
void test_direct(const esr::Kernels& kernels, const Taps& taps, int groups, int makes, int reads,
                 Act act, int height, int width, int threads = 1) {
  const int in = groups * reads, out = groups * makes;
  Random random(taps.rows * 1000 + width);
  const Filters filters(out * reads, taps, 2 / std::sqrt(reads * taps.rows * taps.columns), random);
  const Planes x = random_planes(in, height, width, random);
  const Planes u = random_planes(out, height, width, random);
  Planes first(1, height, width), rest(in - 1, height, width);
  std::copy_n(x.data.begin(), first.data.size(), first.data.begin());
  std::copy_n(x.data.begin() + first.data.size(), rest.data.size(), rest.data.begin());
  esr::Program program(kernels);
  const int a = test::input(program, 1), b = test::input(program, in - 1);
  const int residual = test::input(program, out);
  const esr::ConvSpec spec{out, reads, taps.rows, filters.weight.data(), filters.bias.data(),
                           act, .1f};
  const std::vector<int> sources = {a, b};
  program.add<esr::Output>(program.add<esr::DirectConv>(sources, spec, taps, groups, residual), 1,
                           -1);
  Framed in_a(first), in_b(rest), in_u(u), ours(out, height, width);
  program.run({in_a.picture(), in_b.picture(), in_u.picture()}, {ours.picture()}, 1, height, width,
              threads);
  const auto sum = [&](int o, int y, int column) {
    double total = filters.bias[o];
    for (int c = 0; c < reads; ++c)
      total += filters.sum(x, o * reads + c, o / makes * reads + c, y, column);
    return total;
  };
  compare(computed(out, u, act, sum), ours, name("direct", taps, height, width));
}

const Taps kTaps[] = {{1, 1},    {3, 3},    {5, 5},    {7, 7},    {9, 9},    {1, 11},
                      {11, 1},   {3, 3, 2}, {5, 5, 2}, {3, 3, 3}, {5, 5, 3}, {3, 3, 4},
                      {3, 3, 9}, {1, 3, 5}, {5, 1, 2}, {13, 13},  {17, 17},  {3, 19}};

void test_taps(const esr::Kernels& kernels) {
  for (const Taps& taps : kTaps) {
    for (int width : {1, 7, 16, 33, 64, 70, 130, 257})
      test_depthwise(kernels, taps, Act::none, 5, width);
    for (int height : {1, 2, 4, 9, 23}) test_depthwise(kernels, taps, Act::silu, height, 19);
    for (int threads : {2, 3}) test_depthwise(kernels, taps, Act::lrelu, 70, 21, threads);
  }
  for (const Taps& taps : kTaps) {
    for (int width : {1, 7, 33, 64, 70, 130})
      test_direct(kernels, taps, 1, 5, 3, Act::none, 5, width);
    for (int height : {1, 2, 9}) test_direct(kernels, taps, 2, 3, 2, Act::silu, height, 19);
    test_direct(kernels, taps, 3, 1, 1, Act::none, 21, 10, 2);
  }
  for (int act = 0; act < int(std::size(esr::kActNames)); ++act)
    test_direct(kernels, {5, 5}, 1, 6, 3, Act(act), 6, 35);
  for (int width : {513, 600, 1030}) test_depthwise(kernels, {5, 13}, Act::none, 3, width);
  for (int act = 0; act < int(std::size(esr::kActNames)); ++act)
    for (const Taps& taps : {Taps{5, 5}, Taps{3, 3, 5}})
      test_depthwise(kernels, taps, Act(act), 6, 35);
}

}  // namespace

int main(int count, char** names) { return test::run_all(count, names, test_taps); }
