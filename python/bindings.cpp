// The pybind11 module esr_kernels._C: pointers, sizes and strides in; no torch.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "checksum.h"
#include "cpu_steps.h"

namespace py = pybind11;
using namespace pybind11::literals;

namespace {

using esr::CpuProgram;

// (address, batch stride, channel stride, row stride, pixel stride), strides in floats
using PictureTuple = std::tuple<uintptr_t, size_t, size_t, size_t, size_t>;

void run(CpuProgram& program, const std::vector<PictureTuple>& inputs,
         const std::vector<PictureTuple>& outputs, int batch, int height, int width, int threads) {
  const auto pictures = [](const std::vector<PictureTuple>& tuples) {
    std::vector<esr::Picture> list;
    for (const auto& [address, batch_stride, plane, row, pixel] : tuples)
      list.push_back({reinterpret_cast<float*>(address), batch_stride, plane, row, pixel});
    return list;
  };
  esr::bindings::check_run(program, inputs.size(), outputs.size(), batch, height, width);
  if (threads < 1) throw py::value_error("threads must be 1 or more");
  const auto in = pictures(inputs), out = pictures(outputs);
  const py::gil_scoped_release release;
  program.run(in, out, batch, height, width, threads);
}

// (address, batch stride, token stride, stride between numbers), strides in floats
using SequenceTuple = std::tuple<uintptr_t, size_t, size_t, size_t>;

std::vector<const esr::Kernels*> kernels_built() {
  int count = 0;
  const auto built = esr::built_kernels(&count);
  return {built, built + count};
}

std::vector<const esr::Kernels*> kernels_here() {
  std::vector<const esr::Kernels*> list = kernels_built();
  std::erase_if(list, [](const esr::Kernels* kernels) { return esr::missing(*kernels); });
  return list;
}

const esr::Kernels& kernels_of(const std::string& isa) {
  for (const esr::Kernels* kernels : kernels_here())
    if (isa.empty() || isa == kernels->name) return *kernels;
  throw py::value_error("instruction set '" + isa + "' is not built, or not of this processor");
}

void selective_scan(const SequenceTuple& c, const SequenceTuple& delta, const SequenceTuple& B,
                    const SequenceTuple& K, uintptr_t A, uintptr_t D, uintptr_t out,
                    const std::tuple<int, size_t, int, int>& sizes, int threads,
                    const std::string& isa) {
  const auto view = [](const SequenceTuple& sequence) {
    const auto& [address, batch, token, step] = sequence;
    return esr::SequenceView<const float>{reinterpret_cast<const float*>(address), batch, token,
                                          step};
  };
  const auto& [batch, length, channels, states] = sizes;
  if (batch < 1 || length < 1 || channels < 1 || states < 1)
    throw py::value_error("the sequence is empty");
  if (threads < 1) throw py::value_error("threads must be 1 or more");
  const esr::SelectiveScan scan{view(c),
                                view(delta),
                                view(B),
                                view(K),
                                reinterpret_cast<const float*>(A),
                                reinterpret_cast<const float*>(D),
                                reinterpret_cast<float*>(out),
                                batch,
                                length,
                                channels,
                                states};
  const esr::Kernels& kernels = kernels_of(isa);
  const py::gil_scoped_release release;
  esr::selective_scan(kernels, scan, threads);
}

// (address, bytes) of each piece
uint64_t checksum(const std::vector<std::pair<uintptr_t, size_t>>& pieces, int threads) {
  const py::gil_scoped_release release;
  std::vector<esr::Piece> list;
  for (const auto& [address, bytes] : pieces)
    list.push_back({reinterpret_cast<const unsigned char*>(address), bytes});
  return esr::checksum(list, threads);
}

std::vector<std::string> names_of(const std::vector<const esr::Kernels*>& list) {
  std::vector<std::string> names;
  for (const esr::Kernels* kernels : list) names.push_back(kernels->name);
  return names;
}

std::vector<std::string> built() { return names_of(kernels_built()); }
std::vector<std::string> runnable() { return names_of(kernels_here()); }

std::vector<std::pair<std::string, std::string>> lacking() {
  std::vector<std::pair<std::string, std::string>> list;
  for (const esr::Kernels* kernels : kernels_built())
    if (const char* what = esr::missing(*kernels)) list.emplace_back(kernels->name, what);
  return list;
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  m.doc() = "Compiled kernels of esr_kernels. Use esr_kernels.ops and esr_kernels.accelerate.";
  m.attr("build_note") = ESR_BUILD_NOTE;
  m.def("built_isas", &built, "Instruction sets compiled in, best first.");
  m.def("isas", &runnable, "Those that this processor runs, best first.");
  m.def("missing", &lacking,
        "The other sets that were built, and what this machine lacks for each.");
  m.def("selective_scan", &selective_scan, "c"_a, "delta"_a, "B"_a, "K"_a, "A"_a, "D"_a, "out"_a,
        "sizes"_a, "threads"_a, "isa"_a = "",
        "Four strided sequences, three addresses, and (batch, length, channels, states).");
  m.def("checksum", &checksum, "pieces"_a, "threads"_a,
        "A number that changes when anything in these pieces of memory does.");
  py::class_<CpuProgram> program(m, "Program",
                                 "Steps over rows of pictures; see csrc/cpu/program.h.");
  program.def(py::init([](const std::string& isa, bool in_bfloat16) {
                return std::make_unique<CpuProgram>(kernels_of(isa), in_bfloat16);
              }),
              "isa"_a = "", "in_bfloat16"_a = false);
  program.def_property_readonly("has_tiles", &CpuProgram::has_tiles);
  program.def_property_readonly("isa", [](const CpuProgram& p) { return p.kernels().name; });
  esr::bindings::define_steps(program);
  esr::define_cpu_steps(program);
  program.def("run", &run, "inputs"_a, "outputs"_a, "batch"_a, "height"_a, "width"_a, "threads"_a);
#ifdef ESR_CUDA_TARGETS
  esr::bindings::define_cuda(m);
#endif
}
