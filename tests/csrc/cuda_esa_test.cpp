// esa on the emulated GPU, from a = conv1(x) on, against plain loops in double.
#include "cuda_harness.h"
#include "esa_reference.h"
#include "pack_weights.h"
#include "steps/esa.h"

using namespace esr;
using namespace esr::cuda;
using namespace test;

namespace {

constexpr Device kH100{132, 227 * 1024};

// A channel of a pixel in slabs.
size_t place(Format format, const Batch& x, int n, int c, int row, int column) {
  const int unit = slab_channels(format);
  const size_t plane = size_t(c / unit * x.batch + n) * x.height + row;
  return (plane * x.width + column) * kPixelBytes + c % unit * (kPixelBytes / unit);
}

std::vector<char> to_slabs(Format format, Batch x) {
  std::vector<char> slabs(size_t(slab_count(format, x.channels)) * x.batch * x.height * x.width *
                          kPixelBytes);
  x.fill([&](int n, int c, int row, int column) {
    const float value = float(x.get(n, c, row, column));
    const uint32_t bits = format == Format::f16    ? F16::pack(value, 0)
                          : format == Format::bf16 ? BF16::pack(value, 0)
                                                   : bits_of_float(value);
    std::memcpy(&slabs[place(format, x, n, c, row, column)], &bits,
                kPixelBytes / slab_channels(format));
    return value;
  });
  return slabs;
}

Batch from_slabs(Format format, const char* slabs, const Size& size, int channels) {
  Batch x(size.batch, slab_count(format, channels) * slab_channels(format), size.height,
          size.width);
  x.fill([&](int n, int c, int row, int column) {
    uint32_t bits = 0;
    std::memcpy(&bits, slabs + place(format, x, n, c, row, column),
                kPixelBytes / slab_channels(format));
    float low = float_of_bits(bits), high;
    if (format == Format::f16) F16::unpack(bits, low, high);
    if (format == Format::bf16) BF16::unpack(bits, low, high);
    return low;
  });
  return x;
}

// Everything on the device, and the launch.
class Launched {
 public:
  Launched(Format format, const test::Esa& esa, const Batch& a, const Batch& q)
      : format_(format), p_{{a.batch, a.height, a.width}} {
    p_.geometry = esa_geometry(kH100, format, a.channels, q.channels, p_.size);
    const EsaGeometry& g = p_.geometry;
    p_.a_channels = a.channels;
    p_.q_channels = q.channels;
    p_.a = constant(to_slabs(format, a)), p_.q = constant(to_slabs(format, q));
    p_.conv2 = constant(pack_weights(format, esa.conv2.spec(), {a.channels}, g.n_tiles));
    p_.conv_f = constant(pack_weights(format, esa.conv_f.spec(), {a.channels}, g.n_tiles));
    p_.conv4 = constant(pack_esa_gate(format, esa.conv4.spec(), g.gate_columns));
    p_.conv3 = constant(pack_esa_map(esa.conv3.spec(), g.n_tiles));
    p_.bias2 = constant(pack_bias(esa.conv2.spec(), g.n_tiles));
    p_.bias3 = constant(pack_bias(esa.conv3.spec(), g.n_tiles));
    p_.bias_f = constant(pack_bias(esa.conv_f.spec(), g.n_tiles));
    p_.bias4 = constant(pack_bias(esa.conv4.spec(), g.gate_columns / 8));
    const size_t map_bytes = esa_map_bytes(g, p_.size);
    p_.pooled = memory_.emplace_back(map_bytes).as<float>();
    p_.map = p_.pooled + map_bytes / 2 / sizeof(float);
    p_.out = memory_.emplace_back(to_slabs(format, q).size()).data();
    launch_esa({format, p_.geometry.n_tiles}, p_, nullptr);
  }
  Shape shape() const {
    return {p_.size.batch, p_.a_channels, p_.geometry.height, p_.geometry.width};
  }
  // A number of a small map.
  double small(const float* map, int n, int c, int y, int x) const {
    const Shape pixels = shape();
    return map[((size_t(n) * pixels.height + y) * pixels.width + x) * 8 * p_.geometry.n_tiles + c];
  }
  const EsaParameters& parameters() const { return p_; }
  Batch result() const { return from_slabs(format_, p_.out, p_.size, p_.q_channels); }

