#include "esa.h"

#include "pack_weights.h"

namespace esr::cuda {

EsaGeometry esa_geometry(const Device& device, Format format, int a_channels, int q_channels,
                         const Size& size) {
  EsaGeometry g{};
  g.n_tiles = conv_tiles(format, a_channels);
  g.slabs = slab_count(format, a_channels);
  g.height = ((size.height - 3) / 2 + 1 - 7) / 3 + 1;
  g.width = ((size.width - 3) / 2 + 1 - 7) / 3 + 1;
  g.down = divide_up(g.height, EsaPoolTile::kPooled);
  g.across = divide_up(g.width, EsaPoolTile::kPooled);
  g.pool_blocks = size.batch * g.down * g.across;
  g.pool_shared_bytes = EsaPoolTile::shared_bytes(g.n_tiles, g.slabs);
  // A thread makes four channels of a pixel of the map.
  g.map_blocks = divide_up(size.batch * g.height * g.width * 2 * g.n_tiles, kEsaMapThreads);
  g.gate_columns = divide_up(q_channels, 16) * 16;
  g.gate_shared_bytes = g.slabs * (8 * g.n_tiles + g.gate_columns) * kPixelBytes;
  // A warp makes 16 pixels of a row at a time.
  const int rows = size.batch * size.height;
  const int64_t warps = int64_t(rows) * divide_up(size.width, 16);
  const int64_t all = (warps * 32 + kEsaGateThreads - 1) / kEsaGateThreads;
  // A processor holds two or three blocks at a time, which 6 are a multiple of.
  g.gate_blocks = int(std::min<int64_t>(all, 6 * int64_t(device.sm_count)));
  return g;
}

std::vector<float> pack_esa_map(const ConvSpec& conv3, int tiles) {
  const int channels = 8 * tiles;
  std::vector<float> packed(size_t(9) * channels * channels);
  for (int o = 0; o < conv3.out_channels; ++o)
    for (int c = 0; c < conv3.in_channels; ++c)
      for (int tap = 0; tap < 9; ++tap)
        packed[(size_t(tap) * channels + c) * channels + o] =
            float(conv3.weight[(size_t(o) * conv3.in_channels + c) * 9 + tap]);
  return packed;
}

std::vector<char> pack_esa_gate(Format format, const ConvSpec& conv4, int columns) {
  if (format != Format::tf32) return pack_weights(format, conv4, {conv4.in_channels}, columns / 8);
  ConvSpec moved = conv4;
  moved.in_channels = divide_up(conv4.in_channels, 8) * 8;
  std::vector<double> weight(size_t(moved.out_channels) * moved.in_channels);
  for (int o = 0; o < conv4.out_channels; ++o)
    for (int c = 0; c < conv4.in_channels; ++c) {
      const int place = c / 8 * 8 + c % 8 / 2 + c % 2 * 4;
      weight[size_t(o) * moved.in_channels + place] =
          conv4.weight[size_t(o) * conv4.in_channels + c];
    }
  moved.weight = weight.data();
  return pack_weights(format, moved, {moved.in_channels}, columns / 8);
}

}  // namespace esr::cuda
