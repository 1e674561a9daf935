// The steps that tests add to programs.
#pragma once

#include "program.h"
#include "steps/adaptive_max_pool.h"
#include "steps/bilinear.h"
#include "steps/channel_norm.h"
#include "steps/conv1x1.h"
#include "steps/conv3x3.h"
#include "steps/depthwise.h"
#include "steps/depthwise3x3.h"
#include "steps/direct_conv.h"
#include "steps/formula.h"
#include "steps/input.h"
#include "steps/join.h"
#include "steps/max_pool.h"
#include "steps/nearest.h"
#include "steps/output.h"
#include "steps/part.h"
#include "steps/statistic.h"
#include "steps/strided_conv.h"

namespace test {

inline int input(esr::Program& program, int channels, const double* shift = nullptr) {
  return program.add<esr::Input>(channels, shift);
}

inline int conv(esr::Program& program, const std::vector<int>& sources, const esr::ConvSpec& spec,
                int residual) {
  if (spec.kernel == 1) return program.add<esr::Conv1x1>(sources, spec, residual);
  return program.add<esr::Conv3x3>(sources, spec, residual);
}

}  // namespace test
