#include "output.h"

#include "../program.h"

namespace esr {
namespace {

std::vector<Read> reads_of(int value, int skip) {
  if (skip < 0) return {{value, {}}};
  return {{value, {}}, {skip, {}}};
}

}  // namespace

Output::Output(Program& program, int value, int factor, int skip)
    : Step(reads_of(value, skip), 0, program.resolution(value)),
      of_planes_(program.kernels().pixel_shuffle),
      of_lines_(program.kernels().shuffle_lines),
      factor_(factor),
      picture_(program.next_output()) {
  if (skip >= 0) program.check_resolution(skip, resolution());
}

void Output::run(const TileRow& at) const {
  const SourceRows skip = reads().size() > 1 ? at.sources[1] : SourceRows{};
  const auto kernel = format_ == Format::lines ? of_lines_ : of_planes_;
  kernel({at.geometry, at.output(picture_), at.sources[0], skip, factor_, at.y, at.rows});
}

}  // namespace esr
