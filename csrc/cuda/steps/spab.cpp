#include "spab.h"

#include <stdexcept>

#include "../launcher.h"

namespace esr::cuda {

std::string SpabForm::name() const {
  return std::string("spab ") + name_of(format) + " " + std::to_string(slabs) + " slabs " +
         std::to_string(rows) + " rows " + std::to_string(patches) + " patches";
}

SpabGeometry spab_geometry(const Device& device, Format format, int channels, const Size& size) {
  SpabGeometry g{};
  for_spab_shapes([&]<int kSlabs, int kRows, int kPatches>() {
    using Shape = SpabShape<kSlabs, kRows, kPatches>;
    if (g.slabs || format == Format::tf32 || slab_count(format, channels) != kSlabs) return;
    if (Shape::kSharedBytes > device.shared_bytes) return;
    g = {kSlabs, kRows, kPatches, divide_up(size.width, Shape::kOutColumns)};
    g.threads = Shape::kThreads;
    g.shared_bytes = Shape::kSharedBytes;
  });
  if (!g.slabs) return g;
  // As many bands as make the longest multiprocessor's work shortest. Of all numbers of bands with
  // the same rows the least is tried: more of them take no fewer rounds.
  g.steps = INT64_MAX;
  for (int rows = size.height, bands = 1;; rows = divide_up(size.height, bands)) {
    const int64_t rounds = divide_up(g.strips * bands * size.batch, device.sm_count);
    const int64_t steps = rounds * (divide_up(rows + 4, g.rows) + 2);
    if (steps < g.steps) {
      g.steps = steps;
      g.band_rows = rows;
    }
    if (rows == 1) break;
    bands = divide_up(size.height, rows - 1);
  }
  g.bands = divide_up(size.height, g.band_rows);
  g.blocks = g.strips * g.bands * size.batch;
  return g;
}

// Both are counted in rows of 16 pixels that a multiprocessor multiplies, and a launch as 30 of
// them: 2 microseconds of an H100. Strips begin and end with rows and columns that nobody keeps;
// the memory that they save is worth some of those, and less than those of small pictures.
bool spab_profitable(const SpabGeometry& g, const Device& device, const Size& size) {
  if (!g.slabs) return false;
  constexpr int64_t kLaunch = 30, kTile = ConvTile::kRows * (ConvTile::kColumns / 16);
  const int64_t tiles = int64_t(size.batch) * divide_up(size.height, ConvTile::kRows) *
                        divide_up(size.width, ConvTile::kColumns);
  const int64_t rounds = (tiles + device.sm_count - 1) / device.sm_count;
  const int64_t apart = 3 * (rounds * kTile + kLaunch);
  return 100 * (g.steps * 3 * g.rows * g.patches + kLaunch) <= 115 * apart;
}

namespace {

ConvSpec with_act(ConvSpec spec, Act act) {
  spec.act = act;
  return spec;
}

}  // namespace

Spab::Spab(Program& program, int x, const ConvSpec& conv1, const ConvSpec& conv2,
           const ConvSpec& conv3)
    : Step({x}, {program.channels(x), program.channels(x), program.channels(x)}),
      convs_{{program, {x}, with_act(conv1, Act::silu)},
             {program, {x}, with_act(conv2, Act::silu)},
             {program, {x}, with_act(conv3, Act::span_gate)}} {
  if (program.options().fusion == Options::Fusion::fused && program.format() == Format::tf32)
    throw std::invalid_argument("tf32 has no spab in one kernel; use f16 or bf16");
}

SpabGeometry Spab::geometry(const Launcher& launcher) const {
  using enum Options::Fusion;
  const Options::Fusion wanted = launcher.program().options().fusion;
  if (wanted == apart) return {};
  const int channels = convs_[0].out_channels, n_tiles = convs_[0].n_tiles;
  const Device& device = launcher.device();
  const Size& size = launcher.size(reads()[0]);
  SpabGeometry g = spab_geometry(device, launcher.program().format(), channels, size);
  if (n_tiles != 2 * g.slabs) g = {};  // the weights are packed for other kernels
  if (wanted == fused && !g.slabs)
    throw std::invalid_argument("no kernel computes a spab of " + std::to_string(channels) +
                                " channels and " + std::to_string(n_tiles) + " tiles in " +
                                std::to_string(device.shared_bytes) +
                                " bytes of shared memory; use fusion=\"apart\"");
  return wanted == fused || spab_profitable(g, device, size) ? g : SpabGeometry{};
}

// v is there for three convolutions, t for them or for a reader. The geometry takes a microsecond
// to find, so it is looked for once, where v is placed.
size_t Spab::memory(const Launcher& launcher, int i) const {
  const int o = makes()[0], v = makes()[1], t = makes()[2];
  const bool stored =
      makes()[i] == o || (makes()[i] == v && !geometry(launcher).slabs) ||
      (makes()[i] == t && (launcher.is_stored(v) || !launcher.program().readers(t).empty()));
  return stored ? launcher.slab_bytes(makes()[i]) : 0;
}

void Spab::launch(const Launcher& launcher, const Step*) const {
  if (launcher.is_stored(makes()[1])) return launch_apart(launcher);
  SpabParameters p{launcher.size(reads()[0]), geometry(launcher)};
  const SpabGeometry& g = p.geometry;
  p.x = launcher.memory(reads()[0]);
  p.out = launcher.memory(makes()[0]);
  p.t = launcher.memory(makes()[2]);
  for (int i = 0; i < 3; ++i) {
    p.weights[i] = launcher.constant(convs_[i].weights);
    p.bias[i] = launcher.constant<float>(convs_[i].bias);
  }
  const SpabForm form{launcher.sums_format(), g.slabs, g.rows, g.patches};
  launcher.enqueue("spab", form, p, launch_spab);
}

void Spab::launch_apart(const Launcher& launcher) const {
  const int x = reads()[0], o = makes()[0], v = makes()[1], t = makes()[2];
  const int sources[] = {x, t, v}, results[] = {t, v, o};
  for (int i = 0; i < 3; ++i) {
    ConvLaunch launch =
        begin_conv(launcher, convs_[i], {sources[i]}, i == 2 ? x : -1, ConvEnds::slabs);
    launch.parameters.out = launcher.memory(results[i]);
    launch.enqueue(launcher);
  }
}

}  // namespace esr::cuda
