// The pybind11 module esr_kernels._C: pointers, sizes and strides in; no torch.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "program.h"

namespace py = pybind11;
using namespace pybind11::literals;

namespace {

using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;
using esr::Program;

esr::Act act_of(const std::string& name) {
  const char* names[] = {"none", "relu", "lrelu", "silu", "gelu", "spab"};
  for (int i = 0; i < 6; ++i)
    if (name == names[i]) return esr::Act(i);
  throw py::value_error("unknown activation '" + name + "'");
}

const double* data_or_null(const std::optional<Array>& array) {
  return array ? array->data() : nullptr;
}

esr::ConvSpec spec_of(const Array& weight, const std::optional<Array>& bias,
                      const std::string& act = "none", float slope = 0) {
  if (weight.ndim() != 4 || weight.shape(2) != weight.shape(3) ||
      (weight.shape(2) != 1 && weight.shape(2) != 3))
    throw py::value_error("a weight must be [out, in, k, k] with k = 1 or 3");
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

void check_value(const Program& program, int value) {
  if (value < 0 || value >= program.value_count())
    throw py::value_error("value " + std::to_string(value) + " is none of this program's");
}

int add_conv(Program& program, const std::vector<int>& sources, const Array& weight,
             const std::optional<Array>& bias, const std::string& act, float slope, int residual) {
  const esr::ConvSpec spec = spec_of(weight, bias, act, slope);
  if (sources.empty() || sources.size() > esr::kMaxSources)
    throw py::value_error("a convolution takes 1 to 8 sources");
  int channels = 0;
  for (int source : sources) {
    check_value(program, source);
    channels += program.channels(source);
  }
  if (channels != spec.in_channels)
    throw py::value_error("the sources' channels do not add up to the weight's");
  if (residual >= 0) check_value(program, residual);
  if (residual >= 0 && program.channels(residual) != spec.out_channels)
    throw py::value_error("the residual's channels are not the weight's output channels");
  if (spec.act == esr::Act::spab && residual < 0)
    throw py::value_error("act 'spab' needs a residual");
  return program.conv(sources, spec, residual);
}

int add_esa(Program& program, int q, const std::vector<std::pair<Array, std::optional<Array>>>& w) {
  check_value(program, q);
  if (w.size() != 5) throw py::value_error("esa takes conv1, conv_f, conv2, conv3, conv4");
  std::vector<esr::ConvSpec> specs;
  for (const auto& [weight, bias] : w) specs.push_back(spec_of(weight, bias));
  const int c = program.channels(q), f = specs[0].out_channels;
  const int shapes[5][3] = {{f, c, 1}, {f, f, 1}, {f, f, 3}, {f, f, 3}, {c, f, 1}};
  for (int i = 0; i < 5; ++i)
    if (specs[i].out_channels != shapes[i][0] || specs[i].in_channels != shapes[i][1] ||
        specs[i].kernel != shapes[i][2])
      throw py::value_error("esa weight " + std::to_string(i) + " has the wrong shape");
  return program.esa(q, specs[0], specs[1], specs[2], specs[3], specs[4]);
}

void add_output(Program& program, int value, int factor, int skip) {
  check_value(program, value);
  if (skip >= 0) check_value(program, skip);
  if (factor < 1 || factor > 8) throw py::value_error("the shuffle factor must be 1 to 8");
  if (program.channels(value) % (factor * factor))
    throw py::value_error("the channels must divide by the factor squared");
  if (skip >= 0 && program.channels(skip) * factor * factor != program.channels(value))
    throw py::value_error("the skip picture must have the output's channels");
  program.output(value, factor, skip);
}

// (address, batch stride, channel stride, row stride), strides in floats
using PictureTuple = std::tuple<uintptr_t, size_t, size_t, size_t>;

void run(Program& program, const std::vector<PictureTuple>& inputs,
         const std::vector<PictureTuple>& outputs, int batch, int height, int width, int threads) {
  const auto pictures = [](const std::vector<PictureTuple>& tuples) {
    std::vector<Program::Picture> list;
    for (const auto& [address, batch_stride, plane, row] : tuples)
      list.push_back({reinterpret_cast<float*>(address), batch_stride, plane, row});
    return list;
  };
  if (int(inputs.size()) != program.input_count() || int(outputs.size()) != program.output_count())
    throw py::value_error("the program has " + std::to_string(program.input_count()) +
                          " input and " + std::to_string(program.output_count()) + " output");
  if (threads < 1) throw py::value_error("threads must be 1 or more");
  if (batch < 1 || height < 1 || width < 1) throw py::value_error("the picture is empty");
  const auto in = pictures(inputs), out = pictures(outputs);
  const py::gil_scoped_release release;
  program.run(in, out, batch, height, width, threads);
}

std::vector<const esr::Kernels*> kernels_here() {
  int count = 0;
  const auto built = esr::built_kernels(&count);
  std::vector<const esr::Kernels*> list;
  for (int i = 0; i < count; ++i)
    if (esr::can_run(*built[i])) list.push_back(built[i]);
  return list;
}

std::unique_ptr<Program> make_program(const std::string& isa) {
  for (const esr::Kernels* kernels : kernels_here())
    if (isa.empty() || isa == kernels->name) return std::make_unique<Program>(*kernels);
  throw py::value_error("instruction set '" + isa + "' is not built, or not of this processor");
}

std::vector<std::string> built() {
  int count = 0;
  const auto kernels = esr::built_kernels(&count);
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(kernels[i]->name);
  return names;
}

std::vector<std::string> runnable() {
  std::vector<std::string> names;
  for (const esr::Kernels* kernels : kernels_here()) names.push_back(kernels->name);
  return names;
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  m.doc() = "Compiled kernels of esr_kernels. Use esr_kernels.ops and esr_kernels.accelerate.";
  m.def("built_isas", &built, "Instruction sets compiled in, best first.");
  m.def("isas", &runnable, "Those that this processor runs, best first.");
  py::class_<Program>(m, "Program", "Steps over rows of pictures; see csrc/cpu/program.h.")
      .def(py::init(&make_program), "isa"_a = "")
      .def_property_readonly("isa", [](const Program& p) { return p.kernels().name; })
      .def(
          "input",
          [](Program& p, int channels, const std::optional<Array>& shift) {
            if (channels < 1) throw py::value_error("a picture has 1 or more channels");
            if (shift && shift->size() != channels)
              throw py::value_error("shift must be [channels]");
            return p.input(channels, data_or_null(shift));
          },
          "channels"_a, "shift"_a = py::none())
      .def("conv", &add_conv, "sources"_a, "weight"_a, "bias"_a, "act"_a = "none", "slope"_a = 0.f,
           "residual"_a = -1)
      .def("esa", &add_esa, "q"_a, "weights"_a)
      .def("output", &add_output, "value"_a, "factor"_a = 1, "skip"_a = -1)
      .def("run", &run, "inputs"_a, "outputs"_a, "batch"_a, "height"_a, "width"_a, "threads"_a);
}
