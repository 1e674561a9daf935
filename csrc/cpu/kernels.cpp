// The kernel table of one instruction set; CMake compiles this file once for each.
#include "kernels.h"

#include "selective_scan.h"

#define ESR_STRING(x) ESR_STRING_(x)
#define ESR_STRING_(x) #x

namespace esr {
namespace ESR_ISA {

extern const Kernels kernels;
const Kernels kernels = {ESR_STRING(ESR_ISA),
                         kLanes,
                         kGroup,
                         conv3x3_scratch,
                         selective_scan,
#define ESR_ENTRY(kernel, Row) kernel,
                         ESR_FOR_EACH_ROW_KERNEL(ESR_ENTRY)
#undef ESR_ENTRY
#ifdef ESR_TILES
#define ESR_ENTRY(kernel, Row) kernel,
#else
#define ESR_ENTRY(kernel, Row) nullptr,
#endif
                             ESR_FOR_EACH_TILE_KERNEL(ESR_ENTRY)
#undef ESR_ENTRY
};

}  // namespace ESR_ISA
}  // namespace esr
