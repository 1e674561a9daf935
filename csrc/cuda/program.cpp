// Building a program: steps, their packed constants, and which steps become one launch.
#include "program.h"

#include <algorithm>
#include <stdexcept>

#include "pack_weights.h"

namespace esr::cuda {

int Program::add_value(int channels) {
  channels_.push_back(channels);
  producers_.push_back(int(steps_.size()) - 1);
  steps_.back().results.push_back(value_count() - 1);
  return value_count() - 1;
}

Step& Program::add_step(StepKind kind, std::vector<int> sources) {
  steps_.push_back(Step{kind, std::move(sources)});
  return steps_.back();
}

size_t Program::add_constants(const void* data, size_t bytes) {
  constexpr size_t kAlignment = 256;
  const size_t at = (constants_.size() + kAlignment - 1) / kAlignment * kAlignment;
  constants_.resize(at + bytes);
  const char* from = static_cast<const char*>(data);
  std::copy(from, from + bytes, constants_.begin() + at);
  return at;
}

PackedConv Program::pack(const ConvSpec& spec, const std::vector<int>& sources) {
  std::vector<int> channels;
  int slabs = 0;
  for (int source : sources) {
    channels.push_back(channels_[source]);
    slabs += slab_count(format_, channels_[source]);
  }
  if (slabs > kMaxSlabs)
    throw std::invalid_argument("a convolution reads at most " + std::to_string(kMaxSlabs) +
                                " slabs, not " + std::to_string(slabs));
  const int tiles = conv_tiles(format_, spec.out_channels);
  const auto weights = pack_weights(format_, spec, channels, tiles);
  const auto bias = pack_bias(spec, tiles);
  return {spec.kernel,
          spec.out_channels,
          slabs,
          tiles,
          spec.act,
          spec.slope,
          add_constants(weights.data(), weights.size()),
          add_constants(bias.data(), bias.size() * sizeof(float))};
}

int Program::input(int channels, const double* shift) {
  std::vector<float> shifts(channels);
  if (shift) shifts.assign(shift, shift + channels);
  Step& step = add_step(StepKind::input, {});
  step.picture = inputs_++;
  step.shifts = shift != nullptr;
  step.shift = add_constants(shifts.data(), shifts.size() * sizeof(float));
  return add_value(channels);
}

int Program::conv(const std::vector<int>& sources, const ConvSpec& spec, int residual) {
  const PackedConv packed = pack(spec, sources);
  Step& step = add_step(StepKind::conv, sources);
  step.residual = residual;
  step.convs = {packed};
  return add_value(spec.out_channels);
}

std::pair<int, int> Program::spab(int x, const ConvSpec& conv1, const ConvSpec& conv2,
                                  const ConvSpec& conv3) {
  std::vector<PackedConv> convs;
  for (const auto& [spec, act] :
       {std::pair{conv1, Act::silu}, {conv2, Act::silu}, {conv3, Act::spab}}) {
    convs.push_back(pack(spec, {x}));
    convs.back().act = act;
  }
  add_step(StepKind::spab, {x}).convs = convs;
  const int o = add_value(channels(x)), t = add_value(channels(x));
  add_value(channels(x));  // v, where three convolutions are launched
  return {o, t};
}

void Program::output(int value, int factor, int skip) {
  Step& step = add_step(StepKind::output, {value});
  step.residual = skip;
  step.factor = factor;
  step.picture = outputs_++;
}

std::vector<int> Program::readers(int value) const {
  std::vector<int> found;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (step.residual == value || std::count(step.sources.begin(), step.sources.end(), value))
      found.push_back(int(i));
  }
  return found;
}

// A 3x3 convolution of one input picture, and of nothing else, whose channels fit one slab.
bool Program::reads_picture(const Step& step) const {
  if (step.kind != StepKind::conv || step.sources.size() != 1 || step.convs[0].kernel != 3)
    return false;
  const int source = step.sources[0];
  return steps_[producers_[source]].kind == StepKind::input && step.residual != source &&
         channels_[source] <= slab_channels(format_);
}

// Whether a step takes this input's value from the picture itself.
bool Program::takes_picture(const Step& step, int value) const {
  if (step.kind == StepKind::output)
    return step.residual == value && step.sources[0] != value && is_fused(step);
  return reads_picture(step) && step.residual != value;
}

// Whether an input's value is needed as slabs.
bool Program::is_packed(const Step& input) const {
  const auto reading = readers(input.results[0]);
  return std::any_of(reading.begin(), reading.end(),
                     [&](int reader) { return !takes_picture(steps_[reader], input.results[0]); });
}

// The output that this convolution writes itself: it is read by nothing else, and what is added
// there is an input picture as it is.
const Step* Program::fused_output(const Step& conv) const {
  if (conv.kind != StepKind::conv || conv.convs[0].kernel != 3 || reads_picture(conv) ||
      conv.convs[0].act != Act::none || conv.residual >= 0)
    return nullptr;
  const auto reading = readers(conv.results[0]);
  if (reading.size() != 1 || steps_[reading[0]].kind != StepKind::output) return nullptr;
  const Step& output = steps_[reading[0]];
  if (output.residual < 0) return &output;
  const Step& skip = steps_[producers_[output.residual]];
  return skip.kind == StepKind::input && !skip.shifts ? &output : nullptr;
}

bool Program::is_fused(const Step& output) const {
  return fused_output(steps_[producers_[output.sources[0]]]) == &output;
}

}  // namespace esr::cuda
