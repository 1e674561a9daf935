// csrc/cuda/ptx.cuh on the CPU: the same names with the same meaning, for tests that run the
// kernels' own source. emulate() is in cuda_block.h, the memory and its checks in cuda_memory.h.
#pragma once

#include "cuda_block.h"
#include "cuda_numbers.h"

#define ESR_DEVICE inline

namespace esr::cuda {

struct alignas(16) Bytes16 {
  uint32_t word[4];
};

ESR_DEVICE int thread_index() { return Machine::now().thread; }
ESR_DEVICE int thread_count() { return Machine::now().thread_count(); }
ESR_DEVICE int block_index() { return Machine::now().block; }
ESR_DEVICE int block_count() { return Machine::now().grid.blocks; }
ESR_DEVICE int block_layer() { return Machine::now().layer; }
ESR_DEVICE void sync_block() { Machine::now().wait(kBlockBarrier); }

// Calls perform(operands of the 32 lanes) once all lanes are here with theirs. A meeting point is
// known by its address, and so by `perform`.
template <auto kPerform, class Operands>
void meet(const char* name, Operands& mine) {
  static const MeetingPoint point{name, [](void* const(&all)[kWarp]) {
                                    Operands* lanes[kWarp];
                                    for (int i = 0; i < kWarp; ++i)
                                      lanes[i] = static_cast<Operands*>(all[i]);
                                    kPerform(lanes);
                                  }};
  Machine::now().wait(point, &mine);
}

inline void pass_barrier(int* const*) { Machine::now().pass_warp_barrier(); }
// The kernels do without; the emulator's own tests order lanes by it.
ESR_DEVICE void sync_warp() {
  int none = 0;
  meet<pass_barrier>("sync_warp", none);
}

ESR_DEVICE void copy_async(uint32_t shared, const void* global, bool valid) {
  Machine& m = Machine::now();
  if (reinterpret_cast<uintptr_t>(global) % 16) fail("copies from a misaligned global address");
  if (valid) DeviceMemory::read(global, 16, m.thread_number(), m.launch());
  m.shared.begin_copy(shared, 16, m.access());
  m.current().groups.back().push_back({shared, valid ? global : nullptr});
}
ESR_DEVICE void commit_copies() { Machine::now().current().groups.emplace_back(); }
template <int kPending>
ESR_DEVICE void wait_copies() {
  Machine& m = Machine::now();
  auto& groups = m.current().groups;
  while (groups.size() > kPending + 1) {
    for (const Copy& copy : groups.front()) {
      char bytes[16] = {};
      if (copy.global) std::memcpy(bytes, copy.global, sizeof bytes);
      m.shared.finish_copy(copy.shared, sizeof bytes, bytes, m.access());
    }
    groups.erase(groups.begin());
  }
}

template <class T>
ESR_DEVICE T load_shared(uint32_t shared) {
  Machine& m = Machine::now();
  T value;
  m.shared.read(shared, sizeof value, &value, m.access());
  return value;
}
template <class T>
ESR_DEVICE void store_shared(uint32_t shared, T value) {
  Machine& m = Machine::now();
  m.shared.write(shared, sizeof value, &value, m.access());
}
ESR_DEVICE void store_shared16(uint32_t shared, const Bytes16& value) {
  store_shared(shared, value);
}

template <class T>
ESR_DEVICE T load_global(const T* from) {
  DeviceMemory::read(from, sizeof(T), Machine::now().thread_number(), Machine::now().launch());
  return *from;
}
template <class T>
ESR_DEVICE void store_global(T* to, const T& value) {
  DeviceMemory::write(to, sizeof(T), Machine::now().thread_number(), Machine::now().launch());
  *to = value;
}

struct MatrixRows {
  uint32_t address;
  uint32_t* out;
};
inline void load_rows(MatrixRows* const* lanes) {
  Machine& m = Machine::now();
  const int first = m.thread / kWarp * kWarp;
  for (int row = 0; row < kWarp; ++row) {
    m.thread = first + row;
    Access access = m.access();
    access.lane = Access::kMany;  // a row is read by four others
    uint32_t words[4];
    m.shared.read(lanes[row]->address, sizeof words, words, access);
    for (int i = 0; i < 4; ++i) lanes[row % 8 * 4 + i]->out[row / 8] = words[i];
  }
}
ESR_DEVICE void load_matrices(uint32_t (&out)[4], uint32_t shared) {
  MatrixRows mine{shared, out};
  meet<load_rows>("load_matrices", mine);
}

struct Shuffle {
  uint32_t value, result;
  int mask;
};
inline void exchange(Shuffle* const* lanes) {
  for (int i = 0; i < kWarp; ++i) lanes[i]->result = lanes[(i ^ lanes[i]->mask) % kWarp]->value;
}
ESR_DEVICE uint32_t shuffle_xor(uint32_t value, int mask) {
  Shuffle mine{value, 0, mask};
  meet<exchange>("shuffle_xor", mine);
  return mine.result;
}

// A lane's part of sum[16 x 8] += a[16 x k] b[k x 8].
struct Product {
  float* sum;
  const uint32_t* a;
  uint32_t b[2];
};

// A word holds kPerWord numbers, next to each other in k. In lane 4 g + t words 0 and 1 of `a`
// belong to rows g and g + 8, word t of the first half of k; words 2 and 3 to the second half.
// Words 0 and 1 of `b` belong to column g and the two halves.
template <class F>
void multiply_warp(Product* const* lanes) {
  constexpr int kPerWord = F::kPerWord, kDepth = 8 * kPerWord;
  float a[16][kDepth], b[8][kDepth];
  for (int lane = 0; lane < kWarp; ++lane) {
    const int group = lane / 4, k = lane % 4 * kPerWord;
    for (int i = 0; i < 4; ++i)
      F::numbers(lanes[lane]->a[i], a[group + i % 2 * 8] + i / 2 * kDepth / 2 + k);
    for (int i = 0; i < 2; ++i) F::numbers(lanes[lane]->b[i], b[group] + i * kDepth / 2 + k);
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const float* row = a[lane / 4 + i / 2 * 8];
      const float* column = b[lane % 4 * 2 + i % 2];
      double total = lanes[lane]->sum[i];
      for (int k = 0; k < kDepth; ++k) total += double(row[k]) * column[k];
      lanes[lane]->sum[i] = float(total);
    }
  }
}

