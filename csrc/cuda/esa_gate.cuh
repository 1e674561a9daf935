// The gate of ESA: out = q sigmoid(conv4(up(map) + conv_f(a))). A warp takes 16 pixels of a row and
// keeps all that lies between in registers. To be included after the file that has EsaParameters.
#pragma once

#include "epilogue.cuh"
#include "halo.cuh"

namespace esr::cuda {

// Where a row or column of the picture reads the map: torch's bilinear rule with
// align_corners=False.
struct Bilinear {
  int first, second;
  float weight;  // of second
};
ESR_DEVICE Bilinear bilinear(int at, int in, int out) {
  float source = (at + .5f) * (float(in) / out) - .5f;
  source = source < 0.f ? 0.f : source;
  const int first = int(source) < in - 1 ? int(source) : in - 1;
  return {first, first + 1 < in ? first + 1 : first, source - first};
}

template <class F, int kNTiles>
class EsaGateBlock {
 public:
  ESR_DEVICE explicit EsaGateBlock(const EsaParameters& p) : p_(p) {}

  ESR_DEVICE void run() const {
    load_weights();
    const int across = divide_up(p_.size.width, kPatchPixels);
    const int rows = p_.size.batch * p_.size.height, warps = thread_count() / 32;
    for (int i = block_index() * warps + thread_index() / 32; i < rows * across;
         i += block_count() * warps)
      make(i / across, i % across * kPatchPixels);
  }

 private:
  static constexpr int kChannels = 8 * kNTiles;
  static constexpr int kSlabNTiles = Slab<F>::kNTiles;
  static constexpr int kFirstBytes = kChannels * kPixelBytes;  // a slab's weights of conv_f

  ESR_DEVICE uint32_t first_weights(int slab) const { return slab * kFirstBytes; }
  ESR_DEVICE uint32_t last_weights(int slab) const {
    const EsaGeometry& g = p_.geometry;
    return g.slabs * kFirstBytes + slab * g.gate_columns * kPixelBytes;
  }

  ESR_DEVICE void load_weights() const {
    const int first = first_weights(p_.geometry.slabs), all = p_.geometry.gate_shared_bytes;
    ESR_ROLLED
    for (int at = 16 * thread_index(); at < all; at += 16 * thread_count())
      copy_async(at, at < first ? p_.conv_f + at : p_.conv4 + (at - first), true);
    commit_copies();
    wait_copies<0>();
    sync_block();
  }

  // Pixels x.. of a row of the batch's.
  ESR_DEVICE void make(int row, int x) const {
    const int at = row * p_.size.width + x, count = p_.size.width - x;
    float sum[kNTiles][4] = {};
    multiply_first(at, count, sum);
    add_map(row, x, sum);
    uint32_t fragment[kNTiles / kSlabNTiles][4];
    ESR_UNROLL
    for (int slab = 0; slab < kNTiles / kSlabNTiles; ++slab)
      to_fragment(sum + slab * kSlabNTiles, fragment[slab]);
    ESR_ROLLED
    for (int column = 0; column < p_.geometry.gate_columns; column += 16)
      store_gated(column, at, count, fragment);
  }

  // Of pixel number `at` of a slab.
  ESR_DEVICE int64_t offset(int slab, int at) const {
    const int plane = p_.size.batch * p_.size.height * p_.size.width;
    return (int64_t(slab) * plane + at) * kPixelBytes;
  }

  ESR_DEVICE void multiply_first(int at, int count, float (&sum)[kNTiles][4]) const {
    for (int slab = 0; slab < p_.geometry.slabs; ++slab) {
      uint32_t a[4];
      load_fragment<F>(p_.a + offset(slab, at), count, a);
      multiply_patch<F>(sum, a, first_weights(slab));
    }
  }

