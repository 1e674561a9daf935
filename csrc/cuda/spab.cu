// The instantiations and the launch of spab.
#include "cuda_launch.cuh"
#include "select.h"
#include "spab.cuh"

namespace esr::cuda {
namespace {

template <class F, int kSlabs, int kRows, int kPatches>
__global__ void __launch_bounds__(SpabShape<kSlabs, kRows, kPatches>::kThreads, 1)
    spab(const __grid_constant__ SpabParameters parameters) {
  SpabBlock<F, kSlabs, kRows, kPatches>(parameters).run();
}

}  // namespace

void launch_spab(Format format, const SpabParameters& parameters, void* stream) {
  const SpabGeometry& g = parameters.geometry;
  with_spab(format, g, [&]<class F, int kSlabs, int kRows, int kPatches>() {
    enqueue(spab<F, kSlabs, kRows, kPatches>, dim3(g.blocks), g.threads, g.shared_bytes, parameters,
            stream);
  });
}

}  // namespace esr::cuda
