// The launches of every kernel: one function per op. The .cu files define them for GPUs, the tests
// for the emulator. A stream is a cudaStream_t; a launch that fails throws std::runtime_error.
#pragma once

#include "esa.h"
#include "parameters.h"

namespace esr::cuda {

void launch_conv(Format format, const ConvParameters& parameters, void* stream);
void launch_pack(Format format, const ConvertParameters& parameters, void* stream);
void launch_unpack(Format format, const ConvertParameters& parameters, void* stream);
void launch_spab(Format format, const SpabParameters& parameters, void* stream);
void launch_esa(Format format, const EsaParameters& parameters, void* stream);

}  // namespace esr::cuda
