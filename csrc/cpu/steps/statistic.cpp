#include "statistic.h"

#include <cmath>

#include "../program.h"

namespace esr {

RowStatistic::RowStatistic(Program& program, int source)
    : Step({{source, {}}}, 2 * program.channels(source) + 1,
           {program.resolution(source).rows, program.axes().one().columns}),
      kernel_(program.kernels().row_statistic) {}

void RowStatistic::run(const TileRow& at) const {
  kernel_({at.sources[0].geometry, at.geometry, at.sources[0], at.out, at.rows});
}

Statistic::Statistic(Program& program, int rows, Measure measure, int correction)
    : Step({{rows, Window::all()}}, program.channels(rows) / 2, program.axes().one()),
      measure_(measure),
      correction_(correction) {}

// In double: a few numbers for each row.
void Statistic::run(const TileRow& at) const {
  const SourceRows& rows = at.sources[0];
  const Geometry& g = *rows.geometry;
  const int count = channels();
  const double width = rows.first[g.lanes + 2 * count * g.channel_stride()];
  const size_t stride = g.row_stride(rows.channels);
  std::fill_n(at.out[0], at.geometry->row_stride(count), 0.f);
  for (int c = 0; c < count; ++c) {
    const float* means = rows.first + g.lanes + c * g.channel_stride();
    const float* squares = means + count * g.channel_stride();
    double mean = 0, square = 0;
    for (int y = 0; y < g.height; ++y) mean += means[y * stride];
    mean /= g.height;
    for (int y = 0; y < g.height; ++y) {
      const double d = means[y * stride] - mean;
      square += squares[y * stride] + width * d * d;
    }
    const double variance = square / (g.height * width - correction_);
    const double result = measure_ == Measure::mean       ? mean
                          : measure_ == Measure::variance ? variance
                                                          : std::sqrt(variance);
    at.out[0][g.lanes + c * at.geometry->channel_stride()] = float(result);
  }
}

}  // namespace esr
