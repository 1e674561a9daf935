// Programs of csrc/cuda in the emulator, against plain loops in double. Pictures and weights are
// exact in every format, so that all that may differ is the rounding of a result.
#include <array>

#include "cuda_reference.h"
#include "steps/conv.h"
#include "steps/input.h"
#include "steps/output.h"
#include "steps/spab.h"

using namespace esr;
using namespace esr::cuda;
using namespace test;

namespace {

constexpr Device kH100{132, 227 * 1024}, kA100{108, 163 * 1024}, kGeForce{82, 99 * 1024};

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
    values.push_back(program.add<Input>(channels, nullptr)[0]);
    in += channels;
  }
  const test::Conv conv(random, out, in, kernel, act, .25f);
  const Batch all = concat(pictures);
  Batch u(0, 0, 0, 0);
  int skip = -1;
  if (residual) {
    u = exact_batch(random, c.size, out);
    pictures.push_back(u);
    skip = program.add<Input>(out, nullptr)[0];
  }
  const int y = program.add<esr::cuda::Conv>(values, conv.spec(), skip)[0];
  program.add<esr::cuda::Output>(y, 1, -1);
  const Batch expected = conv.apply(all, residual ? &u : nullptr);
  expect_equal(c.name, run(program, c.device, pictures, {{y, 1}})[0], expected, rounding(c.format));
}

void check_tail(const Case& c, int in, int colours, int factor, bool skip, Element element) {
  Random random(11);
  Program program(c.format);
  const Batch x = exact_batch(random, c.size, in), under = exact_batch(random, c.size, colours);
  const int value = program.add<Input>(in, nullptr)[0],
            picture = program.add<Input>(colours, nullptr)[0];
  test::Conv conv(random, colours * factor * factor, in, 3);
  if (element == Element::u8)  // levels within and beyond 0..1
    for (double& w : conv.weight) w /= 32;
  const int y = program.add<esr::cuda::Conv>(std::vector{value}, conv.spec(), -1)[0];
  program.add<esr::cuda::Output>(y, factor, skip ? picture : -1);
  const auto names = program.launches(c.device, c.size);
  expect(names.back() == "conv3x3_pixel_shuffle", c.name + ": the tail is not fused");
  Batch expected = shuffle(conv.apply(x), factor, skip ? &under : nullptr);
  if (element == Element::u8)
    for (double& v : expected.data) v = std::min(1., std::max(0., v));
  const double unit = element == Element::u8 ? .51 / 255 : 1e-6;
  expect_equal(c.name, run(program, c.device, {x, under}, {{y, factor}}, element)[0], expected,
               element == Element::f32 ? 1e-6 : rounding(c.format), unit);
}

