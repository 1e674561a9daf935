// A value in the other format: planes as pixels, and pixels as planes.
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

class ToPixels : public Step {
 public:
  ToPixels(const Program& program, int source);
  Format makes() const override { return Format::pixels; }
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const FormatRow&);
};

class ToPlanes : public Step {
 public:
  ToPlanes(const Program& program, int source);
  Format reads_as(int /*read*/) const override { return Format::pixels; }
  void run(const TileRow& at) const override;

 private:
  void (*kernel_)(const FormatRow&);
};

}  // namespace esr
