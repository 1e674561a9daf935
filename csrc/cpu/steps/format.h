// A value in the other format: planes as pixels, or pixels as planes.
#pragma once

#include "../step.h"

namespace esr {

struct FormatRow {
  const Geometry* geometry;
  const float* const* source;
  int channels;
  float* const* out;
  int rows;
};

class InFormat : public Step {
 public:
  InFormat(const Program& program, int source, Format format);  // of the result
  Format reads_as(int read) const override;
  Format makes() const override { return format_; }
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const FormatRow&);
  Format format_;
};

}  // namespace esr
