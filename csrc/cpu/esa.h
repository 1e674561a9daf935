// Enhanced spatial attention (RLFN's form): the pooled branch on small maps, then the gate on rows.
#pragma once

#include "conv_act.h"

namespace esr {
namespace ESR_ISA {

// Output pixel 2t of a row reads phases 0, 1, 2 of tile t; pixel 2t+1 reads phases 2, 3 and the
// next tile's phase 0. So stride 2 needs no more shuffles than stride 1.
inline void esa_conv(const EsaConvRow& r) {
  constexpr int kOut = 4;  // output channels at a time
  const Geometry& g = *r.geometry;
  for (int o = 0; o < r.channels; o += kOut) {
    const int outs = r.channels - o < kOut ? r.channels - o : kOut;
    for (int block = 0; block < g.blocks; ++block) {
      Vec even[kOut], odd[kOut];
      for (int k = 0; k < outs; ++k) even[k] = odd[k] = splat(r.bias[o + k]);
      for (int c = 0; c < r.channels; ++c) {
        const size_t at = kLanes + c * g.channel_stride() + block * g.block_stride();
        for (int ky = 0; ky < 3; ++ky) {
          const float* p = r.rows[ky] + at;
          const Vec d0 = load(p), d1 = load(p + kLanes), d2 = load(p + 2 * kLanes);
          const Vec d3 = load(p + 3 * kLanes), d4 = shift_in_right(d0, load(p + 4 * kLanes));
          for (int k = 0; k < outs; ++k) {
            const float* w = r.weight + ((size_t(o) + k) * r.channels + c) * 9 + ky * 3;
            even[k] = fma(w[0], d0, fma(w[1], d1, fma(w[2], d2, even[k])));
            odd[k] = fma(w[0], d2, fma(w[1], d3, fma(w[2], d4, odd[k])));
          }
        }
      }
      for (int k = 0; k < outs; ++k) {
        float* out = r.out.data + (o + k) * r.out.plane + r.y * r.out.row + block * 2 * kLanes;
        Vec low, high;
        interleave(even[k], odd[k], low, high);
        store_unaligned(out, low);
        store_unaligned(out + kLanes, high);
      }
    }
  }
}

// A NaN wins, as in torch.
ESR_INLINE float larger(float a, float b) { return b > a || b != b ? b : a; }
ESR_INLINE Vec larger(Vec a, Vec b) { return ((b > a) | (b != b)) ? b : a; }

// Columns first, in vectors; then 7 of their maxima for each output pixel.
inline void esa_pool(const EsaPoolRow& r) {
  constexpr int kOut = kLanes, kColumns = 3 * kOut + 4 + kLanes;
  for (int c = 0; c < r.channels; ++c) {
    const float* in = r.in.data + c * r.in.plane + size_t(r.y) * 3 * r.in.row;
    float* out = r.out.data + c * r.out.plane + r.y * r.out.row;
    for (int x0 = 0; x0 < r.out_width; x0 += kOut) {
      const int outs = r.out_width - x0 < kOut ? r.out_width - x0 : kOut;
      float most[kColumns];
      for (int x = 0; x < 3 * outs + 4; x += kLanes) {
        Vec m = load_unaligned(in + 3 * x0 + x);
        for (int i = 1; i < 7; ++i) m = larger(m, load_unaligned(in + i * r.in.row + 3 * x0 + x));
        store_unaligned(most + x, m);
      }
      for (int x = 0; x < outs; ++x) {
        float best = most[3 * x];
        for (int j = 1; j < 7; ++j) best = larger(best, most[3 * x + j]);
        out[x0 + x] = best;
      }
    }
  }
}

inline void esa_map(const EsaMapRow& r) {
  for (int o = 0; o < r.channels; ++o) {
    float* out = r.out.data + o * r.out.plane + r.y * r.out.row;
    for (int x = 0; x < r.width; x += kLanes) {
      Vec sum = splat(r.bias[o]);
      for (int c = 0; c < r.channels; ++c) {
        const float* w = r.weight + (size_t(o) * r.channels + c) * 9;
        for (int k = 0; k < 9; ++k) {
          const float* in = r.in.data + c * r.in.plane + (r.y + k / 3 - 1) * (ptrdiff_t)r.in.row;
          sum = fma(w[k], load_unaligned(in + x + k % 3 - 1), sum);
        }
      }
      store_unaligned(out + x, sum);
    }
  }
}

// Where a row or column of the picture reads the pooled map: torch's bilinear rule with
// align_corners=False.
struct Bilinear {
  int first, second;
  float weight;  // of second
};

ESR_INLINE Bilinear bilinear(int at, int in, int out) {
  float source = (at + .5f) * ((float)in / out) - .5f;
  source = source < 0.f ? 0.f : source;
  const int first = (int)source < in - 1 ? (int)source : in - 1;
  return {first, first + 1 < in ? first + 1 : first, source - first};
}

// The map's row for picture row y, all channels: [channel][map_width + lanes].
ESR_INLINE void interpolate_rows(const EsaGateRow& r, int y, float* out, size_t stride) {
  const Bilinear at = bilinear(y, r.map_height, r.geometry->height);
  for (int c = 0; c < r.a.channels; ++c) {
    const float* first = r.map.data + c * r.map.plane + at.first * r.map.row;
    const float* second = r.map.data + c * r.map.plane + at.second * r.map.row;
    for (int x = 0; x < r.map_width; x += kLanes) {
      const Vec a = load_unaligned(first + x), b = load_unaligned(second + x);
      store_unaligned(out + c * stride + x, fma(at.weight, b - a, a));
    }
  }
}

// up(map) for one block: [channel][4 phases], from rows interpolated above. A block of 4 * kLanes
// pixels reads fewer than kLanes columns: the map is less than a sixth as wide as the picture.
ESR_INLINE void interpolate_columns(const EsaGateRow& r, const float* rows, size_t stride,
                                    int block, float* out) {
  const int width = r.geometry->width, x0 = block * kTile * kLanes;
  const int base = bilinear(x0, r.map_width, width).first;
  const Vec lane = __builtin_convertvector(lane_numbers(), Vec);
  for (int p = 0; p < kTile; ++p) {
    const Vec x = (float)kTile * lane + (float)(x0 + p);
    const float last = r.map_width - 1.f;
    Vec source = (x + .5f) * ((float)r.map_width / width) - .5f;
    source = max_keep_nan(splat(0.f), min_keep_nan(splat(last), source));
    const IntVec first = __builtin_convertvector(source, IntVec);
    const Vec weight = source - __builtin_convertvector(first, Vec);
    const IntVec second = first + 1 < r.map_width ? first + 1 : first;
    for (int c = 0; c < r.a.channels; ++c) {
      const Vec a = look_up(rows + c * stride + base, first - base);
      const Vec b = look_up(rows + c * stride + base, second - base);
      store(out + (c * kTile + p) * kLanes, fma(weight, b - a, a));
    }
  }
}

// gate += conv_f(a) + bias for one block of pixel row i.
ESR_INLINE void add_conv_f(const EsaGateRow& r, int i, int block, float* gate) {
  const Geometry& g = *r.geometry;
  const float* in = r.a.row[i] + kLanes + block * g.block_stride();
  const ConvWeights& w = *r.conv_f;
  for (int o = 0; o < w.out_channels; o += kGroup) {
    for (int p = 0; p < kTile; p += kRowVectors) {
      Vec sum[kGroup][kRowVectors] = {};
      accumulate(sum, in + p * kLanes, g.channel_stride(), w.weight + size_t(o) * w.in_channels,
                 w.in_channels);
      for (int c = 0; c < kGroup && o + c < w.out_channels; ++c) {
        for (int v = 0; v < kRowVectors; ++v) {
          float* to = gate + ((o + c) * kTile + p + v) * kLanes;
          store(to, load(to) + sum[c][v] + w.bias[o + c]);
        }
      }
    }
  }
}

// out = q * sigmoid(conv4(gate) + bias) for one block of pixel row i. Outside the picture q is
// zero, and so is the result.
ESR_INLINE void apply_gate(const EsaGateRow& r, int i, int block, const float* gate) {
  const Geometry& g = *r.geometry;
  const ConvWeights& w = *r.conv4;
  for (int o = 0; o < w.out_channels; o += kGroup) {
    for (int p = 0; p < kTile; p += kRowVectors) {
      Vec sum[kGroup][kRowVectors] = {};
      accumulate(sum, gate + p * kLanes, kTile * kLanes, w.weight + size_t(o) * w.in_channels,
                 w.in_channels);
      for (int c = 0; c < kGroup && o + c < w.out_channels; ++c) {
        const size_t at = kLanes + (o + c) * g.channel_stride() + block * g.block_stride();
        for (int v = 0; v < kRowVectors; ++v) {
          const size_t to = at + (p + v) * kLanes;
          store(r.out[i] + to, load(r.q.row[i] + to) * sigmoid(sum[c][v] + w.bias[o + c]));
        }
      }
    }
  }
}

inline void esa_gate(const EsaGateRow& r) {
  float* gate = r.scratch;
  float* rows = gate + size_t(r.a.channels) * kTile * kLanes;
  const size_t stride = (r.map_width + kLanes - 1) / kLanes * kLanes + kLanes;
  for (int i = 0; i < r.rows; ++i) {
    interpolate_rows(r, r.y + i, rows, stride);
    for (int block = 0; block < r.geometry->blocks; ++block) {
      interpolate_columns(r, rows, stride, block, gate);
      add_conv_f(r, i, block, gate);
      apply_gate(r, i, block, gate);
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
