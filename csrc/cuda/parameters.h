// What a launch hands to its kernel: plain structs, copied into the kernel's constants.
#pragma once

#include "../conv_spec.h"
#include "geometry.h"

namespace esr::cuda {

// Where a convolution reads or writes a picture, or hands its result to a 1x1 convolution; it reads
// and writes slabs otherwise.
enum class ConvEnds { slabs, from_picture, to_picture, to_pointwise };

// A 1x1 convolution of a 3x3 one's result, which is slabs own, own + 1 ... of what it reads, and of
// others. Of 16-bit numbers, and with as many columns as the 3x3 convolution.
struct PointwiseParameters {
  const char* sources[kMaxSlabs];
  int slabs, own;
  const char* weights;
  const float* bias;
};

// A convolution's result goes to slabs, or shuffled into a picture.
struct ConvParameters {
  Size size;
  ConvGeometry geometry;

  // What it reads: slabs in the order of the weights, or a picture of one slab's channels, plus
  // shift[c].
  const char* sources[kMaxSlabs];
  int slabs;
  Picture picture;
  int picture_channels;
  const float* shift;

  const char* weights;  // [layer][slab][tap][column][32 bytes], see pack_weights.h
  const float* bias;    // [layer][column]
  Act act;
  float slope;

  char* out;             // slabs one after the other; of `pointwise` where it ends there
  const char* residual;  // likewise, added after the activation, or u of spab; null: none
  int out_slabs;

  PointwiseParameters pointwise;
  Picture target, skip;  // instead of `out`: pixels of out_channels / factor^2 colours
  int out_channels, factor;
  bool pairs;  // neighbours of a row can be written as one, at twice their alignment
};

// Between a picture and slabs; see convert.cuh.
struct ConvertParameters {
  Size size;  // of the slabs
  int blocks;
  char* values;
  int slabs, channels;
  Picture picture;
  const float* shift;  // of pack
  const char* skip;    // of unpack: slabs, or null
  int factor;          // of unpack
};

struct SpabParameters {
  Size size;
  SpabGeometry geometry;
  const char* x;           // slabs one after the other, as all of these are
  char *out, *t;           // t null: not wanted
  const char* weights[3];  // of conv1, conv2 and conv3
  const float* bias[3];
};

}  // namespace esr::cuda
