// The steps of the CPU's programs as Python adds them: the one place in the bindings that names a
// new kind. Arguments are checked here, so that the steps need not.
#pragma once

#include "../csrc/cpu/program.h"
#include "../csrc/cpu/steps/adaptive_max_pool.h"
#include "../csrc/cpu/steps/bilinear.h"
#include "../csrc/cpu/steps/channel_norm.h"
#include "../csrc/cpu/steps/conv1x1.h"
#include "../csrc/cpu/steps/conv3x3.h"
#include "../csrc/cpu/steps/depthwise.h"
#include "../csrc/cpu/steps/depthwise3x3.h"
#include "../csrc/cpu/steps/direct_conv.h"
#include "../csrc/cpu/steps/formula.h"
#include "../csrc/cpu/steps/input.h"
#include "../csrc/cpu/steps/join.h"
#include "../csrc/cpu/steps/max_pool.h"
#include "../csrc/cpu/steps/nearest.h"
#include "../csrc/cpu/steps/output.h"
#include "../csrc/cpu/steps/part.h"
#include "../csrc/cpu/steps/statistic.h"
#include "../csrc/cpu/steps/strided_conv.h"
#include "../csrc/cpu/steps/tile_conv.h"
#include "../csrc/cpu/steps/window_variance.h"
#include "specs.h"

namespace esr {

// With the steps that the programs of all devices have, as specs.h adds them.
class CpuProgram : public Program {
 public:
  using Program::Program;

