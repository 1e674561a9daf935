// Running a program: where values lie in the workspace, and the launches.
#include <algorithm>
#include <functional>
#include <limits>
#include <stdexcept>

#include "program.h"

namespace esr::cuda {
namespace {

// Hands out slabs of a workspace: the lowest that are free.
class SlabAllocator {
 public:
  int take(int count) {
    int at = 0;
    for (const auto& [first, taken] : taken_) {  // in order
      if (first - at >= count) break;
      at = first + taken;
    }
    taken_.push_back({at, count});
    std::sort(taken_.begin(), taken_.end());
    most_ = std::max(most_, at + count);
    return at;
  }
  void give_back(int at) {
    std::erase_if(taken_, [at](const auto& block) { return block.first == at; });
  }
  int most() const { return most_; }

 private:
  std::vector<std::pair<int, int>> taken_;
  int most_ = 0;
};

}  // namespace

// One pass over the steps: places values, and hands each launch to `enqueue` with its name.
class Launcher {
 public:
  using Enqueue = std::function<void(const char* name, const std::function<void()>& launch)>;

  Launcher(const Program& program, const Program::Run& run, Enqueue enqueue)
      : program_(program),
        run_(run),
        enqueue_(std::move(enqueue)),
        place_(program.value_count(), -1),
        last_(program.value_count(), -1) {
    const Size& s = run.size;
    const int64_t pixels = int64_t(s.batch) * s.height * s.width;
    if (pixels > std::numeric_limits<int>::max())
      throw std::invalid_argument("a batch of " + std::to_string(pixels) +
                                  " pixels is too large: cut it into tiles");
    plane_bytes_ = size_t(pixels) * kPixelBytes;
    for (int value = 0; value < program.value_count(); ++value)
      for (int reader : program.readers(value)) last_[value] = std::max(last_[value], reader);
  }

  void walk() {
    for (size_t i = 0; i < program_.steps_.size(); ++i) {
      const Step& step = program_.steps_[i];
      for (int value : step.results)
        if (is_stored(step, value)) place_[value] = slabs_.take(slab_total(value));
      launch(step);
      for (int value = 0; value < program_.value_count(); ++value)
        if (place_[value] >= 0 && last_[value] <= int(i) && program_.producers_[value] <= int(i))
          release(value);
    }
  }

  size_t workspace_bytes() const { return slabs_.most() * plane_bytes_; }

 private:
  int slab_total(int value) const {
    return slab_count(program_.format_, program_.channels_[value]);
  }
  void release(int value) {
    slabs_.give_back(place_[value]);
    place_[value] = -1;
  }

  // Whether a result gets slabs of its own.
  bool is_stored(const Step& step, int value) const {
    if (step.kind == StepKind::input) return program_.is_packed(step);
    if (step.kind == StepKind::conv) return !program_.fused_output(step);
    const bool fused = spab_geometry_of(step).slabs > 0;
    return value == step.results[0] || !fused || (value == step.results[1] && last_[value] >= 0);
  }

  char* slab(int value) const {
    return place_[value] < 0 ? nullptr : run_.workspace + place_[value] * plane_bytes_;
  }
  template <class T = char>
  const T* constant(size_t offset) const {
    return reinterpret_cast<const T*>(run_.constants + offset);
  }

  void launch(const Step& step) {
    switch (step.kind) {
      case StepKind::input: return program_.is_packed(step) ? launch_input(step) : void();
      case StepKind::conv: return launch_step(step);
      case StepKind::spab: return launch_attention(step);
      case StepKind::output: return program_.is_fused(step) ? void() : launch_output(step);
    }
  }

  ConvertParameters convert(int value) const {
    ConvertParameters p{};
    p.size = run_.size;
    p.slabs = slab_total(value);
    p.channels = program_.channels_[value];
    p.blocks = convert_blocks(run_.device, p.slabs, p.size);
    p.values = slab(value);
    p.factor = 1;
    return p;
  }

  void launch_input(const Step& step) {
    ConvertParameters p = convert(step.results[0]);
    p.picture = input(step);
    p.shift = constant<float>(step.shift);
    enqueue_("pack", [&] { launch_pack(program_.format_, p, run_.stream); });
  }