  // The bias and the map, as large as the picture. Channels that do not exist become zero.
  ESR_DEVICE void add_map(int row, int x, float (&sum)[kNTiles][4]) const {
    const EsaGeometry& g = p_.geometry;
    const Bilinear down = bilinear(row % p_.size.height, g.height, p_.size.height);
    const float* map = p_.map + int64_t(row / p_.size.height) * g.height * g.width * kChannels;
    const float *first = map + int64_t(down.first) * g.width * kChannels,
                *second = map + int64_t(down.second) * g.width * kChannels;
    ESR_UNROLL
    for (int octet = 0; octet < 2; ++octet) {
      const Bilinear across = bilinear(x + lane_index() / 4 + 8 * octet, g.width, p_.size.width);
      ESR_UNROLL
      for (int t = 0; t < kNTiles; ++t) {
        const int channel = 8 * t + lane_index() % 4 * 2;
        const Bytes8 bias = load_pair(p_.bias_f + channel);
        const Bytes8 up = mix(mix_pixels(first + channel, across),
                              mix_pixels(second + channel, across), down.weight);
        ESR_UNROLL
        for (int i = 0; i < 2; ++i) {
          float& value = sum[t][2 * octet + i];
          value = channel + i < p_.a_channels ? value + bias.value[i] + up.value[i] : 0.f;
        }
      }
    }
  }
  ESR_DEVICE static Bytes8 load_pair(const float* from) {
    return load_global(reinterpret_cast<const Bytes8*>(from));
  }
  ESR_DEVICE static Bytes8 mix(const Bytes8& a, const Bytes8& b, float weight) {
    return {{(1 - weight) * a.value[0] + weight * b.value[0],
             (1 - weight) * a.value[1] + weight * b.value[1]}};
  }
  ESR_DEVICE static Bytes8 mix_pixels(const float* line, const Bilinear& across) {
    return mix(load_pair(line + across.first * kChannels),
               load_pair(line + across.second * kChannels), across.weight);
  }

  // What a product has left in the lanes of a warp is what the next one's lanes take, once packed.
  ESR_DEVICE static void to_fragment(const float (*sum)[4], uint32_t (&a)[4]) {
    ESR_UNROLL
    for (int i = 0; i < 4; ++i) {
      if constexpr (kSlabNTiles == 2)
        a[i] = F::pack(sum[i / 2][i % 2 * 2], sum[i / 2][i % 2 * 2 + 1]);
      else
        a[i] = F::round(bits_of_float(sum[0][i / 2 + i % 2 * 2]));
    }
  }

  // 16 channels of the result.
  ESR_DEVICE void store_gated(int column, int at, int count,
                              const uint32_t (&fragment)[kNTiles / kSlabNTiles][4]) const {
    float sum[2][4] = {};
    ESR_UNROLL
    for (int slab = 0; slab < kNTiles / kSlabNTiles; ++slab) {
      if (slab >= p_.geometry.slabs) break;
      uint32_t b[4];
      load_columns(last_weights(slab), column, b);
      F::multiply(sum[0], fragment[slab], b[0], b[1]);
      F::multiply(sum[1], fragment[slab], b[2], b[3]);
    }
    ESR_UNROLL
    for (int i = 0; i < 2 / kSlabNTiles; ++i) {
      const int channel = column + i * Slab<F>::kChannels;
      if (channel >= p_.q_channels) break;
      const int64_t from = offset(channel / Slab<F>::kChannels, at);
      float value[kPatchValues<F>];
      load_patch<F>(p_.q + from, count, value);
      ESR_UNROLL
      for (int k = 0; k < kPatchValues<F>; ++k) {
        const int c = channel + k / 4 * 8 + lane_index() % 4 * 2 + k % 2;
        const float s = sigmoid(sum[i * kSlabNTiles + k / 4][k % 4] + load_global(p_.bias4 + c));
        value[k] = c < p_.q_channels ? value[k] * s : 0.f;
      }
      store_patch<F>(p_.out + from, count, value);
    }
  }

  const EsaParameters& p_;
};

}  // namespace esr::cuda