  int input(int channels, const double* shift) { return add<Input>(channels, shift); }
  int conv(const std::vector<int>& sources, const ConvSpec& spec, int residual) {
    if (has_tiles()) return add<TileConv>(sources, spec, residual);
    if (spec.kernel == 1) return add<Conv1x1>(sources, spec, residual);
    return add<Conv3x3>(sources, spec, residual);
  }
  void output(int value, int factor, int skip) { add<Output>(value, factor, skip); }
};

inline void check_sources(const CpuProgram&, const std::vector<int>& sources) {
  constexpr size_t kMost = 8;
  if (sources.empty() || sources.size() > kMost)
    throw pybind11::value_error("a step takes 1 to 8 sources");
}

inline int max_factor(const CpuProgram&) { return 8; }

inline void check_act(const CpuProgram&, Act) {}  // knows them all

inline Taps taps_of(const bindings::Array& weight, int dilation) {
  const Taps taps{int(weight.shape(2)), int(weight.shape(3)), dilation};
  if (taps.rows % 2 == 0 || taps.columns % 2 == 0)
    throw pybind11::value_error("a kernel's rows and columns must be odd");
  if (dilation < 1) throw pybind11::value_error("a dilation must be 1 or more");
  return taps;
}

inline int add_depthwise(CpuProgram& program, int source, const bindings::Array& weight,
                         const std::optional<bindings::Array>& bias, const std::string& act,
                         float slope, int residual, int dilation, bool reflect) {
  const ConvSpec spec = bindings::any_spec_of(weight, bias, act, slope);
  Taps taps = taps_of(weight, dilation);
  taps.reflect = reflect;
  bindings::check_value(program, source);
  if (spec.out_channels != program.channels(source) || spec.in_channels != 1)
    throw pybind11::value_error("a depthwise weight must be [source's channels, 1, rows, columns]");
  bindings::check_epilogue(program, spec, residual);
  if (taps == Taps{3, 3}) return program.add<Depthwise3x3>(source, spec, residual);
  return program.add<Depthwise>(source, spec, taps, residual);
}

inline int add_direct(CpuProgram& program, const std::vector<int>& sources,
                      const bindings::Array& weight, const std::optional<bindings::Array>& bias,
                      const std::string& act, float slope, int residual, int dilation, int groups) {
  const ConvSpec spec = bindings::any_spec_of(weight, bias, act, slope);
  const Taps taps = taps_of(weight, dilation);
  int channels = 0;
  for (int source : sources) {
    bindings::check_value(program, source);
    channels += program.channels(source);
  }
  check_sources(program, sources);
  if (groups < 1 || spec.out_channels % groups || spec.in_channels * groups != channels)
    throw pybind11::value_error(
        "a weight must be [out, sources' channels / groups, rows, columns]");
  bindings::check_epilogue(program, spec, residual);
  return program.add<DirectConv>(sources, spec, taps, groups, residual);
}

inline int add_strided(CpuProgram& program, int source, const bindings::Array& weight,
                       const std::optional<bindings::Array>& bias, const std::string& act,
                       float slope, int residual, int padding) {
  const ConvSpec spec = bindings::any_spec_of(weight, bias, act, slope);
  bindings::check_value(program, source);
  if (weight.shape(2) != weight.shape(3) || !is_strided_size(spec.kernel, padding) ||
      spec.in_channels != program.channels(source))
    throw pybind11::value_error(
        "a strided weight must be [out, source's channels, k, k] with k = 2 or 3 without padding, "
        "3 or 4 with a padding of 1");
  bindings::check_epilogue(program, spec, residual);
  if (program.has_tiles() && !is_split(spec.out_channels))
    return program.add<TileConv>(std::vector<int>{source}, spec, residual, 2, padding);
  return program.add<StridedConv>(source, spec, padding, residual);
}

inline int add_max_pool(CpuProgram& program, int source, int kernel, int stride, int padding) {
  bindings::check_value(program, source);
  if (kernel < 1 || stride < 1)
    throw pybind11::value_error("a pooling's kernel and stride must be 1 or more");
  if (padding < 0 || 2 * padding > kernel)
    throw pybind11::value_error("a pooling's padding must be 0 to half of its kernel");
  return program.add<MaxPool>(source, kernel, stride, padding);
}

inline int add_window_variance(CpuProgram& program, int source, int kernel, int stride,
                               int padding) {
  bindings::check_value(program, source);
  if (kernel < 2 || stride < 1)
    throw pybind11::value_error("a window has 2x2 pixels or more, and a stride of 1 or more");
  if (padding < 0 || 3 * padding >= kernel)
    throw pybind11::value_error("a window's padding must be less than a third of it");
  return program.add<WindowVariance>(source, kernel, stride, padding);
}

// To the size of the value `like`, or so many times the size where that is -1.
template <class Kind>
int add_resampling(CpuProgram& program, int source, int like, int factor) {
  bindings::check_value(program, source);
  if (like >= 0) {
    bindings::check_value(program, like);
    return program.add<Kind>(source, program.resolution(like));
  }
  if (factor < 1) throw pybind11::value_error("a factor must be 1 or more");
  return program.add<Kind>(
      source, program.axes().sampled(program.resolution(source), Sampling::enlarging(factor)));
}

inline int add_adaptive_max_pool(CpuProgram& program, int source, int divisor) {
  bindings::check_value(program, source);
  if (divisor < 1) throw pybind11::value_error("a divisor must be 1 or more");
  return program.add<AdaptiveMaxPool>(source, divisor);
}

inline int add_join(CpuProgram& program, const std::vector<int>& sources) {
  for (int source : sources) bindings::check_value(program, source);
  check_sources(program, sources);
  return program.add<Join>(sources);
}

inline int add_part(CpuProgram& program, int source, int first, int count) {
  bindings::check_value(program, source);
  if (first < 0 || count < 1 || first + count > program.channels(source))
    throw pybind11::value_error("a part must be channels of its source");
  return program.add<Part>(source, first, count);
}

inline int add_statistic(CpuProgram& program, int source, const std::string& measure,
                         int correction) {
  bindings::check_value(program, source);
  for (const auto& [name, kind] :
       {std::pair{"mean", Measure::mean}, {"var", Measure::variance}, {"std", Measure::deviation}})
    if (measure == name)
      return program.add<Statistic>(program.add<RowStatistic>(source), kind, correction);
  throw pybind11::value_error("unknown measure '" + measure + "'");
}

// Rows and columns of a value for pictures of this size.
inline std::pair<int, int> size_of(CpuProgram& program, int value, int height, int width) {
  bindings::check_value(program, value);
  const Resolution r = program.resolution(value);
  return {program.axes().length(r.rows, height, width),
          program.axes().length(r.columns, height, width)};
}

inline Function function_of(const std::string& name) {
  for (size_t i = 0; i < std::size(kFunctionNames); ++i)
    if (name == kFunctionNames[i]) return Function(i);
  throw pybind11::value_error("unknown function '" + name + "'");
}

// A function's name and its operands: sources, then constants, then the results of earlier terms.
using NamedTerm = std::tuple<std::string, int, int>;

inline std::vector<Term> terms_of(const std::vector<NamedTerm>& named, int given) {
  std::vector<Term> terms;
  for (const auto& [name, a, b] : named) {
    const Term term{function_of(name), a, b, 0};
    const int known = given + int(terms.size());
    const bool second = takes_two(term.function) ? b >= 0 && b < known : b == -1;
    if (a < 0 || a >= known || !second)
      throw pybind11::value_error("the operands of '" + name + "' are not known yet");
    terms.push_back(term);
  }
  if (terms.empty()) throw pybind11::value_error("a formula has at least one term");
  return terms;
}

inline int add_formula(CpuProgram& program, const std::vector<int>& sources,
                       const bindings::Array& constants, const std::vector<NamedTerm>& terms) {
  int channels = 1;
  for (int source : sources) {
    bindings::check_value(program, source);
    channels = std::max(channels, program.channels(source));
  }
  check_sources(program, sources);
  for (int source : sources)
    if (program.channels(source) != channels && program.channels(source) != 1)
      throw pybind11::value_error("the sources' channels must be the same, or one");
  if (constants.ndim() != 2 || (constants.shape(0) && constants.shape(1) != channels))
    throw pybind11::value_error("constants must be [count, channels]");
  const int count = int(constants.shape(0));
  return program.add<Formula>(sources, FormulaSpec{channels, count, constants.data(),
                                                   terms_of(terms, int(sources.size()) + count)});
}

inline int add_channel_norm(CpuProgram& program, int source, const bindings::Array& weight,
                            const bindings::Array& bias, double eps, const std::string& kind) {
  bindings::check_value(program, source);
  if (weight.size() != program.channels(source) || bias.size() != program.channels(source))
    throw pybind11::value_error("a norm's weight and bias must be [source's channels]");
  for (const auto& [name, norm] :
       {std::pair{"layer", Norm::layer}, {"rms", Norm::rms}, {"length", Norm::length}})
    if (kind == name)
      return program.add<ChannelNorm>(source, weight.data(), bias.data(), eps, norm);
  throw pybind11::value_error("unknown kind of norm '" + kind + "'");
}

inline void define_cpu_steps(pybind11::class_<CpuProgram>& program) {
  using namespace pybind11::literals;
  program
      .def("depthwise", &add_depthwise, "source"_a, "weight"_a, "bias"_a, "act"_a = "none",
           "slope"_a = 0.f, "residual"_a = -1, "dilation"_a = 1, "reflect"_a = false)
      .def("direct_conv", &add_direct, "sources"_a, "weight"_a, "bias"_a, "act"_a = "none",
           "slope"_a = 0.f, "residual"_a = -1, "dilation"_a = 1, "groups"_a = 1,
           "Of any odd size, padded by zeros to keep the size.")
      .def("strided_conv", &add_strided, "source"_a, "weight"_a, "bias"_a, "act"_a = "none",
           "slope"_a = 0.f, "residual"_a = -1, "padding"_a = 0, "Stride 2.")
      .def("max_pool", &add_max_pool, "source"_a, "kernel"_a, "stride"_a, "padding"_a = 0)
      .def("window_variance", &add_window_variance, "source"_a, "kernel"_a, "stride"_a,
           "padding"_a = 0)
      .def("channel_norm", &add_channel_norm, "source"_a, "weight"_a, "bias"_a, "eps"_a,
           "kind"_a = "layer")
      .def("formula", &add_formula, "sources"_a, "constants"_a, "terms"_a,
           "Elementwise; terms are (function, operand, operand or -1).")
      .def("bilinear", &add_resampling<Bilinear>, "source"_a, "like"_a = -1, "factor"_a = 1,
           "To the size of the value `like` or by the factor, align_corners=False.")
      .def("nearest", &add_resampling<Nearest>, "source"_a, "like"_a = -1, "factor"_a = 1)
      .def("adaptive_max_pool", &add_adaptive_max_pool, "source"_a, "divisor"_a)
      .def("join", &add_join, "sources"_a)
      .def("part", &add_part, "source"_a, "first"_a, "count"_a, "Some of the channels.")
      .def("statistic", &add_statistic, "source"_a, "measure"_a, "correction"_a,
           "mean, var or std over the picture.")
      .def(
          "pixel",
          [](CpuProgram& p, int channels) { return p.add<Input>(channels, nullptr, true); },
          "channels"_a, "An input of one pixel.")
      .def("size_of", &size_of, "value"_a, "height"_a, "width"_a);
}

}  // namespace esr
