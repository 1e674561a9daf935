// Rows of values and of pictures, as kernels take them.
#pragma once

#include "layout.h"

namespace esr {

// What a step reads of one value. A row starts at the guard before channel 0.
struct SourceRows {
  const float* const* row;   // those of the read's window, from the top; outside the value zeros
  const float* first;        // the value's row 0, and all others after it; null: rows of a ring
  const Geometry* geometry;  // of the value
  int channels;
};

// A strided picture: pixel (c, y, x) is data[c*plane + y*row + x*pixel]. Either the pixels of a row
// are neighbours (pixel == 1), or else the channels of a pixel are (plane == 1).
template <class T>
struct PictureView {
  T* data;
  size_t plane, row, pixel;
};

}  // namespace esr
