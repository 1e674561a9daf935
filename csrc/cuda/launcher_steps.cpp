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
  p.blocks = convert_blocks(device_, p.slabs, p.size);
  p.values = slab(value);
  p.factor = 1;
  return p;
}

void Launcher::launch_input(const Step& step) {
  ConvertParameters p = convert(step.results[0]);
  p.picture = input(step);
  p.shift = constant<float>(step.shift);
  const ConvertForm form{true, program_.format_};
  enqueue_({"pack", [&] { return form.name(); }, [&] { launch_convert(form, p, run_.stream); }});
}

void Launcher::launch_output(const Step& step) {
  ConvertParameters p = convert(step.sources[0]);
  p.picture = output(step);
  p.factor = step.factor;
  if (step.residual >= 0) p.skip = slab(step.residual);
  const ConvertForm form{false, program_.format_};
  enqueue_({"unpack", [&] { return form.name(); }, [&] { launch_convert(form, p, run_.stream); }});
}

Picture Launcher::input(const Step& step) const {
  return run_.inputs.empty() ? Picture{} : run_.inputs[step.picture];
}
Picture Launcher::output(const Step& step) const {
  return run_.outputs.empty() ? Picture{} : run_.outputs[step.picture];
}

void Launcher::launch_step(const Step& step) {
  if (program_.is_pointwise(step)) return launch_pointwise(step);
  const Step* to = program_.fused_output(step);
  const ConvEnds ends = program_.reads_picture(step) ? ConvEnds::from_picture
                        : to                         ? ConvEnds::to_picture
                                                     : ConvEnds::slabs;
  ConvParameters p = conv(step.convs[0], ends, step.sources, step.residual);
  p.out = slab(step.results[0]);
  const char* name = step.convs[0].kernel == 1 ? "conv1x1_act" : "conv_act";
  if (ends == ConvEnds::from_picture) {
    const Step& from = program_.steps_[program_.producers_[step.sources[0]]];
    p.picture = input(from);
    p.picture_channels = program_.channels_[step.sources[0]];
    p.shift = constant<float>(from.shift);
    name = "conv_act from picture";
  } else if (ends == ConvEnds::to_picture) {
    p.target = output(*to);
    p.factor = to->factor;
    p.pairs = pairs(p.target, p.factor);
    if (to->residual >= 0) p.skip = input(program_.steps_[program_.producers_[to->residual]]);
    name = "conv3x3_pixel_shuffle";
  }
  enqueue_conv(name, ends, p, step.convs[0]);
}

void Launcher::enqueue_conv(const char* name, ConvEnds ends, const ConvParameters& p,
                            const PackedConv& c) {
  const ConvForm form = form_of(c, ends);
  enqueue_({name, [&] { return form.name(); }, [&] { launch_conv(form, p, run_.stream); }});
}

// Two convolutions: the 3x3 one that makes one of the step's sources, and the step.
void Launcher::launch_pointwise(const Step& step) {
  ConvParameters p{};
  PointwiseParameters with{};
  const PackedConv* first = nullptr;
  for (int source : step.sources) {
    const Step& from = program_.steps_[program_.producers_[source]];
    const int fused = program_.fused_pointwise(from);
    if (fused >= 0 && &program_.steps_[fused] == &step) {
      first = &from.convs[0];
      p = conv(*first, ConvEnds::to_pointwise, from.sources, from.residual, step.convs[0].slabs);
      with.own = with.slabs;
    }
    for (int i = 0; i < slab_total(source); ++i) with.sources[with.slabs++] = plane(source, i);
  }
  with.weights = constant(step.convs[0].weights);
  with.bias = constant<float>(step.convs[0].bias);
  p.pointwise = with;
  p.out = slab(step.results[0]);
  p.out_slabs = slab_total(step.results[0]);
  enqueue_conv("conv_act, conv1x1", ConvEnds::to_pointwise, p, *first);
}

// Slab i of a value; null where it has none of its own.
const char* Launcher::plane(int value, int i) const {
  return place_[value] < 0 ? nullptr : slab(value) + i * plane_bytes_;
}

// Sums in float16 are for convolutions that write slabs.
ConvForm Launcher::form_of(const PackedConv& c, ConvEnds ends) const {
  const bool sums = c.kernel == 3 && ends == ConvEnds::slabs;
  return {sums ? sums_format() : program_.format_, c.kernel * c.kernel, c.n_tiles, ends};
}

Format Launcher::sums_format() const {
  using enum Options::HalfSums;
  const auto wanted = program_.options_.half_sums;
  const bool half = wanted == always || (wanted == automatic && device_.fast_half_sums);
  return half ? Format::half_sums : program_.format_;
}

ConvParameters Launcher::conv(const PackedConv& c, ConvEnds ends, const std::vector<int>& sources,
                              int residual, int pointwise) const {
  ConvParameters p{};
  p.size = run_.size;
  const ConvForm form = form_of(c, ends);
  p.geometry = conv_geometry(device_,
                             {form.format, form.taps, c.slabs, c.out_channels, c.n_tiles, pointwise,
                              program_.options_.blocks_per_sm},
                             p.size);
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
  return spabs_[channels] = chosen_spab(step.convs[0], channels);
}

SpabGeometry Launcher::chosen_spab(const PackedConv& c, int channels) const {
  const Options::Spab wanted = program_.options_.spab;
  if (wanted == Options::Spab::apart) return {};
  SpabGeometry g = spab_geometry(device_, program_.format_, channels, run_.size);
  if (c.n_tiles != 2 * g.slabs) g = {};  // its weights are packed for other kernels
  if (wanted == Options::Spab::fused && !g.slabs)
    throw std::invalid_argument("no kernel computes a spab of " + std::to_string(channels) +
                                " channels and " + std::to_string(c.n_tiles) + " tiles in " +
                                std::to_string(device_.shared_bytes) +
                                " bytes of shared memory; use spab=\"apart\"");
  return wanted == Options::Spab::fused || spab_pays(g, device_, run_.size) ? g : SpabGeometry{};
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
  const SpabGeometry& g = p.geometry;
  const SpabForm form{sums_format(), g.slabs, g.rows, g.patches};
  enqueue_({"spab", [&] { return form.name(); }, [&] { launch_spab(form, p, run_.stream); }});
}

void Launcher::launch_plain(const PackedConv& c, int source, int residual, int result) {
  ConvParameters p = conv(c, ConvEnds::slabs, {source}, residual);
  p.out = slab(result);
  enqueue_conv("conv_act", ConvEnds::slabs, p, c);
}

void Launcher::launch_pooled_attention(const Step& step) {
  const Size& size = run_.size;
  if (std::min(size.height, size.width) < kEsaMinPixels)
    throw std::invalid_argument("esa needs a picture of " + std::to_string(kEsaMinPixels) + " x " +
                                std::to_string(kEsaMinPixels) + " or more, not " +
                                std::to_string(size.height) + " x " + std::to_string(size.width));
  const PackedEsa& e = step.esa;
  const int q_channels = program_.channels_[step.sources[0]];
  EsaParameters p{size, esa_geometry(device_, program_.format_, e.channels, q_channels, size),
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
  const EsaForm form{program_.format_, p.geometry.n_tiles};
  enqueue_({"esa", [&] { return form.name(); }, [&] { launch_esa(form, p, run_.stream); }});
}

}  // namespace esr::cuda
