// What the programs of all devices take from Python: convolutions as arrays of double, values as
// numbers; checked here, so that the programs need not.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../csrc/conv_spec.h"

namespace esr::bindings {

namespace py = pybind11;
using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Weights = std::vector<std::pair<Array, std::optional<Array>>>;

inline const double* data_or_null(const std::optional<Array>& array) {
  return array ? array->data() : nullptr;
}

inline Act act_of(const std::string& name) {
  for (size_t i = 0; i < std::size(kActNames); ++i)
    if (name == kActNames[i]) return Act(i);
  throw py::value_error("unknown activation '" + name + "'");
}

// Of a kernel of any size; ConvSpec::kernel are its rows.
inline ConvSpec any_spec_of(const Array& weight, const std::optional<Array>& bias,
                            const std::string& act, float slope) {
  if (weight.ndim() != 4) throw py::value_error("a weight must be [out, in, rows, columns]");
  if (weight.size() == 0) throw py::value_error("a weight must not be empty");
  if (bias && (bias->ndim() != 1 || bias->shape(0) != weight.shape(0)))
    throw py::value_error("a bias must be [out]");
  return {int(weight.shape(0)),
          int(weight.shape(1)),
          int(weight.shape(2)),
          weight.data(),
          data_or_null(bias),
          act_of(act),
          slope};
}

inline ConvSpec spec_of(const Array& weight, const std::optional<Array>& bias,
                        const std::string& act = "none", float slope = 0) {
  if (weight.ndim() != 4 || weight.shape(2) != weight.shape(3) ||
      (weight.shape(2) != 1 && weight.shape(2) != 3))
    throw py::value_error("a weight must be [out, in, k, k] with k = 1 or 3");
  return any_spec_of(weight, bias, act, slope);
}

// The convolutions of one op, by name, each of {out, in, k} in `shapes`.
inline std::vector<ConvSpec> specs_of(const std::string& op, const std::string& names,
                                      const Weights& weights,
                                      const std::vector<std::vector<int>>& shapes) {
  if (weights.size() != shapes.size()) throw py::value_error(op + " takes " + names);
  std::vector<ConvSpec> specs;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const auto& [weight, bias] = weights[i];
    specs.push_back(spec_of(weight, bias));
    const ConvSpec& spec = specs.back();
    if (std::vector<int>{spec.out_channels, spec.in_channels, spec.kernel} != shapes[i])
      throw py::value_error(op + " weight " + std::to_string(i) + " has the wrong shape");
  }
  return specs;
}

template <class Program>
void check_value(const Program& program, int value) {
  if (value < 0 || value >= program.value_count())
    throw py::value_error("value " + std::to_string(value) + " is none of this program's");
}

template <class Program>
int add_input(Program& program, int channels, const std::optional<Array>& shift) {
  if (channels < 1) throw py::value_error("a picture has 1 or more channels");
  if (shift && shift->size() != channels) throw py::value_error("shift must be [channels]");
  return program.input(channels, data_or_null(shift));
}

// Of programs whose kernels lack an activation. A device that has them all has its own, for its
// program, in the program's namespace.
template <class Program>
void check_act(const Program&, Act act) {
  if (act == Act::gate) throw py::value_error("act 'gate' is not known on this device");
}

template <class Program>
void check_epilogue(const Program& program, const ConvSpec& spec, int residual) {
  check_act(program, spec.act);
  if (residual >= 0) check_value(program, residual);
  if (residual >= 0 && program.channels(residual) != spec.out_channels)
    throw py::value_error("the residual's channels are not the weight's output channels");
  if (needs_residual(spec.act) && residual < 0)
    throw py::value_error("act '" + std::string(kActNames[int(spec.act)]) + "' needs a residual");
}

template <class Program>
int add_conv(Program& program, const std::vector<int>& sources, const Array& weight,
             const std::optional<Array>& bias, const std::string& act, float slope, int residual) {
  const ConvSpec spec = spec_of(weight, bias, act, slope);
  int channels = 0;
  for (int source : sources) {
    check_value(program, source);
    channels += program.channels(source);
  }
  check_sources(program, sources);
  if (channels != spec.in_channels)
    throw py::value_error("the sources' channels do not add up to the weight's");
  check_epilogue(program, spec, residual);
  return program.conv(sources, spec, residual);
}

template <class Program>
void add_output(Program& program, int value, int factor, int skip) {
  check_value(program, value);
  if (skip >= 0) check_value(program, skip);
  const int most = max_factor(program);
  if (factor < 1 || factor > most)
    throw py::value_error("the shuffle factor must be 1 to " + std::to_string(most));
  if (program.channels(value) % (factor * factor))
    throw py::value_error("the channels must divide by the factor squared");
  if (skip >= 0 && program.channels(skip) * factor * factor != program.channels(value))
    throw py::value_error("the skip picture must have the output's channels");
  program.output(value, factor, skip);
}

// Before a run; the pictures' sizes are the caller's word.
template <class Program>
void check_run(const Program& program, size_t inputs, size_t outputs, int batch, int height,
               int width) {
  if (int(inputs) != program.input_count() || int(outputs) != program.output_count())
    throw py::value_error("the program has " + std::to_string(program.input_count()) +
                          " input and " + std::to_string(program.output_count()) + " output");
  if (batch < 1 || height < 1 || width < 1) throw py::value_error("the picture is empty");
}

// How every program is built. Each device's own limits are check_sources(), check_act() and
// max_factor().
template <class Program>
void define_steps(py::class_<Program>& program) {
  using namespace pybind11::literals;
  program.def("input", &add_input<Program>, "channels"_a, "shift"_a = py::none())
      .def("conv", &add_conv<Program>, "sources"_a, "weight"_a, "bias"_a, "act"_a = "none",
           "slope"_a = 0.f, "residual"_a = -1)
      .def("output", &add_output<Program>, "value"_a, "factor"_a = 1, "skip"_a = -1);
}

// The CUDA kernels' part of the module; cuda_bindings.cpp.
void define_cuda(py::module_& module);

}  // namespace esr::bindings
