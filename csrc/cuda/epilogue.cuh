// What follows a convolution's sum, once for every kernel: the activation, then the residual.
#pragma once

#include "../conv_spec.h"
#include "ptx.cuh"

namespace esr::cuda {

// 1 / (1 + exp(-x)); exp overflows to infinity, and its reciprocal is 0.
ESR_DEVICE float sigmoid(float x) { return reciprocal(1.f + exp2_fast(-1.4426950408889634f * x)); }

ESR_DEVICE float gelu(float x) { return .5f * x * (1.f + erf_of(.7071067811865476f * x)); }

// y becomes act(y) + u, or for span_gate (y + u)(sigmoid(y) - 1/2). The activation is the same for
// all pixels, so no branch diverges; it is asked once for kCount values. A NaN stays one.
template <int kCount>
ESR_DEVICE void finish(Act act, float slope, float (&y)[kCount], const float (&u)[kCount]) {
  if (act == Act::silu || act == Act::span_gate) {
    const bool gated = act == Act::span_gate;
    ESR_UNROLL
    for (int i = 0; i < kCount; ++i) {
      const float s = sigmoid(y[i]);
      y[i] = gated ? (y[i] + u[i]) * (s - .5f) : y[i] * s + u[i];
    }
  } else if (act == Act::gelu) {
    ESR_UNROLL
    for (int i = 0; i < kCount; ++i) y[i] = gelu(y[i]) + u[i];
  } else {
    const bool relu = act == Act::relu, lrelu = act == Act::lrelu;
    ESR_UNROLL
    for (int i = 0; i < kCount; ++i) {
      if (y[i] < 0.f) y[i] = relu ? 0.f : lrelu ? slope * y[i] : y[i];
      y[i] += u[i];
    }
  }
}

}  // namespace esr::cuda