  void launch_output(const Step& step) {
    ConvertParameters p = convert(step.sources[0]);
    p.picture = output(step);
    p.factor = step.factor;
    if (step.residual >= 0) p.skip = slab(step.residual);
    enqueue_("unpack", [&] { launch_unpack(program_.format_, p, run_.stream); });
  }

  Picture input(const Step& step) const {
    return run_.inputs.empty() ? Picture{} : run_.inputs[step.picture];
  }
  Picture output(const Step& step) const {
    return run_.outputs.empty() ? Picture{} : run_.outputs[step.picture];
  }

  void launch_step(const Step& step) {
    ConvParameters p = conv(step.convs[0], step.sources, step.residual);
    p.out = slab(step.results[0]);
    const char* name = p.taps == 1 ? "conv1x1_act" : "conv3x3_act";
    if (program_.reads_picture(step)) {
      const Step& from = program_.steps_[program_.producers_[step.sources[0]]];
      p.ends = ConvEnds::from_picture;
      p.picture = input(from);
      p.picture_channels = program_.channels_[step.sources[0]];
      p.shift = constant<float>(from.shift);
      name = "conv3x3_act from picture";
    } else if (const Step* to = program_.fused_output(step)) {
      p.ends = ConvEnds::to_picture;
      p.target = output(*to);
      p.factor = to->factor;
      p.pairs = pairs(p.target, p.factor);
      if (to->residual >= 0) p.skip = input(program_.steps_[program_.producers_[to->residual]]);
      name = "pixel_shuffle";
    }
    enqueue_(name, [&] { launch_conv(program_.format_, p, run_.stream); });
  }

  // Whether two neighbours of a row lie together, at a multiple of their size.
  static bool pairs(const Picture& p, int factor) {
    const int bytes = p.element == Element::f32 ? 4 : p.element == Element::u8 ? 1 : 2;
    const bool even = p.batch % 2 == 0 && p.channel % 2 == 0 && p.row % 2 == 0 && factor % 2 == 0;
    return even && p.column == 1 && reinterpret_cast<uintptr_t>(p.data) % (2 * bytes) == 0;
  }

  ConvParameters conv(const PackedConv& c, const std::vector<int>& sources, int residual) const {
    ConvParameters p{};
    p.size = run_.size;
    p.taps = c.kernel * c.kernel;
    p.geometry =
        conv_geometry(run_.device, program_.format_, p.taps, c.slabs, c.out_channels, p.size);
    for (int source : sources)
      for (int i = 0; i < slab_total(source); ++i)
        p.sources[p.slabs++] = slab(source) ? slab(source) + i * plane_bytes_ : nullptr;
    p.weights = constant(c.weights);
    p.bias = constant<float>(c.bias);
    p.act = c.act;
    p.slope = c.slope;
    p.residual = residual < 0 ? nullptr : slab(residual);
    p.out_channels = c.out_channels;
    p.out_slabs = slab_count(program_.format_, c.out_channels);
    return p;
  }

  SpabGeometry spab_geometry_of(const Step& step) const {
    return spab_geometry(run_.device, program_.format_, program_.channels_[step.sources[0]],
                         run_.size);
  }

  void launch_attention(const Step& step) {
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

  void launch_plain(const PackedConv& c, int source, int residual, int result) {
    ConvParameters p = conv(c, {source}, residual);
    p.out = slab(result);
    enqueue_("conv3x3_act", [&] { launch_conv(program_.format_, p, run_.stream); });
  }

  const Program& program_;
  const Program::Run& run_;
  const Enqueue enqueue_;
  std::vector<int> place_, last_;  // of values: first slab, or -1; the last step that reads it
  SlabAllocator slabs_;
  size_t plane_bytes_;
};

size_t Program::workspace_bytes(const Device& device, const Size& size) const {
  const Run run{{}, {}, size, nullptr, nullptr, device, nullptr};
  Launcher launcher(*this, run, [](const char*, const auto&) {});
  launcher.walk();
  return launcher.workspace_bytes();
}

std::vector<std::string> Program::launches(const Device& device, const Size& size) const {
  std::vector<std::string> names;
  const Run run{{}, {}, size, nullptr, nullptr, device, nullptr};
  Launcher(*this, run, [&](const char* name, const auto&) { names.push_back(name); }).walk();
  return names;
}

void Program::run(const Run& run) const {
  Launcher(*this, run, [](const char*, const auto& launch) { launch(); }).walk();
}

}  // namespace esr::cuda
