#include "pack_weights.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "device.h"

namespace esr::cuda {
namespace {

// `value` to the nearest number of `digits` binary digits whose last may stand for `least`; ties to
// even.
double rounded(double value, int digits, int least) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double unit = std::ldexp(1., std::max(std::ilogb(value) - digits + 1, least));
  return std::nearbyint(value / unit) * unit;
}

uint16_t f16_bits(double value) {
  const double y = std::abs(rounded(value, 11, -24));
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return 0x7e00;
  if (y >= 65536) return sign | 0x7c00;
  if (y < std::ldexp(1., -14)) return sign | uint16_t(std::ldexp(y, 24));  // subnormal
  const int exponent = std::ilogb(y);
  return sign | uint16_t((exponent + 15) << 10 | (int(std::ldexp(y, 10 - exponent)) & 0x3ff));
}

void put(Format format, double value, char* to) {
  if (format == Format::f16 || format == Format::half_sums) {
    const uint16_t bits = f16_bits(value);
    std::memcpy(to, &bits, sizeof bits);
  } else if (format == Format::bf16) {
    const float y = float(rounded(value, 8, -133));
    const uint16_t bits = std::bit_cast<uint32_t>(y) >> 16;
    std::memcpy(to, &bits, sizeof bits);
  } else {
    const float y = float(rounded(value, 11, -136));
    std::memcpy(to, &y, sizeof y);
  }
}

}  // namespace

std::vector<char> pack_weights(Format format, const ConvSpec& spec, const std::vector<int>& sources,
                               int n_tiles) {
  const int unit = slab_channels(format), bytes = kPixelBytes / unit;
  const int taps = spec.kernel * spec.kernel, columns = 8 * n_tiles;
  int slabs = 0;
  for (int channels : sources) slabs += slab_count(format, channels);
  const int blocks = divide_up(spec.out_channels, columns);
  std::vector<char> packed(size_t(blocks) * slabs * taps * columns * kPixelBytes);
  const auto place = [&](int column, int slab, int tap, int k) {
    const size_t row =
        ((size_t(column / columns) * slabs + slab) * taps + tap) * columns + column % columns;
    const int chunk = k * bytes / 16 ^ (column % columns >> 2 & 1);
    return packed.data() + row * kPixelBytes + chunk * 16 + k * bytes % 16;
  };
  int first_slab = 0, first_channel = 0;
  for (int channels : sources) {
    for (int o = 0; o < spec.out_channels; ++o)
      for (int c = 0; c < channels; ++c)
        for (int tap = 0; tap < taps; ++tap)
          put(format, spec.weight[(size_t(o) * spec.in_channels + first_channel + c) * taps + tap],
              place(o, first_slab + c / unit, tap, c % unit));
    first_slab += slab_count(format, channels);
    first_channel += channels;
  }
  return packed;
}

std::vector<float> pack_bias(const ConvSpec& spec, int n_tiles) {
  std::vector<float> packed(size_t(divide_up(spec.out_channels, 8 * n_tiles)) * 8 * n_tiles);
  if (spec.bias)
    for (int o = 0; o < spec.out_channels; ++o) packed[o] = float(spec.bias[o]);
  return packed;
}

}  // namespace esr::cuda
