// Programs of csrc/cuda in the emulator, against plain loops in double. Pictures and weights are
// exact in every format, so that all that may differ is the rounding of a result.
#include <array>
#include <functional>

#include "cuda_harness.h"

using namespace esr;
using namespace esr::cuda;
using namespace test;

namespace {

constexpr Device kH100{132, 227 * 1024}, kA100{108, 163 * 1024}, kGeForce{82, 99 * 1024};

double activation(Act act, float slope, double y) {
  switch (act) {
    case Act::relu: return y < 0 ? 0 : y;
    case Act::lrelu: return y < 0 ? slope * y : y;
    case Act::silu: return y / (1 + std::exp(-y));
    case Act::gelu: return .5 * y * (1 + std::erf(y * std::sqrt(.5)));
    default: return y;
  }
}

// Everything a convolution is made of, and what it should give.
struct Conv {
  int kernel;
  Act act = Act::none;
  float slope = 0;
  std::vector<double> weight, bias;
  int out, in;

  Conv(Random& random, int out, int in, int kernel, Act act = Act::none, float slope = 0)
      : kernel(kernel),
        act(act),
        slope(slope),
        weight(exact(random, out * in * kernel * kernel)),
        bias(exact(random, out)),
        out(out),
        in(in) {}
  ConvSpec spec() const { return {out, in, kernel, weight.data(), bias.data(), act, slope}; }

