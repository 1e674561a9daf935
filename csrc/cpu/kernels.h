// What is compiled for each instruction set: plain functions over one tile row (4 pixel rows), and
// one over a sequence.
#pragma once

#include <cstddef>

#include "steps/list.h"

namespace esr {

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
  size_t (*conv3x3_scratch)(int in_channels);
  void (*selective_scan)(const SelectiveScan&, int sequence, int group, float* scratch);
#define ESR_MEMBER(kernel, Row) void (*kernel)(const Row&);
  ESR_FOR_EACH_ROW_KERNEL(ESR_MEMBER)
  ESR_FOR_EACH_TILE_KERNEL(ESR_MEMBER)  // null where there are no tiles
#undef ESR_MEMBER
};

// Built instruction sets, best first.
const Kernels* const* built_kernels(int* count);

// What this machine lacks to run them, in words; null where it runs them.
const char* missing(const Kernels&);

// The whole scan, on at most so many threads.
void selective_scan(const Kernels&, const SelectiveScan&, int threads);

}  // namespace esr
