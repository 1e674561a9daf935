// Mean, variance or deviation of each channel over the picture, in two steps: those of each row,
// while it is in cache, and then of the rows' numbers one for the picture.
#pragma once

#include "../step.h"

namespace esr {

struct RowStatisticRow {
  const Geometry* geometry;  // of the source
  const Geometry* result;
  SourceRows source;
  float* const* out;  // [channels] means, [channels] sums of squared deviations, and the width
  int rows;
};

// One column: as many rows as the source has.
class RowStatistic : public Step {
 public:
  RowStatistic(Program& program, int source);
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const RowStatisticRow&);
};

enum class Measure { mean, variance, deviation };

// One pixel, of what a RowStatistic made.
class Statistic : public Step {
 public:
  // correction: what is taken from the number of pixels that squared deviations are divided by.
  Statistic(Program& program, int rows, Measure measure, int correction);
  void run(const TileRow& at) const override;

 private:
  Measure measure_;
  int correction_;
};

}  // namespace esr
