#include "tile_conv.h"

#include "../pack_weights.h"
#include "../program.h"

namespace esr {
namespace {

std::vector<Read> reads_of(const std::vector<int>& sources, Window window, int residual) {
  std::vector<Read> reads;
  for (int source : sources) reads.push_back({source, window});
  if (residual >= 0) reads.push_back({residual, {}});
  return reads;
}

std::vector<int> channels_of(const Program& program, const std::vector<int>& values) {
  std::vector<int> channels;
  for (int value : values) channels.push_back(program.channels(value));
  return channels;
}

// With a stride of 1 it stays.
Resolution resolution_of(Program& program, const std::vector<int>& sources, Sampling rule) {
  const Resolution common = program.common_resolution(sources);
  return rule.stride == 1 ? common : program.axes().sampled(common, rule);
}

}  // namespace

TileConv::TileConv(Program& program, const std::vector<int>& sources, const ConvSpec& spec,
                   int residual, int stride, int padding)
    : Step(reads_of(sources, Window{padding, spec.kernel - 1 - padding, stride}, residual),
           spec.out_channels, resolution_of(program, sources, {spec.kernel, stride, 1, padding})),
      kernel_(program.kernels().tile_conv),
      format_(is_split(spec.out_channels) ? Format::planes : Format::pixels),
      sources_(int(sources.size())),
      kernel_size_(spec.kernel),
      stride_(stride),
      padding_(padding),
      has_residual_(residual >= 0),
      weight_(
          pack_tiles(spec.weight, spec.out_channels, channels_of(program, sources), spec.kernel)),
      bias_(pack_bias(spec.bias, spec.out_channels, kTileOutputs)),
      act_(spec.act),
      slope_(spec.slope),
      cost_(double(spec.in_channels) * spec.out_channels * spec.kernel * spec.kernel) {
  if (has_residual_) program.check_resolution(residual, resolution());
}

Format TileConv::reads_as(int read) const { return read < sources_ ? Format::pixels : format_; }

// Pictures stay exact. Planes are made of 64 pixels at a time, and so many of a stride may reach
// beyond the sources' rows.
bool TileConv::can_make(Format format) const {
  if (format == Format::lines) return stride_ == 1 && !has_residual_;
  return format == Format::planes ? stride_ == 1 : !is_split(channels());
}

// Sums, and a list of the products of each row.
size_t TileConv::scratch_floats(const SourceRows* sources) const {
  size_t products = 0;  // of a filter's row
  for (int s = 0; s < sources_; ++s)
    for (int slab = 0; slab < slabs_of(sources[s].channels); ++slab)
      products += products_of(sources[s].channels, slab, kernel_size_);
  const size_t steps = kTile * kernel_size_ * products;
  return kTileBlocks * kBlockFloats + steps * sizeof(TileStep) / sizeof(float);
}

void TileConv::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources, sources_, kernel_size_, stride_, padding_, channels(),
           weight_.data(), bias_.data(), act_, slope_, format_,
           has_residual_ ? at.sources[sources_].row : nullptr, at.out, at.rows, at.scratch});
}

}  // namespace esr
