// Where a plan's values lie in the workspace.
#include <algorithm>

#include "plan.h"

namespace esr {
namespace {

void clear_planes_guards(float* row, const Geometry& g, int channels) {
  for (int c = 0; c <= channels; ++c) std::fill_n(row + c * g.channel_stride(), g.lanes, 0.f);
}

// The pixel after the last one is a guard too.
void clear_pixels_guards(float* row, const Geometry& g, int channels) {
  for (int slab = 0; slab < slabs_of(channels); ++slab, row += g.slab_stride()) {
    const int floats = pixel_floats(channels, slab);
    std::fill_n(row, floats, 0.f);
    std::fill_n(row + size_t(g.width + 1) * floats, floats, 0.f);
  }
}

// Of a ring or a buffer of so many tile rows.
template <class Rows>
void clear_guards_of(float* row, const Rows& of, int tile_rows) {
  if (of.format == Format::lines) return;  // there are none
  const auto clear = of.format == Format::planes ? clear_planes_guards : clear_pixels_guards;
  const size_t stride = of.geometry.row_stride(of.channels, of.format);
  for (int y = 0; y < tile_rows * kTile; ++y, row += stride) clear(row, of.geometry, of.channels);
}

template <class A, class B>
bool alike(const A& a, const B& b) {
  return a.channels == b.channels && a.format == b.format &&
         a.geometry.height == b.geometry.height && a.geometry.width == b.geometry.width;
}

}  // namespace

// Values that a later stage reads get a whole buffer. One that was read for the last time in an
// earlier stage gives its buffer on; not in the same stage, where another thread may still read it.
// Buffers keep their channel count and size, for their guards to stay zero.
void Plan::plan_buffers() {
  for (int stage = 0; stage < int(stages_.size()); ++stage) {
    for (int s : stages_[stage].steps) {
      const int result = program_.results[s];
      if (result < 0 || values_[result].last_stage == stage) continue;
      Value& value = values_[result];
      for (int b = 0; b < int(buffers_.size()) && value.buffer < 0; ++b)
        if (buffers_[b].free_after < stage && alike(buffers_[b], value)) value.buffer = b;
      if (value.buffer < 0) {
        value.buffer = int(buffers_.size());
        buffers_.push_back({value.channels, value.geometry, value.format, 0});
      }
      buffers_[value.buffer].free_after = value.last_stage;
    }
  }
}

size_t Plan::reserve(size_t floats) {
  constexpr size_t kLineFloats = 16;
  const size_t at = size_;
  size_ += (floats + kLineFloats - 1) / kLineFloats * kLineFloats;
  return at;
}

size_t Plan::scratch_floats() const {
  size_t most = 0;
  for (const auto& step : program_.steps) {
    std::vector<SourceRows> sources;
    for (const Read& read : step->reads()) {
      const Value& v = values_[read.value];
      sources.push_back({nullptr, nullptr, &v.geometry, v.channels});
    }
    most = std::max(most, step->scratch_floats(sources.data()));
  }
  return most;
}

void Plan::plan_memory() {
  size_t ring_floats = 0;
  for (Value& v : values_) {
    const size_t stride = v.row_stride();
    zero_floats_ = std::max(zero_floats_, stride);
    v.offset = ring_floats;
    if (v.buffer < 0) ring_floats += stride * v.ring_rows * kTile;
  }
  zero_row_ = reserve(zero_floats_);
  for (Whole& b : buffers_)
    b.at = reserve(b.geometry.row_stride(b.channels, b.format) * b.geometry.tile_rows * kTile);
  const size_t scratch = scratch_floats();
  for (int t = 0; t < threads_; ++t) {
    rings_.push_back(reserve(ring_floats));
    scratch_.push_back(reserve(scratch));
  }
  for (int b = most_bands(); b > 0; --b) seams_.push_back(reserve(ring_floats));
}

// Pixels are written before they are read; guards, and the row outside the picture, never are.
void Plan::clear_guards(float* memory) const {
  for (const Value& v : values_) {
    if (v.buffer >= 0) continue;
    for (const auto* places : {&rings_, &seams_})
      for (size_t place : *places) clear_guards_of(memory + place + v.offset, v, v.ring_rows);
  }
  std::fill_n(memory + zero_row_, zero_floats_, 0.f);
  for (const Whole& b : buffers_) clear_guards_of(memory + b.at, b, b.geometry.tile_rows);
}

}  // namespace esr
