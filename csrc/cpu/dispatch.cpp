// The instruction sets that were built, and what this machine lacks to run each of them.
#include <cstring>
#include <iterator>

#include "isas.h"
#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace esr {

#define ESR_DECLARE(isa)        \
  namespace isa {               \
  extern const Kernels kernels; \
  }
ESR_FOR_EACH_ISA(ESR_DECLARE)

#define ESR_ADDRESS(isa) &isa::kernels,
static const Kernels* const kBuilt[] = {ESR_FOR_EACH_ISA(ESR_ADDRESS)};

const Kernels* const* built_kernels(int* count) {
  *count = static_cast<int>(std::size(kBuilt));
  return kBuilt;
}

#if defined(__x86_64__)
namespace {

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("fma");
}

bool has_amx() {
  constexpr unsigned kBfloat16 = 1u << 22, kTiles = 1u << 24;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & kBfloat16) && (d & kTiles);
}

// The registers are large, so Linux keeps them for processes that ask. It says no where the stack
// of some signal handler is too small for them.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  static const bool granted = syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

const char* missing_of_amx() {
  if (!has_avx512() || !__builtin_cpu_supports("avx512bf16"))
    return "the processor has no AVX512-BF16";
  if (!has_amx()) return "the processor has no AMX tiles for bfloat16";
  if (!may_use_tiles()) return "the operating system gives no permission to use AMX tiles";
  return nullptr;
}

}  // namespace
#endif

const char* missing([[maybe_unused]] const Kernels& kernels) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!std::strcmp(kernels.name, "amx")) {
    static const char* const lack = missing_of_amx();  // asked at every eager call
    return lack;
  }
  if (!std::strcmp(kernels.name, "avx512") && !has_avx512()) return "the processor has no AVX-512";
  if (!std::strcmp(kernels.name, "avx2") &&
      !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")))
    return "the processor has no AVX2 with FMA";
#endif
  return nullptr;  // the baseline of the architecture
}

}  // namespace esr
