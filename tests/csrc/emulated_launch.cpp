// Every launch, run in the emulator: what the .cu files do on a GPU.

#include "conv_act.cuh"
#include "convert.cuh"
#include "cuda_emulator.h"
#include "esa.cuh"
#include "esa_gate.cuh"
#include "spab.cuh"

namespace esr::cuda {

void launch_conv(const ConvForm& form, const ConvParameters& p, void*) {
  with_form(form, [&]<size_t i>() {
    constexpr ConvForm kForm = kForms<ConvForm>[i];
    using Block = ConvBlock<Numbers<kForm.format>, kForm.taps, kForm.n_tiles, kForm.ends>;
    const ConvGeometry& g = p.geometry;
    emulate({g.blocks, g.layers}, ConvTile::kThreads, g.shared_bytes, [&] { Block(p).run(); });
  });
}

void launch_convert(const ConvertForm& form, const ConvertParameters& p, void*) {
  with_form(form, [&]<size_t i>() {
    constexpr ConvertForm kForm = kForms<ConvertForm>[i];
    using F = Numbers<kForm.format>;
    emulate({p.blocks, 1}, kConvertThreads, 0, [&] { kForm.packs ? pack<F>(p) : unpack<F>(p); });
  });
}

void launch_spab(const SpabForm& form, const SpabParameters& p, void*) {
  with_form(form, [&]<size_t i>() {
    constexpr SpabForm kForm = kForms<SpabForm>[i];
    using Block = SpabBlock<Numbers<kForm.format>, kForm.slabs, kForm.rows, kForm.patches>;
    const SpabGeometry& g = p.geometry;
    emulate({g.blocks, 1}, g.threads, g.shared_bytes, [&] { Block(p).run(); });
  });
}

void launch_esa(const EsaForm& form, const EsaParameters& p, void*) {
  with_form(form, [&]<size_t i>() {
    constexpr EsaForm kForm = kForms<EsaForm>[i];
    using F = Numbers<kForm.format>;
    const EsaGeometry& g = p.geometry;
    emulate({g.pool_blocks, 1}, EsaPoolTile::kThreads, g.pool_shared_bytes,
            [&] { EsaPoolBlock<F, kForm.n_tiles>(p).run(); });
    emulate({g.map_blocks, 1}, kEsaMapThreads, 0, [&] { make_map(p); });
    emulate({g.gate_blocks, 1}, kEsaGateThreads, g.gate_shared_bytes,
            [&] { EsaGateBlock<F, kForm.n_tiles>(p).run(); });
  });
}

}  // namespace esr::cuda
