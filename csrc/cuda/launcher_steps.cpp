// The launch of each kind of step.
#include <algorithm>
#include <stdexcept>

#include "launcher.h"

namespace esr::cuda {

namespace {

// Whether two neighbours of a row lie together, at a multiple of their size.
bool pairs(const Picture& p, int factor) {
  const int bytes = p.element == Element::f32 ? 4 : p.element == Element::u8 ? 1 : 2;
  const bool even = p.batch % 2 == 0 && p.channel % 2 == 0 && p.row % 2 == 0 && factor % 2 == 0;
  return even && p.column == 1 && reinterpret_cast<uintptr_t>(p.data) % (2 * bytes) == 0;
}

}  // namespace

ConvertParameters Launcher::convert(int value) const {
  ConvertParameters p{};
  p.size = run_.size;
  p.slabs = slab_total(value);
  p.channels = program_.channels_[value];
  p.blocks = convert_blocks(run_.device, p.slabs, p.size);
  p.values = slab(value);
  p.factor = 1;
  return p;
}

void Launcher::launch_input(const Step& step) {
  ConvertParameters p = convert(step.results[0]);
  p.picture = input(step);
  p.shift = constant<float>(step.shift);
  enqueue_("pack", [&] { launch_pack(program_.format_, p, run_.stream); });
}

void Launcher::launch_output(const Step& step) {
  ConvertParameters p = convert(step.sources[0]);
  p.picture = output(step);
  p.factor = step.factor;
  if (step.residual >= 0) p.skip = slab(step.residual);
  enqueue_("unpack", [&] { launch_unpack(program_.format_, p, run_.stream); });
}

Picture Launcher::input(const Step& step) const {
  return run_.inputs.empty() ? Picture{} : run_.inputs[step.picture];
}
Picture Launcher::output(const Step& step) const {
  return run_.outputs.empty() ? Picture{} : run_.outputs[step.picture];
}

void Launcher::launch_step(const Step& step) {
  if (program_.is_pointwise(step)) return launch_pointwise(step);
  ConvParameters p = conv(step.convs[0], step.sources, step.residual);
  p.out = slab(step.results[0]);
  const char* name = p.taps == 1 ? "conv1x1_act" : "conv_act";
  if (program_.reads_picture(step)) {
    const Step& from = program_.steps_[program_.producers_[step.sources[0]]];
    p.ends = ConvEnds::from_picture;
    p.picture = input(from);
    p.picture_channels = program_.channels_[step.sources[0]];
    p.shift = constant<float>(from.shift);
    name = "conv_act from picture";
  } else if (const Step* to = program_.fused_output(step)) {
    p.ends = ConvEnds::to_picture;
    p.target = output(*to);
    p.factor = to->factor;
    p.pairs = pairs(p.target, p.factor);
    if (to->residual >= 0) p.skip = input(program_.steps_[program_.producers_[to->residual]]);
    name = "conv3x3_pixel_shuffle";
  }
  enqueue_(name, [&] { launch_conv(program_.format_, p, run_.stream); });
}

// Two convolutions: the 3x3 one that makes one of the step's sources, and the step.
void Launcher::launch_pointwise(const Step& step) {
  ConvParameters p{};
  PointwiseParameters with{};
  for (int source : step.sources) {
    const Step& from = program_.steps_[program_.producers_[source]];
    const int fused = program_.fused_pointwise(from);
    if (fused >= 0 && &program_.steps_[fused] == &step) {
      p = conv(from.convs[0], from.sources, from.residual, step.convs[0].slabs);
      with.own = with.slabs;
    }
    for (int i = 0; i < slab_total(source); ++i) with.sources[with.slabs++] = plane(source, i);
  }
  with.weights = constant(step.convs[0].weights);
  with.bias = constant<float>(step.convs[0].bias);
  p.ends = ConvEnds::to_pointwise;
  p.pointwise = with;
  p.out = slab(step.results[0]);
  p.out_slabs = slab_total(step.results[0]);
  enqueue_("conv_act, conv1x1", [&] { launch_conv(program_.format_, p, run_.stream); });
}

// Slab i of a value; null where it has none of its own.
const char* Launcher::plane(int value, int i) const {
  return place_[value] < 0 ? nullptr : slab(value) + i * plane_bytes_;
}

ConvParameters Launcher::conv(const PackedConv& c, const std::vector<int>& sources, int residual,
                              int pointwise) const {
  ConvParameters p{};
  p.size = run_.size;
  p.taps = c.kernel * c.kernel;
  p.geometry = conv_geometry(run_.device, program_.format_, p.taps, c.slabs, c.out_channels, p.size,
                             pointwise);
  for (int source : sources)
    for (int i = 0; i < slab_total(source); ++i) p.sources[p.slabs++] = plane(source, i);
  p.weights = constant(c.weights);
  p.bias = constant<float>(c.bias);
  p.act = c.act;
  p.slope = c.slope;
  p.residual = residual < 0 ? nullptr : slab(residual);
  p.out_channels = c.out_channels;
  p.out_slabs = slab_count(program_.format_, c.out_channels);
  return p;
}

const SpabGeometry& Launcher::spab_geometry_of(const Step& step) const {
  const int channels = program_.channels_[step.sources[0]];
  const auto known = spabs_.find(channels);
  if (known != spabs_.end()) return known->second;
  const SpabGeometry g = spab_geometry(run_.device, program_.format_, channels, run_.size);
  return spabs_[channels] = spab_pays(g, run_.device, run_.size) ? g : SpabGeometry{};
}

void Launcher::launch_attention(const Step& step) {
  const int x = step.sources[0], o = step.results[0], t = step.results[1], v = step.results[2];
  SpabParameters p{run_.size, spab_geometry_of(step)};
  if (!p.geometry.slabs) {
    launch_plain(step.convs[0], x, -1, t);
    launch_plain(step.convs[1], t, -1, v);
    return launch_plain(step.convs[2], v, x, o);
  }
  p.x = slab(x);
  p.out = slab(o);
  p.t = slab(t);
  for (int i = 0; i < 3; ++i) {
    p.weights[i] = constant(step.convs[i].weights);
    p.bias[i] = constant<float>(step.convs[i].bias);
  }
  enqueue_("spab", [&] { launch_spab(program_.format_, p, run_.stream); });
}

void Launcher::launch_plain(const PackedConv& c, int source, int residual, int result) {
  ConvParameters p = conv(c, {source}, residual);
  p.out = slab(result);
  enqueue_("conv_act", [&] { launch_conv(program_.format_, p, run_.stream); });
}

void Launcher::launch_pooled_attention(const Step& step) {
  const Size& size = run_.size;
  if (std::min(size.height, size.width) < kEsaMinPixels)
    throw std::invalid_argument("esa needs a picture of " + std::to_string(kEsaMinPixels) + " x " +
                                std::to_string(kEsaMinPixels) + " or more, not " +
                                std::to_string(size.height) + " x " + std::to_string(size.width));
  const PackedEsa& e = step.esa;
  const int q_channels = program_.channels_[step.sources[0]];
  EsaParameters p{size, esa_geometry(run_.device, program_.format_, e.channels, q_channels, size),
                  e.channels, q_channels};
  p.q = slab(step.sources[0]);
  p.a = slab(step.sources[1]);
  p.out = slab(step.results[0]);
  p.pooled = reinterpret_cast<float*>(slab(step.results[1]));
  p.map = p.pooled + esa_map_bytes(p.geometry, size) / (2 * sizeof(float));
  p.conv2 = constant(e.conv2);
  p.conv3 = constant<float>(e.conv3);
  p.conv4 = constant(e.conv4);
  p.conv_f = constant(e.conv_f);
  p.bias2 = constant<float>(e.bias2);
  p.bias3 = constant<float>(e.bias3);
  p.bias4 = constant<float>(e.bias4);
  p.bias_f = constant<float>(e.bias_f);
  enqueue_("esa", [&] { launch_esa(program_.format_, p, run_.stream); });
}

}  // namespace esr::cuda
