// The CUDA part of esr_kernels._C as a module of its own, for kernels that run in the emulator, and
// the emulator's memory.
#include "../../python/specs.h"
#include "cuda_emulator.h"

namespace py = pybind11;
using esr::cuda::DeviceMemory;

PYBIND11_MODULE(emulated, m) {
  esr::bindings::define_cuda(m);
  py::class_<DeviceMemory>(m, "Memory")
      .def(py::init<size_t>())
      .def_property_readonly("address",
                             [](const DeviceMemory& memory) { return uintptr_t(memory.data()); })
      .def("protect", &DeviceMemory::protect);
}
