// The activations between the ends of a network, and the pictures at its ends.
//
// A value of C channels is one or more slabs: planes [N][H][W] of 32-byte pixels, each with 16
// channels in 16 bits or 8 in 32. The channels after the last are zeros. 32 bytes are one row of a
// fragment of a tensor core, so a kernel steps through slabs as it steps through k; a row of pixels
// is contiguous; and a concatenation is a list of slabs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace esr::cuda {

// What is multiplied; sums are float32. half_sums is f16 whose 3x3 convolutions keep the sum of one
// slab's products in float16, too, at twice the rate on some GPUs.
enum class Format { f16, bf16, tf32, half_sums };

constexpr const char* name_of(Format format) {
  constexpr const char* kNames[] = {"f16", "bf16", "tf32", "half_sums"};
  return kNames[int(format)];
}

constexpr int kPixelBytes = 32;  // of a slab
constexpr int kMaxSlabs = 96;    // that a convolution reads

constexpr int slab_channels(Format format) { return format == Format::tf32 ? 8 : 16; }
constexpr int slab_count(Format format, int channels) {
  return (channels + slab_channels(format) - 1) / slab_channels(format);
}

// Of one slab's weights for 8 n_tiles columns.
constexpr int slab_weight_bytes(int taps, int n_tiles) { return taps * 8 * n_tiles * kPixelBytes; }

enum class Element { f32, f16, bf16, u8 };

// A strided picture: pixel (n, c, y, x) is element n*batch + c*channel + y*row + x*column.
// u8 stands for 0..255 / 255, written rounded and clamped.
struct Picture {
  void* data;
  int64_t batch, channel, row, column;
  Element element;
};

}  // namespace esr::cuda