 private:
  template <class T>
  const T* constant(const std::vector<T>& values) {
    memory_.emplace_back(values).protect();
    return memory_.back().template as<T>();
  }
  Format format_;
  EsaParameters p_;
  std::vector<DeviceMemory> memory_;
};

// Within the bound, and `rounding` of the number; infinity and NaN where they should be.
class Comparison {
 public:
  Comparison(std::string what, double rounding) : what_(std::move(what)), rounding_(rounding) {}
  ~Comparison() {
    expect(worst_ <= 1, what_ + ": " + std::to_string(worst_) + " times the allowed error");
  }
  void add(double ours, const Bounded& truth) {
    const double allowed = truth.error + rounding_ * std::abs(truth.value) + 0x1p-24;
    double error = std::abs(ours - truth.value) / allowed;
    if (!std::isfinite(truth.value))
      error = ours == truth.value || (std::isnan(ours) && std::isnan(truth.value)) ? 0 : INFINITY;
    worst_ = worse(worst_, error);
  }

 private:
  std::string what_;
  double rounding_, worst_ = 0;
};

// `special`: a number that `a` has in one place.
void check(const std::string& name, Format format, const Size& size, int channels, int f,
           double special = 0) {
  Random random(channels + f);
  const test::Esa esa(random, channels, f);
  Batch a = exact_batch(random, size, f);
  const Batch q = exact_batch(random, size, channels);
  if (special != 0) a.at(size.batch - 1, f - 1, size.height / 2, 3) = special;
  const Launched device(format, esa, a, q);
  const Shape shape = device.shape();
  const Map first = pooled(esa, a, shape), second = mapped(esa, first, shape);
  Comparison small(name + " pooled", 0), map(name + " map", 0);
  shape.make([&](int n, int c, int y, int x) {
    const size_t at = shape.at(n, c, y, x);
    small.add(device.small(device.parameters().pooled, n, c, y, x), first[at]);
    map.add(device.small(device.parameters().map, n, c, y, x), second[at]);
    return Bounded{};
  });
  const Map truth = gated(esa, a, q, second, shape, format);
  const Batch ours = device.result();
  Comparison result(name, rounding(format));
  const Shape full{size.batch, channels, size.height, size.width};
  for (int n = 0; n < size.batch; ++n)
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x)
        for (int c = 0; c < ours.channels; ++c)
          result.add(ours.get(n, c, y, x), c < channels ? truth[full.at(n, c, y, x)] : Bounded{});
}

// What every GPU since Ampere has room for, and the two maps in a slab of `a`.
void check_limits() {
  for (Format format : {Format::f16, Format::bf16, Format::tf32})
    for (int f = 1; f <= kEsaMaxChannels; ++f)
      for (int side = kEsaMinPixels; side < 60; ++side) {
        const Size size{3, side, 74 - side};
        const EsaGeometry g = esa_geometry(kH100, format, f, 96, size);
        const std::string what = std::to_string(f) + " channels, height " + std::to_string(side);
        expect(8 * g.n_tiles >= f && (g.n_tiles == 2 || g.n_tiles == 4), "tiles of " + what);
        expect(std::max(g.pool_shared_bytes, g.gate_shared_bytes) <= 99 * 1024, "limit of " + what);
        expect(esa_map_bytes(g, size) <= size_t(3) * side * (74 - side) * kPixelBytes,
               "maps of " + what);
      }
}

}  // namespace

int main() {
  check_limits();
  const std::pair<const char*, Format> formats[] = {
      {"f16", Format::f16}, {"bf16", Format::bf16}, {"tf32", Format::tf32}};
  for (const auto& [name, format] : formats) {
    const std::string prefix = std::string(name) + " ";
    check(prefix + "smallest", format, {1, 15, 15}, 20, 8);
    check(prefix + "46 channels", format, {2, 21, 37}, 46, 16);
    check(prefix + "50 channels, many tiles", format, {1, 41, 67}, 50, 16);
    check(prefix + "wide a", format, {1, 16, 33}, 96, 32);
    check(prefix + "odd a", format, {1, 35, 18}, 17, 20);
    check(prefix + "NaN", format, {2, 34, 35}, 20, 12, NAN);
    // One infinite channel: those that only fill a slab must not make a NaN of it.
    check(prefix + "infinity", format, {1, 34, 35}, 20, 1, INFINITY);
  }
  if (!failures) std::printf("esa passed\n");
  return failures ? 1 : 0;
}
