#include "pack_weights.h"

#include <cmath>

namespace esr {
namespace {

int groups_of(int out, int group) { return (out + group - 1) / group; }

// G of F(4x4, 3x3) at the points 0, +-a, +-1/a, infinity (winograd.h): row p is
// (1, p, p^2) / prod over the other points q of (p - q).
struct WeightTransform {
  double g[6][3];

  WeightTransform() {
    const double a = std::sqrt(0.5), points[5] = {0, a, -a, 1 / a, -1 / a};
    for (int i = 0; i < 5; ++i) {
      double scale = 1;
      for (int j = 0; j < 5; ++j)
        if (j != i) scale *= points[i] - points[j];
      for (int k = 0; k < 3; ++k) g[i][k] = std::pow(points[i], k) / scale;
    }
    g[5][0] = g[5][1] = 0;
    g[5][2] = 1;
  }

  double operator()(const double* w, int i, int j) const {
    double sum = 0;
    for (int y = 0; y < 3; ++y)
      for (int x = 0; x < 3; ++x) sum += g[i][y] * w[y * 3 + x] * g[j][x];
    return sum;
  }
};

}  // namespace

Buffer pack_winograd(const double* weight, int out, int in, int group) {
  static const WeightTransform transform;
  Buffer packed(size_t(groups_of(out, group)) * 36 * in * group);
  for (int o = 0; o < out; ++o)
    for (int c = 0; c < in; ++c)
      for (int p = 0; p < 36; ++p) {
        const size_t at = ((size_t(o / group) * 36 + p) * in + c) * group + o % group;
        packed.data()[at] = float(transform(weight + (size_t(o) * in + c) * 9, p / 6, p % 6));
      }
  return packed;
}

Buffer pack_pointwise(const double* weight, int out, int in, int group) {
  Buffer packed(size_t(groups_of(out, group)) * in * group);
  for (int o = 0; o < out; ++o)
    for (int c = 0; c < in; ++c)
      packed.data()[(size_t(o / group) * in + c) * group + o % group] =
          float(weight[size_t(o) * in + c]);
  return packed;
}

Buffer pack_bias(const double* values, int count, int group) {
  Buffer packed(size_t(groups_of(count, group)) * group);
  for (int o = 0; values && o < count; ++o) packed.data()[o] = float(values[o]);
  return packed;
}

}  // namespace esr
