// Numbers below 1e-38 as zeros. Processors compute with them at a hundredth of their speed, and the
// tails of GELU and sigmoid are full of them.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace esr {

// What a thread reads and makes while this lives; afterwards it computes as it did before.
class SubnormalsAsZeros {
 public:
  SubnormalsAsZeros() : before_(control()) { set_control(before_ | kAsZeros); }
  ~SubnormalsAsZeros() { set_control(before_); }
  SubnormalsAsZeros(const SubnormalsAsZeros&) = delete;
  SubnormalsAsZeros& operator=(const SubnormalsAsZeros&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr uint64_t kAsZeros = 1 << 15 | 1 << 6;  // FTZ and DAZ
  static uint64_t control() { return _mm_getcsr(); }
  static void set_control(uint64_t bits) { _mm_setcsr(unsigned(bits)); }
#elif defined(__aarch64__)
  static constexpr uint64_t kAsZeros = 1 << 24;  // FZ
  static uint64_t control() {
    uint64_t bits;
    asm volatile("mrs %0, fpcr" : "=r"(bits));
    return bits;
  }
  static void set_control(uint64_t bits) { asm volatile("msr fpcr, %0" ::"r"(bits)); }
#else
  static constexpr uint64_t kAsZeros = 0;
  static uint64_t control() { return 0; }
  static void set_control(uint64_t) {}
#endif

  const uint64_t before_;
};

}  // namespace esr
