#include "pack_weights.h"

#include <bit>
#include <cmath>
#include <cstdint>

#include "layout.h"

namespace esr {
namespace {

// The nearest bfloat16, ties to even; a NaN stays one.
uint16_t bfloat16_of(float v) {
  const auto bits = std::bit_cast<uint32_t>(v);
  return uint16_t((std::isnan(v) ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float rounded(float v) { return std::bit_cast<float>(uint32_t(bfloat16_of(v)) << 16); }

// What number i of a product meets: a channel of the source, -1: none; a place of the filter's row;
// and which part of the weight, the rounded one, or what rounding took (layout.h), times `share`.
struct Lane {
  int channel, place;
  bool rest;
  float share;
};

// In half a slab, the middle place of three is in both products, by half: so no number is
// multiplied by zero that the filter does not multiply.
Lane lane(int i, int channels, int slab, int product, int kernel) {
  const bool half = is_half(channels, slab);
  const int first = first_place(channels, slab, kernel, product);
  const int place = half ? first + i / kTileOutputs : first;
  const float share = half && kernel == 3 && place == 1 ? .5f : 1.f;
  const int number = slab * kSlab + (half ? i % kTileOutputs : i);  // of the pixel's
  if (place >= kernel) return {-1, 0, false, 0};
  if (!is_split(channels)) return {number < channels ? number : -1, place, false, share};
  return {number < 3 * channels ? number % channels : -1, place, number / channels == 2, share};
}

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
  return pack_groups(weight, 1, out, in, group);
}

Buffer pack_groups(const double* weight, int groups, int out, int in, int group) {
  const size_t floats = size_t(groups_of(out, group)) * in * group;
  Buffer packed(groups * floats);
  float* to = packed.data();
  for (int i = 0; i < groups; ++i, to += floats)
    for (int o = 0; o < out; ++o)
      for (int c = 0; c < in; ++c)
        to[(size_t(o / group) * in + c) * group + o % group] = float(*weight++);
  return packed;
}

Buffer pack_tiles(const double* weight, int out, const std::vector<int>& sources, int kernel) {
  int in = 0, products = 0;
  for (int channels : sources) {
    in += channels;
    for (int slab = 0; slab < slabs_of(channels); ++slab)
      products += kernel * products_of(channels, slab, kernel);
  }
  Buffer packed(size_t(groups_of(out, kTileOutputs)) * products * kSlab * kTileOutputs / 2);
  auto* to = reinterpret_cast<uint16_t*>(packed.data());
  const auto number = [&](int o, int ky, int first, Lane l) -> uint16_t {
    if (o >= out || l.channel < 0) return 0;
    const size_t row = (size_t(o) * in + first + l.channel) * kernel + ky;
    const auto w = float(weight[row * kernel + l.place]);
    return bfloat16_of(l.share * (l.rest ? w - rounded(w) : w));
  };
  const auto tile = [&](int output, int ky, int first, auto&& lane_of) {
    for (int pair = 0; pair < kSlab / 2; ++pair)
      for (int o = output; o < output + kTileOutputs; ++o)
        for (int i = 2 * pair; i < 2 * pair + 2; ++i) *to++ = number(o, ky, first, lane_of(i));
  };
  for (int group = 0; group < out; group += 2 * kTileOutputs)
    for (int ky = 0; ky < kernel; ++ky)
      for (int s = 0, first = 0; s < int(sources.size()); first += sources[s++])
        for (int slab = 0; slab < slabs_of(sources[s]); ++slab)
          for (int product = 0; product < products_of(sources[s], slab, kernel); ++product)
            for (int o = group; o < out && o < group + 2 * kTileOutputs; o += kTileOutputs)
              tile(o, ky, first, [&](int i) { return lane(i, sources[s], slab, product, kernel); });
  return packed;
}

Buffer pack_bias(const double* values, int count, int group) {
  Buffer packed(size_t(groups_of(count, group)) * group);
  for (int o = 0; values && o < count; ++o) packed.data()[o] = float(values[o]);
  return packed;
}

}  // namespace esr