  Batch apply(const Batch& x, const Batch* u = nullptr) const {
    Batch y(x.batch, out, x.height, x.width);
    y.fill([&](int n, int o, int row, int column) {
      double sum = bias[o];
      const int reach = kernel / 2;
      for (int c = 0; c < in; ++c)
        for (int k = 0; k < kernel * kernel; ++k)
          sum += weight[(size_t(o) * in + c) * kernel * kernel + k] *
                 x.get(n, c, row + k / kernel - reach, column + k % kernel - reach);
      if (act == Act::spab)
        return (sum + u->get(n, o, row, column)) * (1 / (1 + std::exp(-sum)) - .5);
      return activation(act, slope, sum) + (u ? u->get(n, o, row, column) : 0);
    });
    return y;
  }
};

Batch concat(const std::vector<Batch>& parts) {
  int channels = 0;
  for (const Batch& part : parts) channels += part.channels;
  Batch all(parts[0].batch, channels, parts[0].height, parts[0].width);
  int first = 0;
  for (const Batch& part : parts) {
    for (int n = 0; n < all.batch; ++n)
      for (int c = 0; c < part.channels; ++c)
        for (int y = 0; y < all.height; ++y)
          for (int x = 0; x < all.width; ++x) all.at(n, first + c, y, x) = part.get(n, c, y, x);
    first += part.channels;
  }
  return all;
}

Batch shuffle(const Batch& x, int r, const Batch* skip) {
  Batch y(x.batch, x.channels / r / r, x.height * r, x.width * r);
  y.fill([&](int n, int c, int row, int column) {
    const int channel = (c * r + row % r) * r + column % r;
    return x.get(n, channel, row / r, column / r) +
           (skip ? skip->get(n, c, row / r, column / r) : 0);
  });
  return y;
}

struct Case {
  std::string name;
  Format format;
  Device device;
  Size size;
};

// One convolution of several inputs, its result and its shuffled form as outputs.
void check_conv(const Case& c, const std::vector<int>& inputs, int out, int kernel, Act act,
                bool residual) {
  Random random(7);
  int in = 0;
  std::vector<Batch> pictures;
  Program program(c.format);
  std::vector<int> values;
  for (int channels : inputs) {
    pictures.push_back(exact_batch(random, c.size, channels));
    values.push_back(program.input(channels, nullptr));
    in += channels;
  }
  const Conv conv(random, out, in, kernel, act, .25f);
  const Batch all = concat(pictures);
  Batch u(0, 0, 0, 0);
  int skip = -1;
  if (residual) {
    u = exact_batch(random, c.size, out);
    pictures.push_back(u);
    skip = program.input(out, nullptr);
  }
  const int y = program.conv(values, conv.spec(), skip);
  program.output(y, 1, -1);
  const Batch expected = conv.apply(all, residual ? &u : nullptr);
  expect_equal(c.name, run(program, c.device, pictures, {{y, 1}})[0], expected, rounding(c.format));
}

void check_tail(const Case& c, int in, int colours, int factor, bool skip, Element element) {
  Random random(11);
  Program program(c.format);
  const Batch x = exact_batch(random, c.size, in), under = exact_batch(random, c.size, colours);
  const int value = program.input(in, nullptr), picture = program.input(colours, nullptr);
  Conv conv(random, colours * factor * factor, in, 3);
  if (element == Element::u8)  // levels within and beyond 0..1
    for (double& w : conv.weight) w /= 32;
  const int y = program.conv({value}, conv.spec(), -1);
  program.output(y, factor, skip ? picture : -1);
  const auto names = program.launches(c.device, c.size);
  expect(names.back() == "pixel_shuffle", c.name + ": the tail is not fused");
  Batch expected = shuffle(conv.apply(x), factor, skip ? &under : nullptr);
  if (element == Element::u8)
    for (double& v : expected.data) v = std::min(1., std::max(0., v));
  const double unit = element == Element::u8 ? .51 / 255 : 0;
  expect_equal(c.name, run(program, c.device, {x, under}, {{y, factor}}, element)[0], expected,
               element == Element::f32 ? 1e-6 : rounding(c.format), unit);
}

void check_spab(const Case& c, int channels, bool fused) {
  Random random(13);
  Program program(c.format);
  const Batch x = exact_batch(random, c.size, channels);
  std::vector<Conv> convs;
  for (int i = 0; i < 3; ++i) {
    convs.emplace_back(random, channels, channels, 3, i < 2 ? Act::silu : Act::spab);
    for (double& w : convs.back().weight) w /= 16;
  }
  const auto [o, t] = program.spab(program.input(channels, nullptr), convs[0].spec(),
                                   convs[1].spec(), convs[2].spec());
  program.output(o, 1, -1);
  program.output(t, 1, -1);
  const auto names = program.launches(c.device, c.size);
  expect((names[1] == "spab") == fused, c.name + ": launched as " + names[1]);
  const Batch expected_t = convs[0].apply(x);
  const Batch v = operand(convs[1].apply(operand(expected_t, c.format)), c.format);
  const auto results = run(program, c.device, {x}, {{o, 1}, {t, 1}});
  // Where t or v lies between two numbers, it may be rounded to the other one.
  expect_equal(c.name + " t", results[1], expected_t, rounding(c.format));
  expect_equal(c.name + " o", results[0], convs[2].apply(v, &x), rounding(c.format),
               operand_rounding(c.format));
}

const std::array<std::pair<const char*, Format>, 3> kFormats{
    {{"f16", Format::f16}, {"bf16", Format::bf16}, {"tf32", Format::tf32}}};

void check_format(const std::string& name, Format format) {
  const auto of = [&](const std::string& what, Size size, Device device = kH100) {
    return Case{name + " " + what, format, device, size};
  };
  check_conv(of("first layer", {2, 19, 37}), {3}, 28, 3, Act::none, false);
  check_conv(of("28 channels, silu", {1, 17, 33}), {28}, 28, 3, Act::silu, false);
  check_conv(of("26 channels, residual", {2, 5, 7}), {26}, 26, 3, Act::lrelu, true);
  check_conv(of("48 channels, one row", {1, 1, 40}), {48}, 48, 3, Act::relu, true);
  check_conv(of("52 channels, gelu", {1, 18, 3}), {52}, 52, 3, Act::gelu, false);
  check_conv(of("spab's gate", {1, 16, 32}), {20}, 20, 3, Act::spab, true);
  check_conv(of("1x1 of a concatenation", {1, 9, 50}), {28, 3, 28, 17}, 28, 1, Act::none, true);
  check_conv(of("70 channels out", {1, 6, 6}), {12}, 70, 3, Act::none, true);
  check_conv(of("weights that pass through", {1, 20, 20}, kGeForce), {64, 32}, 64, 3, Act::lrelu,
             false);
  check_tail(of("tail, factor 4", {1, 18, 35}), 28, 3, 4, true, Element::f32);
  check_tail(of("tail, factor 4, own type", {2, 5, 6}), 28, 3, 4, true, own_element(format));
  check_tail(of("tail, factor 3", {1, 7, 20}), 20, 3, 3, false, own_element(format));
  check_tail(of("tail, factor 2, u8", {1, 7, 20}), 52, 1, 2, true, Element::u8);
}

}  // namespace

int main() {
  for (const auto& [name, format] : kFormats) {
    const int before = failures;
    check_format(name, format);
    if (format != Format::tf32) {
      check_spab({std::string(name) + " spab, sm_90", format, kH100, {1, 23, 130}}, 28, true);
      check_spab({std::string(name) + " spab, sm_80", format, kA100, {2, 9, 61}}, 26, true);
      check_spab({std::string(name) + " spab, sm_86", format, kGeForce, {1, 11, 29}}, 32, true);
      check_spab({std::string(name) + " spab, 48", format, kH100, {1, 7, 90}}, 48, true);
    }
    check_spab({std::string(name) + " spab, apart", format, kGeForce, {1, 9, 10}}, 52, false);
    std::printf("%s %s\n", name, failures == before ? "passed" : "failed");
  }
  return failures ? 1 : 0;
}
