// Filters of any odd size: where their pixels lie, and the rows that they are applied to.
#pragma once

#include "layout.h"

namespace esr {

// The pixels that a filter multiplies: `dilation` apart, the middle one in its place.
struct Taps {
  int rows = 1, columns = 1, dilation = 1;
  bool reflect = false;  // pixels at the edges to the outside, instead of zeros

  bool operator==(const Taps&) const = default;
  int above() const { return rows / 2 * dilation; }  // and below
  int beside() const { return columns / 2 * dilation; }
};

// Blocks of a row laid out with their pixels in their order, and as many vectors on either side as
// the taps reach: a tap is a load from anywhere.
struct Stretch {
  int lanes, blocks, margin;

  Stretch(const Taps& taps, int lanes, int blocks)
      : lanes(lanes), blocks(blocks), margin((taps.beside() + lanes - 1) / lanes * lanes) {}

  size_t pixels() const { return size_t(blocks) * kTile * lanes; }
  size_t floats() const { return pixels() + 2 * margin; }
};

}  // namespace esr
