// How large the values of a program are. While it is built no picture is known, so a value's height
// and width are numbers of axes: each axis is the picture's height or width, or follows from
// another axis by a rule.
#pragma once

#include <algorithm>
#include <vector>

namespace esr {

// How many pixels an axis has for those of another. One for each place that a window of `kernel`
// pixels has, `stride` pixels apart, with `padding` pixels before and behind: the rule of pooling
// and of strided convolutions. Or `factor` for each pixel; or one for all of them, which is written
// as a kernel of 0.
struct Sampling {
  int kernel, stride;
  int factor = 1;
  int padding = 0;

  static constexpr Sampling to_one() { return {0, 1}; }
  static constexpr Sampling enlarging(int factor) { return {1, 1, factor}; }

  int count(int pixels) const {
    if (kernel == 0) return 1;
    pixels += 2 * padding;
    return pixels < kernel ? 0 : ((pixels - kernel) / stride + 1) * factor;
  }
  // Pixels that give so many.
  int least(int count) const {
    if (kernel == 0) return 1;
    return std::max(1, ((count + factor - 1) / factor - 1) * stride + kernel - 2 * padding);
  }
  bool operator==(const Sampling&) const = default;
};

// The axes of a value. Values whose axes are the same have the same size in every picture.
struct Resolution {
  int rows, columns;
  bool operator==(const Resolution&) const = default;
};

class Axes {
 public:
  static constexpr int kHeight = 0, kWidth = 1;  // of the picture
  static constexpr Resolution kPicture{kHeight, kWidth};

  // The axis that follows from `axis`; asked again, the same one.
  int sampled(int axis, Sampling rule) {
    if (rule == Sampling{1, 1}) return axis;
    for (int i = 0; i < int(axes_.size()); ++i)
      if (axes_[i].parent == axis && axes_[i].rule == rule) return i;
    axes_.push_back({axis, rule});
    return int(axes_.size()) - 1;
  }

  Resolution sampled(Resolution of, Sampling rule) {
    return {sampled(of.rows, rule), sampled(of.columns, rule)};
  }

  // Of values that are one pixel in every picture, whatever they are computed from.
  Resolution one() { return sampled(kPicture, Sampling::to_one()); }

  int length(int axis, int height, int width) const {
    if (axis <= kWidth) return axis == kHeight ? height : width;
    return axes_[axis].rule.count(length(axes_[axis].parent, height, width));
  }

  // The pixels that the picture's height or width must have for no axis to be empty.
  int least(int of_picture) const {
    int least = 1;
    for (int i = 0; i < int(axes_.size()); ++i) {
      int pixels = 1, axis = i;
      for (; axis > kWidth; axis = axes_[axis].parent) pixels = axes_[axis].rule.least(pixels);
      if (axis == of_picture) least = std::max(least, pixels);
    }
    return least;
  }

 private:
  struct Axis {
    int parent;
    Sampling rule;
  };
  std::vector<Axis> axes_ = std::vector<Axis>(2, Axis{-1, {1, 1}});  // of the picture
};

}  // namespace esr
