#include "esa.h"

#include <stdexcept>

#include "../launcher.h"
#include "../pack_weights.h"

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
  // A multiprocessor holds two or three blocks at a time, which 6 are a multiple of.
  g.gate_blocks = int(std::min<int64_t>(all, 6 * int64_t(device.sm_count)));
  return g;
}

std::vector<float> pack_esa_map(const ConvSpec& conv3, int n_tiles) {
  const int channels = 8 * n_tiles;
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

std::string EsaForm::name() const {
  return std::string("esa ") + name_of(format) + " " + std::to_string(n_tiles) + " tiles";
}

Esa::Esa(Program& program, int q, int a, const ConvSpec& conv_f, const ConvSpec& conv2,
         const ConvSpec& conv3, const ConvSpec& conv4)
    : Step({q, a}, {program.channels(q), 1}),
      a_channels_(program.channels(a)),
      q_channels_(program.channels(q)) {
  const Format format = program.format();
  if (a_channels_ > kEsaMaxChannels)
    throw std::invalid_argument("esa works on at most " + std::to_string(kEsaMaxChannels) +
                                " channels, not " + std::to_string(a_channels_));
  const int n_tiles = conv_tiles(format, a_channels_);
  const int columns = divide_up(conv4.out_channels, 16) * 16;
  conv2_ = program.add_constants(pack_weights(format, conv2, {a_channels_}, n_tiles));
  conv3_ = program.add_constants(pack_esa_map(conv3, n_tiles));
  conv4_ = program.add_constants(pack_esa_gate(format, conv4, columns));
  conv_f_ = program.add_constants(pack_weights(format, conv_f, {a_channels_}, n_tiles));
  bias2_ = program.add_constants(pack_bias(conv2, n_tiles));
  bias3_ = program.add_constants(pack_bias(conv3, n_tiles));
  bias4_ = program.add_constants(pack_bias(conv4, columns / 8));
  bias_f_ = program.add_constants(pack_bias(conv_f, n_tiles));
}

EsaGeometry Esa::geometry(const Launcher& launcher) const {
  const Size& size = launcher.size(reads()[0]);
  if (std::min(size.height, size.width) < kEsaMinPixels)
    throw std::invalid_argument("esa needs a picture of " + std::to_string(kEsaMinPixels) + " x " +
                                std::to_string(kEsaMinPixels) + " or more, not " +
                                std::to_string(size.height) + " x " + std::to_string(size.width));
  return esa_geometry(launcher.device(), launcher.program().format(), a_channels_, q_channels_,
                      size);
}

size_t Esa::memory(const Launcher& launcher, int i) const {
  return i == 0 ? launcher.slab_bytes(makes()[0])
                : esa_map_bytes(geometry(launcher), launcher.size(reads()[0]));
}

void Esa::launch(const Launcher& launcher, const Step*) const {
  EsaParameters p{launcher.size(reads()[0]), geometry(launcher), a_channels_, q_channels_};
  p.q = launcher.memory(reads()[0]);
  p.a = launcher.memory(reads()[1]);
  p.out = launcher.memory(makes()[0]);
  p.pooled = reinterpret_cast<float*>(launcher.memory(makes()[1]));
  p.map = p.pooled + esa_map_bytes(p.geometry, p.size) / (2 * sizeof(float));
  p.conv2 = launcher.constant(conv2_);
  p.conv3 = launcher.constant<float>(conv3_);
  p.conv4 = launcher.constant(conv4_);
  p.conv_f = launcher.constant(conv_f_);
  p.bias2 = launcher.constant<float>(bias2_);
  p.bias3 = launcher.constant<float>(bias3_);
  p.bias4 = launcher.constant<float>(bias4_);
  p.bias_f = launcher.constant<float>(bias_f_);
  launcher.enqueue("esa", EsaForm{launcher.program().format(), p.geometry.n_tiles}, p, launch_esa);
}

}  // namespace esr::cuda
