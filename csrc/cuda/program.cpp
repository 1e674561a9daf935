// Building a program: steps, their packed constants, and which steps become one launch.
#include "program.h"

#include <algorithm>
#include <stdexcept>

#include "pack_weights.h"

namespace esr::cuda {

Program::Program(Format format, const Options& options) : format_(format), options_(options) {
  const int n_tiles = options.n_tiles, blocks = options.blocks_per_sm;
  if (n_tiles < 0 || n_tiles > 8 || n_tiles % 2)
    throw std::invalid_argument("convolutions take 2, 4, 6 or 8 tiles, not " +
                                std::to_string(n_tiles));
  if (blocks < 0 || blocks > 2)
    throw std::invalid_argument("convolutions run in 1 or 2 blocks per SM, not " +
                                std::to_string(blocks));
  if (options.half_sums != Options::HalfSums::never && format != Format::f16)
    throw std::invalid_argument(std::string("only f16 has half sums, not ") + name_of(format));
  if (options.spab == Options::Spab::fused && format == Format::tf32)
    throw std::invalid_argument("tf32 has no spab in one kernel; use f16 or bf16");
}

int Program::conv_tiles_of(int out_channels) const {
  return options_.n_tiles ? options_.n_tiles : conv_tiles(format_, out_channels);
}

int Program::add_value(int channels) {
  channels_.push_back(channels);
  readers_.emplace_back();
  producers_.push_back(int(steps_.size()) - 1);
  steps_.back().results.push_back(value_count() - 1);
  return value_count() - 1;
}

Step& Program::add_step(StepKind kind, std::vector<int> sources, int residual) {
  steps_.push_back(Step{kind, std::move(sources), residual});
  const Step& step = steps_.back();
  const int number = int(steps_.size()) - 1;
  for (int value = 0; value < value_count(); ++value)
    if (value == residual || std::count(step.sources.begin(), step.sources.end(), value))
      readers_[value].push_back(number);
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
  const int tiles = conv_tiles_of(spec.out_channels);
  return {spec.kernel,
          spec.out_channels,
          slabs,
          tiles,
          spec.act,
          spec.slope,
          add_constants(pack_weights(format_, spec, channels, tiles)),
          add_constants(pack_bias(spec, tiles))};
}

int Program::input(int channels, const double* shift) {
  std::vector<float> shifts(channels);
  if (shift) shifts.assign(shift, shift + channels);
  Step& step = add_step(StepKind::input, {});
  step.picture = inputs_++;
  step.shifts = shift != nullptr;
  step.shift = add_constants(shifts);
  return add_value(channels);
}

int Program::conv(const std::vector<int>& sources, const ConvSpec& spec, int residual) {
  const PackedConv packed = pack(spec, sources);
  add_step(StepKind::conv, sources, residual).convs = {packed};
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

int Program::esa(int q, const ConvSpec& conv1, const ConvSpec& conv_f, const ConvSpec& conv2,
                 const ConvSpec& conv3, const ConvSpec& conv4) {
  const int channels = conv1.out_channels;
  if (channels > kEsaMaxChannels)
    throw std::invalid_argument("esa works on at most " + std::to_string(kEsaMaxChannels) +
                                " channels, not " + std::to_string(channels));
  const int a = conv({q}, conv1, -1), tiles = conv_tiles(format_, channels);
  const int columns = divide_up(conv4.out_channels, 16) * 16;
  PackedEsa packed{channels};
  packed.conv2 = add_constants(pack_weights(format_, conv2, {channels}, tiles));
  packed.conv3 = add_constants(pack_esa_map(conv3, tiles));
  packed.conv4 = add_constants(pack_esa_gate(format_, conv4, columns));
  packed.conv_f = add_constants(pack_weights(format_, conv_f, {channels}, tiles));
  packed.bias2 = add_constants(pack_bias(conv2, tiles));
  packed.bias3 = add_constants(pack_bias(conv3, tiles));
  packed.bias4 = add_constants(pack_bias(conv4, columns / 8));
  packed.bias_f = add_constants(pack_bias(conv_f, tiles));
  add_step(StepKind::esa, {q, a}).esa = packed;
  const int result = add_value(this->channels(q));
  add_value(slab_channels(format_));  // the small maps
  return result;
}

void Program::output(int value, int factor, int skip) {
  Step& step = add_step(StepKind::output, {value}, skip);
  step.factor = factor;
  step.picture = outputs_++;
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
  const auto& reading = readers_[input.results[0]];
  return std::any_of(reading.begin(), reading.end(),
                     [&](int reader) { return !takes_picture(steps_[reader], input.results[0]); });
}

// The output that this convolution writes itself: it is read by nothing else, and what is added
// there is an input picture as it is.
const Step* Program::fused_output(const Step& conv) const {
  if (conv.kind != StepKind::conv || conv.convs[0].kernel != 3 || reads_picture(conv) ||
      conv.convs[0].act != Act::none || conv.residual >= 0)
    return nullptr;
  const auto& reading = readers_[conv.results[0]];
  if (reading.size() != 1 || steps_[reading[0]].kind != StepKind::output) return nullptr;
  const Step& output = steps_[reading[0]];
  if (output.residual < 0) return &output;
  const Step& skip = steps_[producers_[output.residual]];
  return skip.kind == StepKind::input && !skip.shifts ? &output : nullptr;
}

bool Program::is_fused(const Step& output) const {
  return fused_output(steps_[producers_[output.sources[0]]]) == &output;
}

// The 1x1 convolution that this one's kernel makes as well, as a step, or -1. Nothing else reads
// the result, and one block holds all columns of both.
int Program::fused_pointwise(const Step& conv) const {
  if (conv.kind != StepKind::conv || conv.convs[0].kernel != 3 || reads_picture(conv) ||
      format_ == Format::tf32)
    return -1;
  const int value = conv.results[0];
  const auto& reading = readers_[value];
  if (reading.size() != 1) return -1;
  const Step& next = steps_[reading[0]];
  if (next.kind != StepKind::conv || next.residual >= 0 || next.convs[0].kernel != 1 ||
      next.convs[0].act != Act::none ||
      std::count(next.sources.begin(), next.sources.end(), value) != 1)
    return -1;
  const PackedConv &first = conv.convs[0], &second = next.convs[0];
  if (second.slabs > kMaxPointwiseSlabs) return -1;
  const int columns = 8 * first.n_tiles;
  const bool one_block = std::max(first.out_channels, second.out_channels) <= columns;
  return one_block && first.n_tiles == second.n_tiles ? reading[0] : -1;
}

bool Program::is_pointwise(const Step& step) const {
  return std::any_of(step.sources.begin(), step.sources.end(), [&](int source) {
    const int fused = fused_pointwise(steps_[producers_[source]]);
    return fused >= 0 && &steps_[fused] == &step;
  });
}

}  // namespace esr::cuda
