// esa in plain loops in double, from a = conv1(x) on, for the test of csrc/cuda.
//
// Pictures and weights are exact in every format, and conv2's sums in float, so that the pooled map
// is exact. After it roundings are followed: beside each number goes a bound of its error.
#pragma once

#include <functional>

#include "../../csrc/conv_spec.h"
#include "cuda_harness.h"

namespace test {

using esr::ConvSpec;

constexpr double kFloat = 0x1p-24;  // half a unit in the last place of 1

// An exact number and what the kernel's may differ from it.
struct Bounded {
  double value = 0, error = 0;
  void add(double weight, const Bounded& x) {
    value += weight * x.value;
    error += std::abs(weight) * x.error;
  }
  // Takes `more` error; infinity has none.
  void round(double more) { error = std::isfinite(value) ? error + more : 0; }
};

struct EsaConv {
  int out, in, kernel;
  std::vector<double> weight, bias;
  EsaConv(Random& random, int out, int in, int kernel, double scale)
      : out(out),
        in(in),
        kernel(kernel),
        weight(exact(random, out * in * kernel * kernel)),
        bias(exact(random, out)) {
    for (double& w : weight) w *= scale;
  }
  ConvSpec spec() const { return {out, in, kernel, weight.data(), bias.data()}; }
  // Of channel o, from the tap at 0 on. Terms are added in float, each time with a rounding.
  Bounded sum(int o, const std::function<Bounded(int c, int dy, int dx)>& x) const {
    Bounded total{bias[o], 0};
    double size = std::abs(bias[o]);
    for (int c = 0; c < in; ++c)
      for (int k = 0; k < kernel * kernel; ++k) {
        const double w = weight[(size_t(o) * in + c) * kernel * kernel + k];
        const Bounded term = x(c, k / kernel, k % kernel);
        total.add(w, term);
        size += std::abs(w * term.value);
      }
    total.round(size * kFloat * in * kernel * kernel);
    return total;
  }
};

struct Esa {
  EsaConv conv2, conv3, conv_f, conv4;
  Esa(Random& random, int channels, int f)
      : conv2(random, f, f, 3, 1. / 4),
        conv3(random, f, f, 3, 1. / 32),
        conv_f(random, f, f, 1, 1. / 2),
        conv4(random, channels, f, 1, 1. / 2) {}
};

using Map = std::vector<Bounded>;  // [n][c][y][x]

struct Shape {
  int n, f, height, width;
  size_t at(int i, int c, int y, int x) const {
    return ((size_t(i) * f + c) * height + y) * width + x;
  }
  template <class Make>
  Map make(Make value) const {
    Map map(size_t(n) * f * height * width);
    for (int i = 0; i < n; ++i)
      for (int c = 0; c < f; ++c)
        for (int y = 0; y < height; ++y)
          for (int x = 0; x < width; ++x) map[at(i, c, y, x)] = value(i, c, y, x);
    return map;
  }
};

inline Map pooled(const Esa& esa, const Batch& a, const Shape& shape) {
  const Shape fine{a.batch, a.channels, (a.height - 1) / 2, (a.width - 1) / 2};
  const Map sums = fine.make([&](int n, int o, int y, int x) {
    const double sum = esa.conv2
                           .sum(o,
                                [&](int c, int dy, int dx) -> Bounded {
                                  return {a.get(n, c, 2 * y + dy, 2 * x + dx), 0};
                                })
                           .value;
    return Bounded{sum, 0};
  });
  return shape.make([&](int n, int c, int y, int x) {
    double best = -INFINITY;
    for (int k = 0; k < 49; ++k) {
      const double other = sums[fine.at(n, c, 3 * y + k / 7, 3 * x + k % 7)].value;
      if (other > best || std::isnan(other)) best = other;
    }
    return Bounded{best, 0};
  });
}

inline Map mapped(const Esa& esa, const Map& pooled, const Shape& shape) {
  return shape.make([&](int n, int o, int y, int x) {
    return esa.conv3.sum(o, [&](int c, int dy, int dx) {
      const int from = y + dy - 1, beside = x + dx - 1;
      const bool inside = from >= 0 && from < shape.height && beside >= 0 && beside < shape.width;
      return inside ? pooled[shape.at(n, c, from, beside)] : Bounded{};
    });
  });
}

// torch's bilinear rule with align_corners=False.
struct Line {
  int first, second;
  double weight;
};
inline Line line(int at, int in, int out) {
  const double source = std::max(0., (at + .5) * in / out - .5);
  const int first = std::min(int(source), in - 1);
  return {first, std::min(first + 1, in - 1), source - first};
}

inline Bounded up(const Map& map, const Shape& shape, int n, int c, const Line& down,
                  const Line& across) {
  Bounded total;
  double size = 0;
  for (int i = 0; i < 4; ++i) {
    const Bounded corner =
        map[shape.at(n, c, i / 2 ? down.second : down.first, i % 2 ? across.second : across.first)];
    total.add((i / 2 ? down.weight : 1 - down.weight) * (i % 2 ? across.weight : 1 - across.weight),
              corner);
    size += std::abs(corner.value);
  }
  // Where the map is read, in float: two roundings of at most the map's size, and a subtraction.
  total.round(size * kFloat * (3 * std::max(shape.height, shape.width) + 4));
  return total;
}

// The result's own rounding is left to whoever compares.
inline Map gated(const Esa& esa, const Batch& a, const Batch& q, const Map& map, const Shape& shape,
                 Format format) {
  const Shape fine{a.batch, a.channels, a.height, a.width};
  const Map e = fine.make([&](int n, int o, int y, int x) {
    Bounded sum =
        esa.conv_f.sum(o, [&](int c, int, int) -> Bounded { return {a.get(n, c, y, x), 0}; });
    sum.add(1,
            up(map, shape, n, o, line(y, shape.height, a.height), line(x, shape.width, a.width)));
    sum.round(operand_rounding(format) * (std::abs(sum.value) + sum.error) + 0x1p-25);
    return sum;
  });
  const Shape result{q.batch, q.channels, q.height, q.width};
  return result.make([&](int n, int o, int y, int x) {
    const Bounded z = esa.conv4.sum(o, [&](int c, int, int) { return e[fine.at(n, c, y, x)]; });
    const double sigmoid = 1 / (1 + std::exp(-z.value)), qs = q.get(n, o, y, x);
    return Bounded{qs * sigmoid, std::abs(qs) * (z.error / 4 + 1e-6 * sigmoid)};
  });
}

}  // namespace test