void check_spab(const Case& c, int channels, bool fused) {
  Random random(13);
  Program program(c.format);
  const Batch x = exact_batch(random, c.size, channels);
  std::vector<test::Conv> convs;
  for (int i = 0; i < 3; ++i) {
    convs.emplace_back(random, channels, channels, 3, i < 2 ? Act::silu : Act::span_gate);
    for (double& w : convs.back().weight) w /= 16;
  }
  const auto values = program.add<Spab>(program.add<Input>(channels, nullptr)[0], convs[0].spec(),
                                        convs[1].spec(), convs[2].spec());
  const int o = values[0], t = values[2];
  program.add<esr::cuda::Output>(o, 1, -1);
  program.add<esr::cuda::Output>(t, 1, -1);
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

// A first layer that reads levels of 8 bits, shifted: zeros around the picture are not.
void check_levels(const Case& c) {
  Random random(23);
  Batch x(c.size.batch, 3, c.size.height, c.size.width), shifted = x;
  const double shift[3] = {-.25, .5, .125};
  x.fill([&](int, int, int, int) { return std::floor(128 + 127 * random()) / 255; });
  shifted.fill([&](int n, int ch, int row, int column) {
    return double(float(x.at(n, ch, row, column)) + float(shift[ch]));
  });
  const test::Conv conv(random, 20, 3, 3, Act::relu);
  Program program(c.format);
  const int y = program.add<esr::cuda::Conv>(std::vector{program.add<Input>(3, shift)[0]},
                                             conv.spec(), -1)[0];
  program.add<esr::cuda::Output>(y, 1, -1);
  expect(program.launches(c.device, c.size)[0] == "conv_act from picture",
         c.name + ": the picture is packed first");
  expect_equal(c.name, run(program, c.device, {x}, {{y, 1}}, Element::f32, Element::u8)[0],
               conv.apply(operand(shifted, c.format)), rounding(c.format), 1e-5);
}

// conv1x1 of (a, conv_act(a, b) + a, b), which is one launch for 16-bit numbers.
void check_pointwise(const Case& c, int channels, int other, bool fused) {
  Random random(17);
  Program program(c.format);
  const Batch a = exact_batch(random, c.size, channels), b = exact_batch(random, c.size, other);
  const test::Conv first(random, channels, channels + other, 3, Act::lrelu, .25f);
  test::Conv second(random, channels, 2 * channels + other, 1);
  const int left = program.add<Input>(channels, nullptr)[0],
            right = program.add<Input>(other, nullptr)[0];
  const int y = program.add<esr::cuda::Conv>(std::vector{left, right}, first.spec(), left)[0];
  const int z = program.add<esr::cuda::Conv>(std::vector{left, y, right}, second.spec(), -1)[0];
  program.add<esr::cuda::Output>(z, 1, -1);
  const auto names = program.launches(c.device, c.size);
  expect((names[2] == "conv_act, conv1x1") == fused, c.name + ": launched as " + names[2]);
  const Batch middle = operand(first.apply(concat({a, b}), &a), c.format);
  expect_equal(c.name, run(program, c.device, {a, b}, {{z, 1}})[0],
               second.apply(concat({a, middle, b})), rounding(c.format),
               16 * operand_rounding(c.format));
}

// A 1x1 convolution of two 3x3 ones: a kernel does the work of one of them and its own.
void check_two_into_pointwise(const Case& c, int channels) {
  Random random(29);
  Program program(c.format);
  const Batch a = exact_batch(random, c.size, channels);
  const test::Conv left(random, channels, channels, 3), right(random, channels, channels, 3);
  const test::Conv last(random, channels, 2 * channels, 1);
  const int x = program.add<Input>(channels, nullptr)[0];
  const int y = program.add<esr::cuda::Conv>(std::vector{x}, left.spec(), -1)[0];
  const int z = program.add<esr::cuda::Conv>(std::vector{x}, right.spec(), -1)[0];
  const int out = program.add<esr::cuda::Conv>(std::vector{y, z}, last.spec(), -1)[0];
  program.add<esr::cuda::Output>(out, 1, -1);
  const Batch between = operand(concat({left.apply(a), right.apply(a)}), c.format);
  expect_equal(c.name, run(program, c.device, {a}, {{out, 1}})[0], last.apply(between),
               rounding(c.format), 16 * operand_rounding(c.format));
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
  check_conv(of("spab's gate", {1, 16, 32}), {20}, 20, 3, Act::span_gate, true);
  check_conv(of("1x1 of a concatenation", {1, 9, 50}), {28, 3, 28, 17}, 28, 1, Act::none, true);
  check_conv(of("70 channels out", {1, 6, 6}), {12}, 70, 3, Act::none, true);
  check_conv(of("weights that pass through", {1, 20, 20}, kGeForce), {64, 32}, 64, 3, Act::lrelu,
             false);
  check_levels(of("levels", {2, 17, 18}));
  const bool is_16_bit = format != Format::tf32;
  check_pointwise(of("pointwise, 28", {2, 17, 35}), 28, 3, is_16_bit);
  check_pointwise(of("pointwise, 52", {1, 5, 9}, kGeForce), 52, 20, is_16_bit);
  check_pointwise(of("pointwise, 70", {1, 5, 9}), 70, 20, false);
  check_two_into_pointwise(of("two into pointwise", {1, 9, 35}), 20);
  check_tail(of("tail, factor 4", {1, 18, 35}), 28, 3, 4, true, Element::f32);
  check_tail(of("tail, factor 4, own type", {2, 5, 6}), 28, 3, 4, true, own_element(format));
  check_tail(of("tail, factor 3", {1, 7, 20}), 20, 3, 3, false, own_element(format));
  check_tail(of("tail, factor 2, u8", {1, 7, 20}), 52, 1, 2, true, Element::u8);
}

// Sums in float16 lose digits that the products have, but no more than a rounding each time that
// one is kept: 9 times a slab, below 16, where float16's numbers are 2^-7 apart.
void check_half_sums() {
  Random random(19);
  const Size size{1, 19, 37};
  const Batch x = exact_batch(random, size, 28);
  test::Conv conv(random, 28, 28, 3, Act::lrelu, .25f);  // into slabs
  for (double& w : conv.weight) w *= 33. / 32;
  double errors[2];
  for (auto half_sums : {Options::HalfSums::never, Options::HalfSums::always}) {
    Program program(Format::f16, {.half_sums = half_sums});
    const int y = program.add<esr::cuda::Conv>(std::vector{program.add<Input>(28, nullptr)[0]},
                                               conv.spec(), -1)[0];
    program.add<esr::cuda::Output>(y, 1, -1);
    const Batch result = run(program, kGeForce, {x}, {{y, 1}})[0], truth = conv.apply(x);
    double& worst = errors[half_sums == Options::HalfSums::always];
    worst = 0;
    for (size_t i = 0; i < truth.data.size(); ++i)
      worst = std::max(worst, std::abs(result.data[i] - truth.data[i]));
  }
  expect(errors[1] > errors[0] && errors[1] < 18 * std::ldexp(1., -8),
         "half sums: errors " + std::to_string(errors[0]) + ", " + std::to_string(errors[1]));
}

}  // namespace

int main() {
  check_half_sums();
  for (const auto& [name, format] : kFormats) {
    const int before = failures;
    check_format(name, format);
    const auto spab = [&](const char* what, const Device& device, const Size& size) {
      return Case{std::string(name) + " spab, " + what, format, device, size};
    };
    // Few processors, so that one kernel pays on pictures as small as these.
    if (format != Format::tf32) {
      check_spab(spab("sm_90", {2, kH100.shared_bytes}, {1, 126, 59}), 28, true);
      check_spab(spab("sm_90, strips", {1, kH100.shared_bytes}, {1, 64, 117}), 28, true);
      check_spab(spab("sm_80", {2, kA100.shared_bytes}, {2, 63, 60}), 26, true);
      check_spab(spab("sm_86", {1, kGeForce.shared_bytes}, {1, 33, 27}), 32, true);
      check_spab(spab("48", {1, kH100.shared_bytes}, {1, 31, 44}), 48, true);
      check_spab(spab("small", kH100, {1, 9, 40}), 28, false);
    }
    check_spab(spab("apart", kGeForce, {1, 9, 10}), 52, false);
    std::printf("%s %s\n", name, failures == before ? "passed" : "failed");
  }
  return failures ? 1 : 0;
}
