// The kernels between pictures and slabs, where no convolution reads or writes the picture itself.
#pragma once

#include "../device.h"
#include "../forms.h"
#include "../slabs.h"

namespace esr::cuda {

struct ConvertForm {
  bool packs;  // or unpacks
  Format format;

  bool operator==(const ConvertForm&) const = default;
  std::string name() const { return std::string(packs ? "pack " : "unpack ") + name_of(format); }
  template <class Add>
  static constexpr void each(Add add) {
    for (bool packs : {true, false})
      for (Format format : {Format::f16, Format::bf16, Format::tf32})
        add(ConvertForm{packs, format});
  }
};

constexpr int kConvertThreads = 256;

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

// A thread takes a pixel of a slab at a time. `values`: the slabs.
inline ConvertParameters convert_parameters(const Device& device, const Size& size, int slabs,
                                            int channels, char* values, const Picture& picture) {
  const int64_t all = (slabs * pixel_count(size) + kConvertThreads - 1) / kConvertThreads;
  const int blocks = int(all < 8 * device.sm_count ? all : 8 * device.sm_count);
  return {size, blocks, values, slabs, channels, picture, nullptr, nullptr, 1};
}

void launch_convert(const ConvertForm& form, const ConvertParameters& parameters, void* stream);

}  // namespace esr::cuda
