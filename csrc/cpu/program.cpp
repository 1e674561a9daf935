// Building a program: steps and their packed constants.
#include "program.h"

namespace esr {

namespace {

Buffer pack_weight(StepKind kind, const ConvSpec& s, int group) {
  if (kind == StepKind::depthwise3x3) return pack_bias(s.weight, s.out_channels * 9, 1);
  const auto pack = kind == StepKind::conv3x3 ? pack_winograd : pack_pointwise;
  return pack(s.weight, s.out_channels, s.in_channels, group);
}

}  // namespace

PackedConv::PackedConv(StepKind kind, const ConvSpec& s, int group)
    : weight(pack_weight(kind, s, group)),
      bias(pack_bias(s.bias, s.out_channels, group)),
      view{s.in_channels, s.out_channels, weight.data(), bias.data(), s.act, s.slope} {}

int Program::add_value(int channels) {
  values_.push_back(Value{channels});
  return int(values_.size()) - 1;
}

int Program::add_step(Step step, int channels) {
  step.result = channels ? add_value(channels) : -1;
  steps_.push_back(std::move(step));
  geometry_.reset();  // what was planned is out of date
  return steps_.back().result;
}

int Program::input(int channels, const double* shift) {
  Step step{StepKind::pack};
  step.picture = inputs_++;
  step.shift = pack_bias(shift, channels, 1);
  return add_step(std::move(step), channels);
}

int Program::add_conv(StepKind kind, std::vector<int> sources, const ConvSpec& spec, int residual) {
  Step step{kind};
  step.sources = std::move(sources);
  step.residual = residual;
  step.conv = std::make_unique<PackedConv>(kind, spec, kernels_.group);
  return add_step(std::move(step), spec.out_channels);
}

int Program::conv(const std::vector<int>& sources, const ConvSpec& spec, int residual) {
  return add_conv(spec.kernel == 3 ? StepKind::conv3x3 : StepKind::conv1x1, sources, spec,
                  residual);
}

int Program::depthwise(int source, const ConvSpec& spec, int residual) {
  return add_conv(StepKind::depthwise3x3, {source}, spec, residual);
}

int Program::esa(int q, const ConvSpec& conv1, const ConvSpec& conv_f, const ConvSpec& conv2,
                 const ConvSpec& conv3, const ConvSpec& conv4) {
  const int a = conv({q}, conv1, -1);
  const int esa = int(esa_channels_.size());
  esa_channels_.push_back(conv1.out_channels);
  const auto map_step = [&](StepKind kind, const ConvSpec* spec) {
    Step step{kind};
    step.esa = esa;
    if (kind == StepKind::esa_conv) step.sources = {a};
    if (spec) {
      step.weight = pack_bias(spec->weight, spec->out_channels * spec->in_channels * 9, 1);
      step.bias = pack_bias(spec->bias, spec->out_channels, 1);
    }
    add_step(std::move(step), 0);
  };
  map_step(StepKind::esa_conv, &conv2);
  map_step(StepKind::esa_pool, nullptr);
  map_step(StepKind::esa_map, &conv3);
  Step gate{StepKind::esa_gate};
  gate.esa = esa;
  gate.sources = {q, a};
  gate.conv = std::make_unique<PackedConv>(StepKind::conv1x1, conv_f, kernels_.group);
  gate.conv4 = std::make_unique<PackedConv>(StepKind::conv1x1, conv4, kernels_.group);
  return add_step(std::move(gate), channels(q));
}

void Program::output(int value, int factor, int skip) {
  Step step{StepKind::shuffle};
  step.sources = {value};
  step.residual = skip;
  step.factor = factor;
  step.picture = outputs_++;
  add_step(std::move(step), 0);
}

}  // namespace esr
