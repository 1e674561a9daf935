// The instruction sets that were built, and which of them this processor runs.
#include <cstring>
#include <iterator>

#include "isas.h"
#include "kernels.h"

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

bool can_run([[maybe_unused]] const Kernels& kernels) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!std::strcmp(kernels.name, "avx512"))
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("fma");
  if (!std::strcmp(kernels.name, "avx2"))
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return true;  // the baseline of the architecture
}

}  // namespace esr
