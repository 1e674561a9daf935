// The instantiations and the launch of spab.
#include "cuda_launch.cuh"
#include "spab.cuh"

namespace esr::cuda {
namespace {

template <class F, int kSlabs, int kRows, int kPatches>
__global__ void __launch_bounds__(SpabShape<kSlabs, kRows, kPatches>::kThreads, 1)
    spab(const __grid_constant__ SpabParameters parameters) {
  SpabBlock<F, kSlabs, kRows, kPatches>(parameters).run();
}

}  // namespace

void launch_spab(const SpabForm& form, const SpabParameters& parameters, void* stream) {
  with_form(form, [&]<size_t i>() {
    constexpr SpabForm kForm = kForms<SpabForm>[i];
    const SpabGeometry& g = parameters.geometry;
    enqueue(spab<Numbers<kForm.format>, kForm.slabs, kForm.rows, kForm.patches>, dim3(g.blocks),
            g.threads, g.shared_bytes, parameters, stream);
  });
}

}  // namespace esr::cuda
