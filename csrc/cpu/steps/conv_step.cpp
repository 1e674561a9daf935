#include "conv_step.h"

#include "../program.h"

namespace esr {
namespace {

std::vector<Read> reads_of(const std::vector<int>& sources, Window window, int residual) {
  std::vector<Read> reads;
  for (int source : sources) reads.push_back({source, window});
  if (residual >= 0) reads.push_back({residual, {}});
  return reads;
}

}  // namespace

ConvStep::ConvStep(const Program& program, Kernel kernel, const std::vector<int>& sources,
                   Window window, Resolution resolution, const ConvSpec& spec, int residual,
                   Buffer weight, Taps taps, int padding)
    : Step(reads_of(sources, window, residual), spec.out_channels, resolution),
      kernel_(kernel),
      weight_(std::move(weight)),
      bias_(pack_bias(spec.bias, spec.out_channels, program.kernels().group)),
      view_{spec.in_channels, spec.out_channels, weight_.data(), bias_.data(),
            spec.act,         spec.slope,        taps,           padding},
      has_residual_(residual >= 0),
      cost_(double(spec.in_channels) * spec.out_channels * spec.kernel * spec.kernel) {
  program.common_resolution(sources);
  if (residual >= 0) program.check_resolution(residual, resolution);
}

void ConvStep::run(const TileRow& at) const {
  ConvRow r{};
  r.conv = &view_;
  r.geometry = at.geometry;
  r.sources = at.sources;
  r.source_count = int(reads().size()) - has_residual_;
  if (has_residual_) std::copy_n(at.sources[r.source_count].row, kTile, r.residual);
  std::copy_n(at.out, kTile, r.out);
  r.rows = at.rows;
  r.scratch = at.scratch;
  kernel_(r);
}

}  // namespace esr
