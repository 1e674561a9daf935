// The instantiations and the launches of pack and unpack.
#include "convert.cuh"
#include "cuda_launch.cuh"
#include "select.h"

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

void launch_pack(Format format, const ConvertParameters& parameters, void* stream) {
  with_format(format, [&]<class F>() {
    enqueue(pack_picture<F>, dim3(parameters.blocks), kConvertThreads, 0, parameters, stream);
  });
}

void launch_unpack(Format format, const ConvertParameters& parameters, void* stream) {
  with_format(format, [&]<class F>() {
    enqueue(unpack_picture<F>, dim3(parameters.blocks), kConvertThreads, 0, parameters, stream);
  });
}

}  // namespace esr::cuda
