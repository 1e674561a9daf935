// The instantiations and the launches of esa.
#include "cuda_launch.cuh"
#include "esa.cuh"
#include "esa_gate.cuh"

namespace esr::cuda {
namespace {

template <class F, int kNTiles>
__global__ void __launch_bounds__(EsaPoolTile::kThreads)
    esa_pool(const __grid_constant__ EsaParameters parameters) {
  EsaPoolBlock<F, kNTiles>(parameters).run();
}

__global__ void __launch_bounds__(kEsaMapThreads)
    esa_map(const __grid_constant__ EsaParameters parameters) {
  make_map(parameters);
}

template <class F, int kNTiles>
__global__ void __launch_bounds__(kEsaGateThreads, 2)
    esa_gate(const __grid_constant__ EsaParameters parameters) {
  EsaGateBlock<F, kNTiles>(parameters).run();
}

}  // namespace

void launch_esa(const EsaForm& form, const EsaParameters& parameters, void* stream) {
  with_form(form, [&]<size_t i>() {
    constexpr EsaForm kForm = kForms<EsaForm>[i];
    using F = Numbers<kForm.format>;
    const EsaGeometry& g = parameters.geometry;
    enqueue(esa_pool<F, kForm.n_tiles>, dim3(g.pool_blocks), EsaPoolTile::kThreads,
            g.pool_shared_bytes, parameters, stream);
    enqueue(esa_map, dim3(g.map_blocks), kEsaMapThreads, 0, parameters, stream);
    enqueue(esa_gate<F, kForm.n_tiles>, dim3(g.gate_blocks), kEsaGateThreads, g.gate_shared_bytes,
            parameters, stream);
  });
}

}  // namespace esr::cuda
