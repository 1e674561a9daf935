// Between pictures and slabs, where no convolution reads or writes the picture itself.
#pragma once

#include "patch.cuh"
#include "picture.cuh"
#include "steps/convert_launch.h"

namespace esr::cuda {

// Calls f(slab, n, y, x, number of the pixel) for this thread's pixels of all slabs.
template <class Each>
ESR_DEVICE void for_slab_pixels(const Size& size, int slabs, Each f) {
  const int64_t plane = int64_t(size.batch) * size.height * size.width;
  const int64_t step = int64_t(block_count()) * thread_count();
  for (int64_t i = int64_t(block_index()) * thread_count() + thread_index(); i < slabs * plane;
       i += step) {
    const int at = int(i % plane), row = at / size.width;
    f(int(i / plane), row / size.height, row % size.height, at % size.width, i);
  }
}

// slabs = picture + shift
template <class F>
ESR_DEVICE void pack(const ConvertParameters& p) {
  constexpr int kChunkChannels = Slab<F>::kChannels / 2;
  for_slab_pixels(p.size, p.slabs, [&](int slab, int n, int y, int x, int64_t at) {
    ESR_UNROLL
    for (int chunk = 0; chunk < 2; ++chunk) {
      float value[kChunkChannels];
      ESR_UNROLL
      for (int i = 0; i < kChunkChannels; ++i) {
        const int c = (2 * slab + chunk) * kChunkChannels + i;
        value[i] = 0;
        if (c < p.channels)
          value[i] = load_element(p.picture, pixel_at(p.picture, n, y, x) + c * p.picture.channel) +
                     load_global(p.shift + c);
      }
      char* to = p.values + at * kPixelBytes + 16 * chunk;
      store_global(reinterpret_cast<Bytes16*>(to), pack_chunk<F>(value));
    }
  });
}

// picture = pixel shuffle of slabs, + skip under every sub-pixel
template <class F>
ESR_DEVICE void unpack(const ConvertParameters& p) {
  constexpr int kChunkChannels = Slab<F>::kChannels / 2;
  const int64_t plane = int64_t(p.size.batch) * p.size.height * p.size.width;
  for_slab_pixels(p.size, p.slabs, [&](int slab, int n, int y, int x, int64_t at) {
    ESR_UNROLL
    for (int chunk = 0; chunk < 2; ++chunk) {
      float value[kChunkChannels];
      load_chunk<F>(p.values + at * kPixelBytes + 16 * chunk, value);
      ESR_UNROLL
      for (int i = 0; i < kChunkChannels; ++i) {
        const int c = (2 * slab + chunk) * kChunkChannels + i;
        if (c >= p.channels) continue;
        const int line = c / p.factor, colour = line / p.factor;
        if (p.skip)
          value[i] += load_channel<F>(p.skip + (at - slab * plane) * kPixelBytes,
                                      plane * kPixelBytes, colour);
        store_element(
            p.picture,
            pixel_at(p.picture, n, y * p.factor + line % p.factor, x * p.factor + c % p.factor) +
                colour * p.picture.channel,
            value[i]);
      }
    }
  });
}

}  // namespace esr::cuda
