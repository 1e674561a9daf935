// What a convolution computes, in words that the CPU's and the GPU's programs share.
#pragma once

namespace esr {

// What becomes of a convolution's sum y and the residual u, if there is one: act(y) + u, but
//   span_gate  (y + u) * (sigmoid(y) - 1/2)
//   gate   u * sigmoid(y)
#define ESR_FOR_EACH_ACT(X) X(none) X(relu) X(lrelu) X(silu) X(gelu) X(span_gate) X(gate)

#define ESR_NAME(act) act,
enum class Act { ESR_FOR_EACH_ACT(ESR_NAME) };
#undef ESR_NAME

#define ESR_STRING(act) #act,
inline constexpr const char* kActNames[] = {ESR_FOR_EACH_ACT(ESR_STRING)};
#undef ESR_STRING

constexpr bool needs_residual(Act act) { return act == Act::span_gate || act == Act::gate; }

// Constants of one convolution in double, [out][in][k][k].
struct ConvSpec {
  int out_channels, in_channels, kernel;
  const double* weight;
  const double* bias;  // null: none
  Act act = Act::none;
  float slope = 0;  // of lrelu
};

}  // namespace esr
