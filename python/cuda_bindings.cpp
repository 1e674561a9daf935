// esr_kernels._C.cuda: programs for NVIDIA GPUs. Addresses are the device's; no torch.
#include <array>
#include <sstream>

#include "cuda_steps.h"

namespace py = pybind11;
using namespace pybind11::literals;

namespace esr::cuda {

namespace {

// The number of a name in a list.
template <size_t kCount>
int index_of(const std::array<const char*, kCount>& names, const std::string& name,
             const char* what) {
  for (size_t i = 0; i < kCount; ++i)
    if (name == names[i]) return int(i);
  throw py::value_error(std::string("unknown ") + what + " '" + name + "'");
}

Format format_of(const std::string& name) {
  return Format(index_of<3>({"f16", "bf16", "tf32"}, name, "format"));
}
Element element_of(const std::string& name) {
  return Element(index_of<4>({"f32", "f16", "bf16", "u8"}, name, "type of elements"));
}

Options options_of(const std::string& fusion, const std::string& half_sums,
                   std::optional<int> n_tiles, std::optional<int> blocks_per_sm,
                   std::optional<int> shared_bytes) {
  Options options;
  options.fusion = Options::Fusion(index_of<3>({"auto", "fused", "apart"}, fusion, "fusion"));
  options.half_sums =
      Options::HalfSums(index_of<3>({"never", "auto", "always"}, half_sums, "use of half sums"));
  const auto positive = [](const char* name, std::optional<int> value) {
    if (value && *value < 1) throw py::value_error(std::string(name) + " must be 1 or more");
    return value.value_or(0);
  };
  options.n_tiles = positive("n_tiles", n_tiles);
  options.blocks_per_sm = positive("blocks_per_sm", blocks_per_sm);
  options.shared_bytes = positive("shared_bytes", shared_bytes);
  return options;
}

// (streaming multiprocessors, shared memory of a block, whether sums in float16 are faster)
using DeviceTuple = std::tuple<int, int, bool>;
Device device_of(const DeviceTuple& tuple) {
  const auto& [sm_count, shared_bytes, fast_half_sums] = tuple;
  return {sm_count, shared_bytes, fast_half_sums};
}

// (batch, height, width)
using SizeTuple = std::tuple<int, int, int>;
Size size_of(const SizeTuple& tuple) {
  const auto& [batch, height, width] = tuple;
  return {batch, height, width};
}

// (address, strides of n, c, y, x in elements, type of elements)
using PictureTuple = std::tuple<uintptr_t, int64_t, int64_t, int64_t, int64_t, std::string>;

std::vector<Picture> pictures_of(const std::vector<PictureTuple>& tuples) {
  std::vector<Picture> list;
  for (const auto& [address, n, c, y, x, element] : tuples)
    list.push_back({reinterpret_cast<void*>(address), n, c, y, x, element_of(element)});
  return list;
}

// A copy.
py::array_t<uint8_t> constants(const CudaProgram& program) {
  const std::vector<char>& bytes = program.constants();
  return py::array_t<uint8_t>(py::ssize_t(bytes.size()),
                              reinterpret_cast<const uint8_t*>(bytes.data()));
}

void run(const CudaProgram& program, const std::vector<PictureTuple>& inputs,
         const std::vector<PictureTuple>& outputs, const SizeTuple& size, uintptr_t constants,
         uintptr_t workspace, const DeviceTuple& device, uintptr_t stream) {
  const auto& [batch, height, width] = size;
  bindings::check_run(program, inputs.size(), outputs.size(), batch, height, width);
  const Program::Run run{pictures_of(inputs),
                         pictures_of(outputs),
                         size_of(size),
                         reinterpret_cast<const char*>(constants),
                         reinterpret_cast<char*>(workspace),
                         device_of(device),
                         reinterpret_cast<void*>(stream)};
  const py::gil_scoped_release release;
  program.run(run);
}

py::tuple targets() {
  std::istringstream words(ESR_CUDA_TARGETS);
  py::list list;
  for (std::string word; words >> word;) list.append(word);
  return list;
}

}  // namespace
}  // namespace esr::cuda

void esr::bindings::define_cuda(py::module_& parent) {
  using namespace cuda;
  py::module_ m =
      parent.def_submodule("cuda", "Programs for NVIDIA GPUs; see csrc/cuda/program.h.");
  m.attr("targets") = targets();
  m.def("forms", &forms, "Names of all kernel forms that can be launched.");
  // Of this module only: the tests have another, of the same program in their emulator.
  py::class_<CudaProgram> program(m, "Program", "Steps over slabs of pixels.", py::module_local());
  program.def(
      py::init([](const std::string& format, const std::string& fusion,
                  const std::string& half_sums, std::optional<int> n_tiles,
                  std::optional<int> blocks_per_sm, std::optional<int> shared_bytes) {
        return std::make_unique<CudaProgram>(
            format_of(format), options_of(fusion, half_sums, n_tiles, blocks_per_sm, shared_bytes));
      }),
      "format"_a, py::kw_only(), "fusion"_a = "auto", "half_sums"_a = "never",
      "n_tiles"_a = py::none(), "blocks_per_sm"_a = py::none(), "shared_bytes"_a = py::none());
  define_cuda_steps(program);
  program.def("constants", &constants)
      .def(
          "workspace_bytes",
          [](const CudaProgram& p, const DeviceTuple& device, const SizeTuple& size) {
            return p.workspace_bytes(device_of(device), size_of(size));
          },
          "device"_a, "size"_a)
      .def(
          "launches",
          [](const CudaProgram& p, const DeviceTuple& device, const SizeTuple& size) {
            return p.launches(device_of(device), size_of(size));
          },
          "device"_a, "size"_a, "What a run would launch.")
      .def(
          "forms",
          [](const CudaProgram& p, const DeviceTuple& device, const SizeTuple& size) {
            return p.forms(device_of(device), size_of(size));
          },
          "device"_a, "size"_a, "The kernel forms that a run would launch.")
      .def("run", &run, "inputs"_a, "outputs"_a, "size"_a, "constants"_a, "workspace"_a, "device"_a,
           "stream"_a);
}
