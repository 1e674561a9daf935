// The instantiations and the launch of conv_act.
#include "conv_act.cuh"
#include "cuda_launch.cuh"

namespace esr::cuda {
namespace {

template <class F, int kNTiles>
constexpr int kTogether =
    conv_blocks_per_sm(std::is_same_v<F, HalfSums> ? Format::half_sums : Format::f16, kNTiles);

template <class F, int kTaps, int kNTiles, ConvEnds kEnds>
__global__ void __launch_bounds__(ConvTile::kThreads, (kTogether<F, kNTiles>))
    conv_act(const __grid_constant__ ConvParameters parameters) {
  ConvBlock<F, kTaps, kNTiles, kEnds>(parameters).run();
}

}  // namespace

void launch_conv(const ConvForm& form, const ConvParameters& parameters, void* stream) {
  with_form(form, [&]<size_t i>() {
    constexpr ConvForm kForm = kForms<ConvForm>[i];
    const ConvGeometry& g = parameters.geometry;
    enqueue(conv_act<Numbers<kForm.format>, kForm.taps, kForm.n_tiles, kForm.ends>,
            dim3(g.blocks, g.layers), ConvTile::kThreads, g.shared_bytes, parameters, stream);
  });
}

}  // namespace esr::cuda
