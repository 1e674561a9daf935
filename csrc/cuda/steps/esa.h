// Enhanced spatial attention on a GPU: from a = conv1(x), which is a 1x1 convolution as any other,
// to the gate, in three launches.
//
//   pooled = maxpool(conv2(a)), map = conv3(pooled), out = q sigmoid(conv4(up(map) + conv_f(a)))
//
// The two small maps are float32, pixel by pixel with 8 `n_tiles` channels each.
#pragma once

#include <algorithm>
#include <vector>

#include "../step.h"
#include "conv.h"

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
  static constexpr int pixel_bytes(int n_tiles) { return 4 * (8 * n_tiles + 8); }
  static constexpr int shared_bytes(int n_tiles, int slabs) {
    return slabs * slab_weight_bytes(9, n_tiles) +
           std::max(kInputBytes, kSide * kSide * pixel_bytes(n_tiles));
  }
};

constexpr int kEsaMapThreads = 128;
constexpr int kEsaGateThreads = 256;

struct EsaGeometry {
  int n_tiles, slabs;  // of a: products of 8 columns, and slabs
  int height, width;   // of the pooled map
  int down, across;    // blocks' tiles of it
  int gate_columns;    // of conv4, padded to 16
  int pool_blocks, map_blocks, gate_blocks;
  int pool_shared_bytes, gate_shared_bytes;
};

// `channels`: of a and of q.
EsaGeometry esa_geometry(const Device& device, Format format, int a_channels, int q_channels,
                         const Size& size);

// Of both small maps.
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

struct EsaForm {
  Format format;
  int n_tiles;

  bool operator==(const EsaForm&) const = default;
  std::string name() const;
  template <class Add>
  static constexpr void each(Add add) {
    for (Format format : {Format::f16, Format::bf16, Format::tf32})
      for (int n_tiles : {2, 4}) add(EsaForm{format, n_tiles});
  }
};

void launch_esa(const EsaForm& form, const EsaParameters& parameters, void* stream);

// conv3's weights: [tap][in][out], 8 n_tiles of both.
std::vector<float> pack_esa_map(const ConvSpec& conv3, int n_tiles);

// conv4's, whose fragment `a` is what a product has left in a lane. A lane's TF32 numbers, two
// columns side by side, are there taken for k and k + 4.
std::vector<char> pack_esa_gate(Format format, const ConvSpec& conv4, int columns);

// From q and a = conv1(q); makes the result, and both small maps, which are its own.
class Esa : public Step {
 public:
  // Throws std::invalid_argument where `a` has more than kEsaMaxChannels.
  Esa(Program& program, int q, int a, const ConvSpec& conv_f, const ConvSpec& conv2,
      const ConvSpec& conv3, const ConvSpec& conv4);

  size_t memory(const Launcher& launcher, int i) const override;
  // Throws std::invalid_argument where the picture is too small for the pooling.
  void launch(const Launcher& launcher, const Step* taken_in) const override;

 private:
  EsaGeometry geometry(const Launcher& launcher) const;

  const int a_channels_, q_channels_;
  size_t conv2_, conv3_, conv4_, conv_f_, bias2_, bias3_, bias4_, bias_f_;  // constants
};

}  // namespace esr::cuda
