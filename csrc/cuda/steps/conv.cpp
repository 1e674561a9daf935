#include "conv.h"

#include <algorithm>
#include <stdexcept>

#include "../launcher.h"
#include "../pack_weights.h"

namespace esr::cuda {

ConvLaunch Step::end(const Launcher&, const Conv&) const {
  throw std::logic_error("a convolution's kernel cannot do this step's work");
}

std::string ConvForm::name() const {
  constexpr const char* kEnds[] = {"slabs", "from_picture", "to_picture", "to_pointwise"};
  return std::string("conv_act ") + name_of(format) + (taps == 9 ? " 3x3 " : " 1x1 ") +
         std::to_string(n_tiles) + " tiles " + kEnds[int(ends)];
}

namespace {

std::string blocks_do_not_fit(const ConvShape& shape, const char* why) {
  return "convolutions of " + std::to_string(shape.form.n_tiles) + " tiles and " +
         std::to_string(shape.slabs) + " slabs cannot run in " +
         std::to_string(shape.blocks_per_sm) + " blocks per SM: they need more " + why;
}

}  // namespace

ConvGeometry conv_geometry(const Device& device, const ConvShape& shape, const Size& size) {
  const int taps = shape.form.taps;
  ConvGeometry g{};
  g.n_tiles = shape.form.n_tiles;
  g.layers = divide_up(shape.out_channels, 8 * g.n_tiles);
  g.down = divide_up(size.height, ConvTile::kRows);
  g.across = divide_up(size.width, ConvTile::kColumns);
  const auto bytes = [&](int stages, bool resident) {
    return stages * halo_bytes(taps) +
           (resident ? shape.slabs : stages) * slab_weight_bytes(taps, g.n_tiles) +
           shape.pointwise * slab_weight_bytes(1, g.n_tiles);
  };
  const int most = conv_blocks_per_sm(shape.form.format, g.n_tiles);
  const int least = std::max(shape.blocks_per_sm, 1);
  if (least > most) throw std::invalid_argument(blocks_do_not_fit(shape, "registers"));
  // A multiprocessor has 1 KiB more than a block may have, and every block costs 1 KiB.
  int together = shape.blocks_per_sm ? shape.blocks_per_sm : most;
  for (; together >= least; --together) {
    const int limit = (device.shared_bytes + 1024) / together - 1024;
    g.resident = bytes(2, true) <= limit;
    g.stages = bytes(3, g.resident) <= limit ? 3 : 2;
    g.shared_bytes = bytes(g.stages, g.resident);
    if (g.shared_bytes <= limit) break;
  }
  if (together < least && shape.blocks_per_sm)
    throw std::invalid_argument(blocks_do_not_fit(shape, "shared memory"));
  if (together < least)
    throw std::invalid_argument("a convolution of " + std::to_string(g.n_tiles) + " tiles needs " +
                                std::to_string(g.shared_bytes) + " bytes of shared memory, and a " +
                                "block may have " + std::to_string(device.shared_bytes));
  const int64_t all = int64_t(size.batch) * g.down * g.across;
  const int64_t limit = std::max(1, device.sm_count * together / g.layers);
  g.blocks = int(std::min(all, limit));
  return g;
}

PackedConv::PackedConv(Program& program, const std::vector<int>& sources, const ConvSpec& spec)
    : kernel(spec.kernel),
      out_channels(spec.out_channels),
      slabs(0),
      n_tiles(program.options().n_tiles),
      act(spec.act),
      slope(spec.slope) {
  std::vector<int> channels;
  for (int source : sources) {
    channels.push_back(program.channels(source));
    slabs += program.slabs(source);
  }
  if (slabs > kMaxSlabs)
    throw std::invalid_argument("a convolution reads at most " + std::to_string(kMaxSlabs) +
                                " slabs, not " + std::to_string(slabs));
  if (!n_tiles) n_tiles = conv_tiles(program.format(), out_channels);
  weights = program.add_constants(pack_weights(program.format(), spec, channels, n_tiles));
  bias = program.add_constants(pack_bias(spec, n_tiles));
}

void ConvLaunch::enqueue(const Launcher& launcher) const {
  launcher.enqueue(name, form, parameters, launch_conv);
}

ConvLaunch begin_conv(const Launcher& launcher, const PackedConv& packed,
                      const std::vector<int>& sources, int residual, ConvEnds ends, int pointwise) {
  const Program& program = launcher.program();
  // Sums in float16 are for convolutions that write slabs.
  const bool any_sums = packed.kernel == 3 && ends == ConvEnds::slabs;
  const Format format = any_sums ? launcher.sums_format() : program.format();
  ConvLaunch launch{packed.kernel == 1 ? "conv1x1_act" : "conv_act",
                    {format, packed.kernel * packed.kernel, packed.n_tiles, ends}};
  ConvParameters& p = launch.parameters;
  p.size = launcher.size(sources[0]);
  p.geometry = conv_geometry(
      launcher.device(),
      {launch.form, packed.slabs, packed.out_channels, pointwise, program.options().blocks_per_sm},
      p.size);
  for (int source : sources)
    for (int i = 0; i < program.slabs(source); ++i) p.sources[p.slabs++] = launcher.slab(source, i);
  p.weights = launcher.constant(packed.weights);
  p.bias = launcher.constant<float>(packed.bias);
  p.act = packed.act;
  p.slope = packed.slope;
  p.residual = residual < 0 ? nullptr : launcher.memory(residual);
  p.out_channels = packed.out_channels;
  p.out_slabs = slab_count(program.format(), packed.out_channels);
  return launch;
}

namespace {

std::vector<int> with_residual(std::vector<int> sources, int residual) {
  if (residual >= 0) sources.push_back(residual);
  return sources;
}

}  // namespace

Conv::Conv(Program& program, const std::vector<int>& sources, const ConvSpec& spec, int residual)
    : Step(with_residual(sources, residual), {spec.out_channels}),
      sources_(sources),
      residual_(residual),
      packed_(program, sources, spec) {}

// The input picture that is the one source of a 3x3 convolution, if its channels fit one slab.
const InputPicture* Conv::only_picture(const Program& program) const {
  const bool fits =
      sources_.size() == 1 && residual_ != sources_[0] && packed_.kernel == 3 && packed_.slabs == 1;
  return fits ? program.producer(sources_[0]).picture() : nullptr;
}

bool Conv::reads_picture(const Launcher& launcher, int value) const {
  return value != residual_ && only_picture(launcher.program());
}

bool Conv::can_take_in(const Program& program, const Step& next) const {
  return packed_.kernel == 3 && !only_picture(program) && next.can_end(program, *this);
}

// A 1x1 convolution: one block holds all columns of both.
bool Conv::can_end(const Program& program, const Conv& first) const {
  if (program.format() == Format::tf32 || packed_.kernel != 1 || packed_.act != Act::none ||
      has_residual() || packed_.slabs > kMaxPointwiseSlabs)
    return false;
  const int value = first.makes()[0], columns = 8 * packed_.n_tiles;
  return std::count(sources_.begin(), sources_.end(), value) == 1 &&
         std::max(first.packed_.out_channels, packed_.out_channels) <= columns &&
         first.packed_.n_tiles == packed_.n_tiles;
}

ConvLaunch Conv::end(const Launcher& launcher, const Conv& first) const {
  ConvLaunch launch = first.begin(launcher, ConvEnds::to_pointwise, packed_.slabs);
  launch.name = "conv_act, conv1x1";
  PointwiseParameters& p = launch.parameters.pointwise;
  for (int source : sources_) {
    if (source == first.makes()[0]) p.own = p.slabs;
    for (int i = 0; i < launcher.program().slabs(source); ++i)
      p.sources[p.slabs++] = launcher.slab(source, i);
  }
  p.weights = launcher.constant(packed_.weights);
  p.bias = launcher.constant<float>(packed_.bias);
  launch.parameters.out = launcher.memory(makes()[0]);
  launch.parameters.out_slabs = launcher.program().slabs(makes()[0]);
  return launch;
}

void Conv::launch(const Launcher& launcher, const Step* taken_in) const {
  if (taken_in) return taken_in->end(launcher, *this).enqueue(launcher);
  const InputPicture* picture = only_picture(launcher.program());
  ConvLaunch launch = begin(launcher, picture ? ConvEnds::from_picture : ConvEnds::slabs);
  ConvParameters& p = launch.parameters;
  if (picture) {
    launch.name = "conv_act from picture";
    p.picture = launcher.input(picture->number);
    p.picture_channels = launcher.program().channels(sources_[0]);
    p.shift = launcher.constant<float>(picture->shift);
  }
  p.out = launcher.memory(makes()[0]);
  launch.enqueue(launcher);
}

}  // namespace esr::cuda
