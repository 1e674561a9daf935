// The instantiations and the launches of pack and unpack.
#include "convert.cuh"
#include "cuda_launch.cuh"

namespace esr::cuda {
namespace {

template <class F>
__global__ void pack_picture(const __grid_constant__ ConvertParameters parameters) {
  pack<F>(parameters);
}

template <class F>
__global__ void unpack_picture(const __grid_constant__ ConvertParameters parameters) {
  unpack<F>(parameters);
}

}  // namespace

void launch_convert(const ConvertForm& form, const ConvertParameters& parameters, void* stream) {
  with_form(form, [&]<size_t i>() {
    constexpr ConvertForm kForm = kForms<ConvertForm>[i];
    using F = Numbers<kForm.format>;
    enqueue(kForm.packs ? pack_picture<F> : unpack_picture<F>, dim3(parameters.blocks),
            kConvertThreads, 0, parameters, stream);
  });
}

}  // namespace esr::cuda
