// What the scheduler asks of an instruction set: plain functions over one tile row (4 pixel rows),
// and one over a sequence.
#pragma once

#include "../conv_spec.h"
#include "layout.h"

namespace esr {

constexpr int kMaxSources = 8;

// A convolution's constants, packed for one instruction set.
struct ConvWeights {
  int in_channels, out_channels;
  // 3x3: [group][36][in][kGroup] transformed; 1x1: [group][in][kGroup]; depthwise: [out][9]
  const float* weight;
  const float* bias;  // [groups * kGroup]
  Act act;
  float slope;  // of lrelu
};

// Rows of one value: row[i] points at the guard before channel 0.
struct SourceRows {
  const float* row[kTile + 2];  // 3x3 and depthwise: pixel rows 4r-1 .. 4r+4; others: 4r .. 4r+3
  int channels;
};

struct ConvRow {
  const ConvWeights* conv;
  const Geometry* geometry;
  SourceRows sources[kMaxSources];
  int source_count;
  const float* residual[kTile];  // rows added after the activation, or u of spab; null: none
  float* out[kTile];
  int rows;        // pixel rows that exist, 1..4
  float* scratch;  // scratch_floats() of them
};

// A strided picture, NCHW with contiguous pixels: pixel (c, y, x) is data[c*plane + y*row + x].
template <class T>
struct PictureView {
  T* data;
  size_t plane, row;
};

struct PackRow {
  const Geometry* geometry;
  PictureView<const float> picture;
  const float* shift;  // per channel, added
  int channels, y, rows;
  float* out[kTile];
};

struct ShuffleRow {
  const Geometry* geometry;
  PictureView<float> picture;
  SourceRows source;
  SourceRows skip;  // channels == 0: none
  int factor;       // 1..8; the source has factor^2 times the picture's channels
  int y, rows;
};

// A small map of ESA: pixel (c, y, x) is data[c * plane + y * row + x]. Rows are long enough for
// vector loads and stores that run past the width.
template <class T>
using MapView = PictureView<T>;

struct EsaConvRow {  // 3x3, stride 2, no padding: one output row of `out`
  const Geometry* geometry;
  const float* rows[3];
  const float* weight;  // [out][in][3][3]
  const float* bias;
  int channels, y;
  MapView<float> out;
};

struct EsaPoolRow {  // max over 7 x 7, stride 3: one output row
  MapView<const float> in;
  MapView<float> out;
  int channels, in_width, out_width, y;
};

struct EsaMapRow {  // 3x3, stride 1, padding 1 (there in the input, as zeros): one output row
  MapView<const float> in;  // of pixel (0, 0); rows and columns -1 can be read
  MapView<float> out;
  const float* weight;  // [out][in][3][3]
  const float* bias;
  int channels, width, y;
};

struct EsaGateRow {  // q * sigmoid(conv4(up(map) + conv_f(a)))
  const Geometry* geometry;
  SourceRows q, a;
  MapView<const float> map;
  int map_height, map_width, y, rows;
  const ConvWeights *conv_f, *conv4;
  float* out[kTile];
  float* scratch;
};

// Tokens in a row: number (n, l, i) is data[n * batch + l * token + i * step].
template <class T>
struct SequenceView {
  T* data;
  size_t batch, token, step;

  T* at(size_t n, size_t l, size_t i) const { return data + n * batch + l * token + i * step; }
};

constexpr int kScanTokens = 64;  // that the scan lays out for itself at a time

struct SelectiveScan {
  SequenceView<const float> c, delta;  // of channels
  SequenceView<const float> B, K;      // of states
  const float* A;                      // [channels][states]
  const float* D;                      // [channels]
  float* out;                          // [batch][length][channels]
  int batch;
  size_t length;
  int channels, states;

  size_t scratch_floats(int lanes) const { return (2 * size_t(states) + 2 * kScanTokens) * lanes; }
};

struct Kernels {
  const char* name;
  int lanes;
  int group;  // output channels of a packed weight group
  size_t (*scratch_floats)(int max_channels);
  void (*conv3x3)(const ConvRow&);
  void (*conv1x1)(const ConvRow&);
  void (*depthwise3x3)(const ConvRow&);  // one source
  void (*pack)(const PackRow&);
  void (*pixel_shuffle)(const ShuffleRow&);
  void (*esa_conv)(const EsaConvRow&);
  void (*esa_pool)(const EsaPoolRow&);
  void (*esa_map)(const EsaMapRow&);
  void (*esa_gate)(const EsaGateRow&);
  void (*selective_scan)(const SelectiveScan&, int sequence, int group, float* scratch);
};

// Built instruction sets, best first, and the best that this processor can run.
const Kernels* const* built_kernels(int* count);
bool can_run(const Kernels&);

// The whole scan, on at most so many threads.
void selective_scan(const Kernels&, const SelectiveScan&, int threads);

}  // namespace esr
