#include "join.h"

#include <algorithm>

#include "../program.h"

namespace esr {
namespace {

std::vector<Read> reads_of(const std::vector<int>& sources) {
  std::vector<Read> reads;
  for (int source : sources) reads.push_back({source, {}});
  return reads;
}

int channels_of(const Program& program, const std::vector<int>& sources) {
  int channels = 0;
  for (int source : sources) channels += program.channels(source);
  return channels;
}

}  // namespace

Join::Join(const Program& program, const std::vector<int>& sources)
    : Step(reads_of(sources), channels_of(program, sources), program.common_resolution(sources)) {}

// With the guards around the channels, which are zero in all of them.
void Join::run(const TileRow& at) const {
  const Geometry& g = *at.geometry;
  for (int row = 0; row < at.rows; ++row) {
    float* out = at.out[row];
    for (size_t s = 0; s < reads().size(); ++s) {
      const int channels = at.sources[s].channels;
      std::copy_n(at.sources[s].row[row], g.row_stride(channels), out);
      out += channels * g.channel_stride();
    }
  }
}

}  // namespace esr
