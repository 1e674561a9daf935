// Launch geometry: every pixel of a result is made exactly once, everything fits its device, and
// the layout in shared memory has no bank conflicts.
#include <array>
#include <set>

#include "checks.h"
#include "halo.cuh"
#include "steps/spab.h"

using namespace esr::cuda;
using namespace test;

namespace {

// Shared memory of a block: sm_80, sm_86 (89 and 120 too), sm_90 (100 too).
constexpr std::array<Device, 3> kDevices{{{108, 163 * 1024}, {82, 99 * 1024}, {132, 227 * 1024}}};
constexpr std::array<Size, 8> kSizes{{{1, 1, 1},
                                      {2, 5, 7},
                                      {1, 16, 32},
                                      {1, 17, 33},
                                      {3, 31, 64},
                                      {1, 256, 256},
                                      {1, 339, 510},
                                      {1, 1, 4000}}};
constexpr std::array<Format, 3> kFormats{Format::f16, Format::bf16, Format::tf32};

// Counts how often each pixel is made.
class Coverage {
 public:
  explicit Coverage(const Size& size)
      : size_(size), made_(size_t(size.batch) * size.height * size.width) {}
  void add(int n, int top, int bottom, int left, int right) {
    for (int y = top; y < std::min(bottom, size_.height); ++y)
      for (int x = left; x < std::min(right, size_.width); ++x)
        ++made_[(size_t(n) * size_.height + y) * size_.width + x];
  }
  bool is_exact() const {
    return std::all_of(made_.begin(), made_.end(), [](int count) { return count == 1; });
  }

 private:
  Size size_;
  std::vector<int> made_;
};

std::string text(const char* what, int channels, const Size& s) {
  return std::string(what) + " of " + std::to_string(channels) + " channels, " +
         std::to_string(s.batch) + "x" + std::to_string(s.height) + "x" + std::to_string(s.width);
}

void check_conv(const Device& device, Format format, int taps, int in, int out, const Size& size) {
  const int slabs = slab_count(format, in);
  const ConvForm form{format, taps, conv_tiles(format, out), ConvEnds::slabs};
  const ConvGeometry g = conv_geometry(device, {form, slabs, out}, size);
  const std::string what = text("conv", out, size);
  expect(g.shared_bytes <= device.shared_bytes, what + ": too much shared memory");
  const int own = (g.resident ? slabs : g.stages) * slab_weight_bytes(taps, g.n_tiles) +
                  g.stages * halo_bytes(taps);
  expect(g.shared_bytes == own, what + ": other shared memory than the kernel's");
  expect(g.stages == 2 || g.stages == 3, what + ": stages");
  expect(g.layers * 8 * g.n_tiles >= out && (g.layers - 1) * 8 * g.n_tiles < out,
         what + ": columns");
  Coverage made(size);
  for (int block = 0; block < g.blocks; ++block)
    for (int tile = block; tile < tile_count(g, size); tile += g.blocks) {
      const Corner c = tile_corner(g, tile);
      made.add(c.n, c.y, c.y + ConvTile::kRows, c.x, c.x + ConvTile::kColumns);
    }
  expect(made.is_exact(), what + ": a pixel is not made once");
}

void check_spab(const Device& device, int channels, const Size& size) {
  const SpabGeometry g = spab_geometry(device, Format::f16, channels, size);
  if (!g.slabs) return;
  const std::string what = text("spab", channels, size);
  expect(g.shared_bytes <= device.shared_bytes, what + ": too much shared memory");
  Coverage made(size);
  for (int block = 0; block < g.blocks; ++block) {
    const Band b = spab_band(g, size, block);
    expect(b.top < b.bottom && b.left < size.width, what + ": a block without work");
    made.add(b.n, b.top, b.bottom, b.left, b.left + 16 * g.patches - 4);
  }
  expect(made.is_exact(), what + ": a pixel is not made once");
}

// A 1x1 convolution within a 3x3 one, at its largest.
void check_pointwise(const Device& device, Format format, int channels) {
  const int slabs = slab_count(format, channels);
  const ConvForm form{format, 9, conv_tiles(format, channels), ConvEnds::to_pointwise};
  const ConvShape shape{form, slabs, channels, kMaxPointwiseSlabs};
  const ConvGeometry g = conv_geometry(device, shape, {1, 339, 510});
  expect(g.shared_bytes <= device.shared_bytes, "pointwise: too much shared memory");
}

void check_forms() {
  const auto slabs = [](const Device& device, int channels) {
    return spab_geometry(device, Format::f16, channels, {1, 256, 256}).slabs;
  };
  for (const Device& device : kDevices)
    expect(slabs(device, 28) == 2, "spab of 28 channels is fused everywhere");
  expect(slabs(kDevices[2], 48) == 3 && slabs(kDevices[0], 48) == 0,
         "spab of 48 channels is fused where 227 KiB are shared");
}

// One kernel on large pictures, whose maps no cache holds; three convolutions on small ones.
void check_choice() {
  const auto pays = [](const Size& size) {
    return spab_profitable(spab_geometry(kDevices[2], Format::f16, 28, size), kDevices[2], size);
  };
  expect(pays({1, 1080, 1920}) && pays({1, 720, 1280}), "spab in one kernel at 1080p and 720p");
  expect(!pays({1, 256, 256}) && !pays({1, 339, 510}), "spab apart on small pictures");
  const Device a100 = kDevices[0];
  expect(!spab_profitable(spab_geometry(a100, Format::f16, 48, {1, 1080, 1920}), a100,
                          {1, 1080, 1920}),
         "spab apart where it does not fit");
}

// The eight 16-byte rows of each matrix lie in different banks of 4 bytes.
void check_banks() {
  for (int column = 0; column < 64; ++column)
    for (int chunk = 0; chunk < 2; ++chunk) {
      std::set<uint32_t> places;
      for (int i = 0; i < 8; ++i) places.insert(swizzled_address(column + i, chunk) % 128 / 16);
      expect(places.size() == 8, "bank conflicts at column " + std::to_string(column));
    }
}

}  // namespace

int main() {
  for (const Size& size : kSizes)
    for (const Device& device : kDevices) {
      for (Format format : kFormats)
        for (int taps : {1, 9})
          for (int channels : {3, 26, 28, 48, 52, 64, 192})
            check_conv(device, format, taps, channels, channels, size);
      for (int channels : {17, 28, 32, 48}) check_spab(device, channels, size);
    }
  for (const Device& device : kDevices)
    for (int channels : {28, 48, 64, 192}) check_pointwise(device, Format::f16, channels);
  check_forms();
  check_choice();
  check_banks();
  std::printf("geometry %s\n", failures ? "failed" : "passed");
  return failures ? 1 : 0;
}
