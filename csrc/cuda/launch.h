// The launches of every kernel: one function per op. The .cu files define them for GPUs, the tests
// for the emulator. A stream is a cudaStream_t; a launch that fails throws std::runtime_error.
#pragma once

#include "esa.h"
#include "forms.h"

namespace esr::cuda {

void launch_conv(const ConvForm& form, const ConvParameters& parameters, void* stream);
void launch_convert(const ConvertForm& form, const ConvertParameters& parameters, void* stream);
void launch_spab(const SpabForm& form, const SpabParameters& parameters, void* stream);
void launch_esa(const EsaForm& form, const EsaParameters& parameters, void* stream);

}  // namespace esr::cuda
