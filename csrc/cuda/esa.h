// Enhanced spatial attention on a GPU: from a = conv1(x), which is a 1x1 convolution as any other,
// to the gate, in three launches.
//
//   pooled = maxpool(conv2(a)), map = conv3(pooled), out = q sigmoid(conv4(up(map) + conv_f(a)))
//
// The two small maps are float32, pixel by pixel with 8 `n_tiles` channels each.
#pragma once

#include <vector>

#include "../conv_spec.h"
#include "geometry.h"

namespace esr::cuda {

constexpr int kEsaMaxChannels = 32;  // of a
constexpr int kEsaMinPixels = 15;    // of height and width: fewer leave nothing to pool

// A block pools 4 x 4 pixels, from 16 x 16 of conv2 and 33 x 33 of a. A warp makes two rows of
// conv2. Even columns of `a` come first, so that those under a tap, two apart, are neighbours.
struct EsaPoolTile {
  static constexpr int kPooled = 4, kSide = 16, kInput = 2 * kSide + 1;
  static constexpr int kThreads = 256, kWarpRows = 2;
  static constexpr int kEvenColumns = kSide + 1;
  static constexpr int kInputBytes = kInput * kInput * kPixelBytes;

  // Of conv2's pixels, which take the place of a's. With 8 channels more than there are, the stores
  // of a product touch every bank equally.
  static constexpr int pixel_bytes(int tiles) { return 4 * (8 * tiles + 8); }
  static constexpr int shared_bytes(int tiles, int slabs) {
    return slabs * slab_weight_bytes(9, tiles) +
           std::max(kInputBytes, kSide * kSide * pixel_bytes(tiles));
  }
};

constexpr int kEsaMapThreads = 128;
constexpr int kEsaGateThreads = 256;

struct EsaGeometry {
  int n_tiles, slabs;  // of a: products of 8 columns, and slabs
  int height, width;   // of the pooled map
  int down, across;    // tiles of it
  int gate_columns;    // of conv4, padded to 16
  int pool_blocks, map_blocks, gate_blocks;
  int pool_shared_bytes, gate_shared_bytes;
};

// `channels`: of a and of q.
EsaGeometry esa_geometry(const Device& device, Format format, int a_channels, int q_channels,
                         const Size& size);

// Of both small maps; never more than a slab of a has.
inline size_t esa_map_bytes(const EsaGeometry& g, const Size& size) {
  return size_t(2) * size.batch * g.height * g.width * 8 * g.n_tiles * sizeof(float);
}

// Packed by pack_weights and pack_bias for 8 `n_tiles` columns, or for `gate_columns`, where
// nothing else is said.
struct EsaParameters {
  Size size;
  EsaGeometry geometry;
  int a_channels, q_channels;
  const char *a, *q;  // slabs one after the other, as out is
  char* out;
  float *pooled, *map;
  const char *conv2, *conv_f, *conv4;  // conv4 by pack_esa_gate
  const float* conv3;                  // by pack_esa_map
  const float *bias2, *bias3, *bias_f, *bias4;
};

// conv3's weights: [tap][in][out], 8 tiles of both.
std::vector<float> pack_esa_map(const ConvSpec& conv3, int tiles);

// conv4's, whose operand is what a product has left in a lane. A lane's TF32 numbers, two columns
// side by side, are there taken for k and k + 4.
std::vector<char> pack_esa_gate(Format format, const ConvSpec& conv4, int columns);

}  // namespace esr::cuda
