#include "channel_norm.h"

#include "../pack_weights.h"
#include "../program.h"

namespace esr {

ChannelNorm::ChannelNorm(const Program& program, int source, const double* weight,
                         const double* bias, double eps, Norm norm)
    : Step({{source, {}}}, program.channels(source), program.resolution(source)),
      kernel_(program.kernels().channel_norm),
      weight_(pack_bias(weight, channels(), 1)),
      bias_(pack_bias(bias, channels(), 1)),
      eps_(float(eps)),
      norm_(norm) {}

void ChannelNorm::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources[0], weight_.data(), bias_.data(), eps_, norm_, at.out, at.rows});
}

}  // namespace esr
