// How a kernel is enqueued on a stream.
#pragma once

#include <stdexcept>
#include <string>

namespace esr::cuda {

inline void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

template <class Parameters>
void enqueue(void (*kernel)(Parameters), dim3 blocks, int threads, int shared_bytes,
             const Parameters& parameters, void* stream) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  kernel<<<blocks, threads, shared_bytes, static_cast<cudaStream_t>(stream)>>>(parameters);
  check(cudaGetLastError());
}

}  // namespace esr::cuda
