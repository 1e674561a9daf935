// How a kernel is enqueued on a stream.
#pragma once

#include <stdexcept>
#include <string>

namespace esr::cuda {

// An error is taken from the runtime, too, which would tell it of the next launch again.
inline void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  cudaGetLastError();
  throw std::runtime_error(cudaGetErrorString(error));
}

// What a block has without asking.
constexpr int kPlainSharedBytes = 48 * 1024;

// Lets a kernel have all the shared memory that a block may: always the same value, for threads
// that launch it with different ones at the same time.
template <class Parameters>
void allow_shared_memory(void (*kernel)(Parameters)) {
  int device = 0, most = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
}

template <class Parameters>
void enqueue(void (*kernel)(Parameters), dim3 blocks, int threads, int shared_bytes,
             const Parameters& parameters, void* stream) {
  if (shared_bytes > kPlainSharedBytes) allow_shared_memory(kernel);
  kernel<<<blocks, threads, shared_bytes, static_cast<cudaStream_t>(stream)>>>(parameters);
  check(cudaGetLastError());
}

}  // namespace esr::cuda
