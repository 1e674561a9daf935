// The steps of the GPU's programs as Python adds them: the one place that names a new kind.
// Arguments are checked here, so that the steps need not.
#pragma once

#include "../csrc/cuda/program.h"
#include "../csrc/cuda/steps/conv.h"
#include "../csrc/cuda/steps/convert_launch.h"
#include "../csrc/cuda/steps/esa.h"
#include "../csrc/cuda/steps/input.h"
#include "../csrc/cuda/steps/output.h"
#include "../csrc/cuda/steps/spab.h"
#include "specs.h"

namespace esr::cuda {

// With the steps that the programs of all devices have, as specs.h adds them.
class CudaProgram : public Program {
 public:
  using Program::Program;

  int input(int channels, const double* shift) { return add<Input>(channels, shift)[0]; }
  int conv(const std::vector<int>& sources, const ConvSpec& spec, int residual) {
    return add<Conv>(sources, spec, residual)[0];
  }
  void output(int value, int factor, int skip) { add<Output>(value, factor, skip); }
};

inline void check_sources(const CudaProgram&, const std::vector<int>& sources) {
  if (sources.empty()) throw pybind11::value_error("a convolution takes 1 or more sources");
}

inline int max_factor(const CudaProgram&) { return 46340; }  // its square is an int

inline std::pair<int, int> add_spab(CudaProgram& program, int x, const bindings::Weights& weights) {
  bindings::check_value(program, x);
  const int c = program.channels(x);
  const auto w =
      bindings::specs_of("spab", "conv1, conv2, conv3", weights, {{c, c, 3}, {c, c, 3}, {c, c, 3}});
  const auto values = program.add<Spab>(x, w[0], w[1], w[2]);
  return {values[0], values[2]};
}

inline int add_esa(CudaProgram& program, int q, const bindings::Weights& weights) {
  bindings::check_value(program, q);
  const int c = program.channels(q);
  const int f = weights.empty() || weights[0].first.ndim() != 4 ? 0 : weights[0].first.shape(0);
  const auto w = bindings::specs_of("esa", "conv1, conv_f, conv2, conv3, conv4", weights,
                                    {{f, c, 1}, {f, f, 1}, {f, f, 3}, {f, f, 3}, {c, f, 1}});
  const int a = program.conv({q}, w[0], -1);
  return program.add<Esa>(q, a, w[1], w[2], w[3], w[4])[0];
}

inline void define_cuda_steps(pybind11::class_<CudaProgram>& program) {
  using namespace pybind11::literals;
  bindings::define_steps(program);
  program.def("spab", &add_spab, "x"_a, "weights"_a, "Makes o and t.")
      .def("esa", &add_esa, "q"_a, "weights"_a);
}

inline std::vector<std::string> forms() {
  return form_names<ConvForm, SpabForm, EsaForm, ConvertForm>();
}

}  // namespace esr::cuda
