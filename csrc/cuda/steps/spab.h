// SPAN's block: t = silu(conv1(x)), y = conv3(silu(conv2(t))), o = (y + x)(sigmoid(y) - 1/2), in
// one kernel or as three convolutions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../step.h"
#include "conv.h"

namespace esr::cuda {

// The form of a fused block: slabs of its channels, rows of a step, and patches of 16 columns, of
// which the last four make no result.
template <int kSlabs, int kRows, int kPatches>
struct SpabShape {
  static constexpr int kColumns = 16 * kPatches, kOutColumns = kColumns - 4;
  static constexpr int kThreads = 3 * 32 * kPatches;
  static constexpr int kPitch = kColumns + 2;
  static constexpr int kRingRows = 3 * kRows;
  static constexpr int kRingBytes = kSlabs * kRingRows * kPitch * kPixelBytes;
  static constexpr int kWeightBytes = 3 * kSlabs * slab_weight_bytes(9, 2 * kSlabs);
  static constexpr int kSharedBytes = kWeightBytes + 3 * kRingBytes;
};

// Calls body<slabs, rows, patches>() for every form that there is, those that run best first.
template <class Body>
constexpr void for_spab_shapes(Body body) {
  body.template operator()<2, 4, 4>();
  body.template operator()<2, 2, 4>();
  body.template operator()<2, 2, 2>();
  body.template operator()<3, 2, 3>();
}

struct SpabForm {
  Format format;
  int slabs, rows, patches;

  bool operator==(const SpabForm&) const = default;
  std::string name() const;
  template <class Add>
  static constexpr void each(Add add) {
    for (Format format : {Format::f16, Format::bf16, Format::half_sums})
      for_spab_shapes([&]<int kSlabs, int kRows, int kPatches>() {
        add(SpabForm{format, kSlabs, kRows, kPatches});
      });
  }
};

struct SpabGeometry {
  int slabs, rows, patches;  // 0 where no form of it fits the device
  int strips, bands, band_rows;
  int64_t steps;  // of the multiprocessor that has most of them
  int blocks, threads, shared_bytes;
};

SpabGeometry spab_geometry(const Device& device, Format format, int channels, const Size& size);

// True if one kernel is to be preferred to three convolutions, by an estimate that no GPU has
// confirmed.
bool spab_profitable(const SpabGeometry& g, const Device& device, const Size& size);

// What a thread block makes: rows top..bottom - 1 of a strip from column left on.
struct Band {
  int n, top, bottom, left;
};
constexpr Band spab_band(const SpabGeometry& g, const Size& size, int block) {
  const int top = block / g.strips % g.bands * g.band_rows;
  return {block / g.strips / g.bands, top, std::min(top + g.band_rows, size.height),
          block % g.strips * (16 * g.patches - 4)};
}

struct SpabParameters {
  Size size;
  SpabGeometry geometry;
  const char* x;           // slabs one after the other, as all of these are
  char *out, *t;           // t null: not wanted
  const char* weights[3];  // of conv1, conv2 and conv3
  const float* bias[3];
};

void launch_spab(const SpabForm& form, const SpabParameters& parameters, void* stream);

// Makes o; v = silu(conv2(t)), for itself; and t.
class Spab : public Step {
 public:
  Spab(Program& program, int x, const ConvSpec& conv1, const ConvSpec& conv2,
       const ConvSpec& conv3);

  size_t memory(const Launcher& launcher, int i) const override;
  void launch(const Launcher& launcher, const Step* taken_in) const override;

 private:
  // Without slabs where three convolutions are launched.
  SpabGeometry geometry(const Launcher& launcher) const;
  void launch_apart(const Launcher& launcher) const;

  const PackedConv convs_[3];
};

}  // namespace esr::cuda
