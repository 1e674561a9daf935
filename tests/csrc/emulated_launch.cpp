// Every launch of csrc/cuda/launch.h, run in the emulator: what the .cu files do on a GPU.

#include "conv_act.cuh"
#include "convert.cuh"
#include "cuda_emulator.h"
#include "esa.cuh"
#include "esa_gate.cuh"
#include "launch.h"
#include "select.h"
#include "spab.cuh"

namespace esr::cuda {

void launch_conv(Format format, const ConvParameters& p, void*) {
  const ConvGeometry& g = p.geometry;
  with_conv(format, p, [&]<class F, int kTaps, int kTiles, ConvEnds kEnds>() {
    emulate({g.blocks, g.layers}, ConvTile::kThreads, g.shared_bytes,
            [&] { ConvBlock<F, kTaps, kTiles, kEnds>(p).run(); });
  });
}

void launch_pack(Format format, const ConvertParameters& p, void*) {
  with_format(format,
              [&]<class F>() { emulate({p.blocks, 1}, kConvertThreads, 0, [&] { pack<F>(p); }); });
}

void launch_unpack(Format format, const ConvertParameters& p, void*) {
  with_format(format, [&]<class F>() {
    emulate({p.blocks, 1}, kConvertThreads, 0, [&] { unpack<F>(p); });
  });
}

void launch_spab(Format format, const SpabParameters& p, void*) {
  const SpabGeometry& g = p.geometry;
  with_spab(format, g, [&]<class F, int kSlabs, int kRows, int kPatches>() {
    emulate({g.blocks, 1}, g.threads, g.shared_bytes,
            [&] { SpabBlock<F, kSlabs, kRows, kPatches>(p).run(); });
  });
}

void launch_esa(Format format, const EsaParameters& p, void*) {
  const EsaGeometry& g = p.geometry;
  with_esa(format, g.tiles, [&]<class F, int kTiles>() {
    emulate({g.pool_blocks, 1}, EsaPoolTile::kThreads, g.pool_shared_bytes,
            [&] { EsaPoolBlock<F, kTiles>(p).run(); });
    emulate({g.map_blocks, 1}, kEsaMapThreads, 0, [&] { make_map(p); });
    emulate({g.gate_blocks, 1}, kEsaGateThreads, g.gate_shared_bytes,
            [&] { EsaGateBlock<F, kTiles>(p).run(); });
  });
}

}  // namespace esr::cuda