template <class F>
void multiply_together(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Product mine{sum, a, {b0, b1}};
  meet<multiply_warp<F>>("multiply", mine);
}

// Two 16-bit numbers in a word.
template <uint16_t (*kPack)(float), float (*kUnpack)(uint16_t)>
struct Pair16 {
  static constexpr int kPerWord = 2;
  static void numbers(uint32_t word, float* to) { unpack(word, to[0], to[1]); }
  static uint32_t pack(float low, float high) { return kPack(low) | uint32_t(kPack(high)) << 16; }
  static void unpack(uint32_t word, float& low, float& high) {
    low = kUnpack(uint16_t(word));
    high = kUnpack(uint16_t(word >> 16));
  }
  static void multiply(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    multiply_together<Pair16>(sum, a, b0, b1);
  }
};
struct F16 : Pair16<f16_of_float, float_of_f16> {};
struct HalfSums : F16 {
  using F16::multiply;
  static void multiply(uint32_t (&sum)[2], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    float total[4];
    unpack(sum[0], total[0], total[1]);
    unpack(sum[1], total[2], total[3]);
    multiply(total, a, b0, b1);
    for (int i = 0; i < 2; ++i) sum[i] = pack(total[2 * i], total[2 * i + 1]);
  }
};
struct BF16 : Pair16<bf16_of_float, float_of_bf16> {};

struct TF32 {
  static constexpr int kPerWord = 1;
  static void numbers(uint32_t word, float* to) { *to = float_of_tf32(word); }
  static uint32_t round(uint32_t word) { return tf32_of_float(std::bit_cast<float>(word)); }
  static void multiply(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    multiply_together<TF32>(sum, a, b0, b1);
  }
};

ESR_DEVICE float float_of_bits(uint32_t bits) { return std::bit_cast<float>(bits); }
ESR_DEVICE uint32_t bits_of_float(float value) { return std::bit_cast<uint32_t>(value); }
ESR_DEVICE float exp2_fast(float x) { return without_denormal(std::exp2(without_denormal(x))); }
ESR_DEVICE float reciprocal(float x) { return without_denormal(1 / without_denormal(x)); }
ESR_DEVICE float erf_of(float x) { return std::erf(x); }

}  // namespace esr::cuda
