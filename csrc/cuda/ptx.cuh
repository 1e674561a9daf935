// The machine, as the kernels see it: everything they ask of a GPU goes through these functions.
// nvcc takes the instructions below; the tests take the same kernels with functions of the same
// names that run a block on the CPU (tests/csrc/cuda_emulator.h).
//
// A shared-memory address is a number of bytes from the start of the block's dynamic memory.
#pragma once

#include <cstddef>
#include <cstdint>

#ifndef __CUDACC__
#define ESR_UNROLL
#define ESR_ROLLED
#include "cuda_emulator.h"
#else

#define ESR_UNROLL _Pragma("unroll")
#define ESR_ROLLED _Pragma("unroll 1")
#define ESR_DEVICE __device__ __forceinline__

namespace esr::cuda {

struct alignas(16) Bytes16 {
  uint32_t word[4];
};

ESR_DEVICE int thread_index() { return threadIdx.x; }
ESR_DEVICE int thread_count() { return blockDim.x; }
ESR_DEVICE int block_index() { return blockIdx.x; }
ESR_DEVICE int block_count() { return gridDim.x; }
ESR_DEVICE int block_layer() { return blockIdx.y; }  // of block_count() blocks each
ESR_DEVICE void sync_block() { __syncthreads(); }

extern __shared__ __align__(128) char dynamic_shared[];

ESR_DEVICE uint32_t hardware_address(uint32_t shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(dynamic_shared)) + shared;
}

// Starts to copy 16 bytes; zeros where not `valid`, and then `global` is not read.
ESR_DEVICE void copy_async(uint32_t shared, const void* global, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(hardware_address(shared)),
               "l"(__cvta_generic_to_global(global)), "r"(bytes)
               : "memory");
}
ESR_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until no more than kPending of this thread's committed groups are under way.
template <int kPending>
ESR_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

ESR_DEVICE void store_shared16(uint32_t shared, const Bytes16& value) {
  *reinterpret_cast<Bytes16*>(dynamic_shared + shared) = value;
}
template <class T>
ESR_DEVICE T load_shared(uint32_t shared) {
  return *reinterpret_cast<const T*>(dynamic_shared + shared);
}
template <class T>
ESR_DEVICE void store_shared(uint32_t shared, T value) {
  *reinterpret_cast<T*>(dynamic_shared + shared) = value;
}

// T has 1, 2, 4, 8 or 16 bytes and lies at a multiple of its size.
template <class T>
ESR_DEVICE T load_global(const T* from) {
  return *from;
}
template <class T>
ESR_DEVICE void store_global(T* to, const T& value) {
  *to = value;
}

// Four 8 x 8 matrices of 16-bit numbers, or 8 x 4 of 32-bit ones. Lanes 8i..8i+7 give the
// addresses of the 16-byte rows of matrix i; lane l gets bytes 4 (l % 4).. of row l / 4 of each.
ESR_DEVICE void load_matrices(uint32_t (&out)[4], uint32_t shared) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(hardware_address(shared))
               : "memory");
}

ESR_DEVICE uint32_t shuffle_xor(uint32_t value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}

// Number formats. Each packs and unpacks 32-bit words of its own numbers, and multiplies
// sum[16 x 8] += a[16 x k] b[k x 8], where a row of k numbers fills 32 bytes.
struct F16 {
  static ESR_DEVICE uint32_t pack(float low, float high) {
    uint32_t word;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
  }
  static ESR_DEVICE void unpack(uint32_t word, float& low, float& high) {
    asm("{ .reg .f16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h; }"
        : "=f"(low), "=f"(high)
        : "r"(word));
  }
  static ESR_DEVICE void multiply(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                  uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
};

struct HalfSums : F16 {
  using F16::multiply;
  // sum[0] holds the numbers 0 and 1 of F16's, sum[1] the numbers 2 and 3.
  static ESR_DEVICE void multiply(uint32_t (&sum)[2], const uint32_t (&a)[4], uint32_t b0,
                                  uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, "
        "{%0, %1};"
        : "+r"(sum[0]), "+r"(sum[1])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
};

struct BF16 {
  static ESR_DEVICE uint32_t pack(float low, float high) {
    uint32_t word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
  }
  static ESR_DEVICE void unpack(uint32_t word, float& low, float& high) {
    low = __uint_as_float(word << 16);
    high = __uint_as_float(word & 0xffff0000u);
  }
  static ESR_DEVICE void multiply(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                  uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
};

// float32 in memory, rounded to TF32 as it is multiplied.
struct TF32 {
  // A float32 word as the nearest TF32 one. The product would cut it off instead.
  static ESR_DEVICE uint32_t round(uint32_t word) {
    uint32_t rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(__uint_as_float(word)));
    return rounded;
  }
  static ESR_DEVICE void multiply(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                  uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
};

ESR_DEVICE float float_of_bits(uint32_t bits) { return __uint_as_float(bits); }
ESR_DEVICE uint32_t bits_of_float(float value) { return __float_as_uint(value); }
// Within 2 units in the last place; denormal results are 0.
ESR_DEVICE float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
// 1 / x within 1 unit in the last place.
ESR_DEVICE float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
ESR_DEVICE float erf_of(float x) { return erff(x); }

}  // namespace esr::cuda

#endif
