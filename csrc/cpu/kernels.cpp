// The kernel table of one instruction set; CMake compiles this file once for each.
#include "kernels.h"

#include "depthwise3x3_act.h"
#include "esa.h"
#include "pixel_shuffle.h"
#include "selective_scan.h"

#define ESR_STRING(x) ESR_STRING_(x)
#define ESR_STRING_(x) #x

namespace esr {
namespace ESR_ISA {

extern const Kernels kernels;
const Kernels kernels = {
    ESR_STRING(ESR_ISA),
    kLanes,
    kGroup,
    conv_scratch_floats,
    conv3x3,
    conv1x1,
    depthwise3x3,
    pack,
    pixel_shuffle,
    esa_conv,
    esa_pool,
    esa_map,
    esa_gate,
    selective_scan,
};

}  // namespace ESR_ISA
}  // namespace esr
