// Convolutions on matrix tiles: the kernels' own source over the emulator's tiles, and over the
// processor's where it has them. Pictures and weights are small integers, which bfloat16 holds and
// float32 adds without rounding, so that results are exact but for their own rounding.
//
//   tiles_test
#define ESR_ISA emulated
#define ESR_LANES 16
#define ESR_GROUP 4
#define ESR_PANEL 2
#define ESR_TILES "tile_emulator.h"
#include "convolution.h"
#include "kernels.cpp"
#include "steps.h"
#include "steps/tile_conv.h"
#include "tile_checks.h"

namespace {

using test::Act;
using test::Conv;
using test::expect;
using test::Framed;
using test::Planes;
using test::Random;

bool is_linear(Act act) { return act == Act::none || act == Act::relu || act == Act::lrelu; }

struct Case {
  int kernel;
  Act act;
  bool residual;
  int out;
  std::vector<int> ins;
  int height, width;
  bool as_pixels = true;  // the result goes through another convolution
  int threads = 1;
  std::string text() const {
    return std::string(esr::kActNames[int(act)]) + " k" + std::to_string(kernel) + " " +
           std::to_string(ins[0]) + "x" + std::to_string(ins.size()) + "->" + std::to_string(out) +
           ", " + std::to_string(height) + "x" + std::to_string(width) +
           (as_pixels ? " pixels" : " planes");
  }
};

void test_conv(const esr::Kernels& kernels, const Case& c) {
  Random random(c.out * 1000 + c.width);
  esr::Program program(kernels, true);
  int in = 0;
  for (int channels : c.ins) in += channels;
  const Planes x = test::integers(in, c.height, c.width, random);
  const Planes u = test::integers(c.out, c.height, c.width, random);
  const Conv conv = test::integer_conv(c.out, in, c.kernel, random);
  std::vector<Framed> pictures;
  std::vector<int> sources;
  for (int first = 0, s = 0; s < int(c.ins.size()); first += c.ins[s++]) {
    Planes part(c.ins[s], c.height, c.width);
    std::copy_n(x.data.begin() + size_t(first) * c.height * c.width, part.data.size(),
                part.data.begin());
    pictures.emplace_back(part);
    sources.push_back(test::input(program, c.ins[s]));
  }
  const int residual = c.residual ? test::input(program, c.out) : -1;
  if (c.residual) pictures.emplace_back(u);
  int value = program.add<esr::TileConv>(sources, conv.spec(c.act, .5f), residual);
  const Conv last = test::identity(c.out);
  if (c.as_pixels) value = program.add<esr::TileConv>(std::vector<int>{value}, last.spec(), -1);
  program.add<esr::Output>(value, 1, -1);
  Framed ours(c.out, c.height, c.width);
  test::run_after_nan(program, pictures, ours, c.height, c.width, c.threads);
  const bool rounds = c.as_pixels && !esr::is_split(c.out);
  double worst = 0;
  for (int o = 0; o < c.out; ++o)
    for (int y = 0; y < c.height; ++y)
      for (int i = 0; i < c.width; ++i) {
        const double sum = conv.sum(x, o, y - c.kernel / 2, i - c.kernel / 2);
        double exact = test::with_act(sum, c.act, .5, c.residual ? u.get(o, y, i) : 0);
        if (rounds && is_linear(c.act)) exact = test::rounded(exact);
        const double allowed = is_linear(c.act) ? 0
                                                : std::fabs(exact) * (rounds ? 1. / 200 : 1e-6) +
                                                      (rounds ? 1e-4 : 1e-5);
        const double error = std::fabs(exact - ours.at(o, y, i)) - allowed;
        worst = test::worse(worst, error);
      }
  expect(worst <= 0, c.text() + ": off by " + std::to_string(worst));
  expect(ours.canaries_live(), c.text() + ": wrote outside the picture");
}

void test_convs(const esr::Kernels& kernels) {
  for (int kernel : {1, 3})
    for (bool as_pixels : {true, false}) {
      for (size_t act = 0; act < std::size(esr::kActNames); ++act)
        for (bool residual : {false, true})
          if (residual || !esr::needs_residual(Act(act)))
            test_conv(kernels, {kernel, Act(act), residual, 28, {28}, 6, 35, as_pixels});
      for (int width : {1, 2, 15, 16, 17, 33, 63, 64, 65, 130})
        test_conv(kernels, {kernel, Act::lrelu, true, 20, {12}, 5, width, as_pixels});
      for (int height : {1, 2, 3, 4, 5, 9})
        test_conv(kernels, {kernel, Act::none, false, 16, {40}, height, 7, as_pixels});
      for (int out : {1, 3, 10, 11, 16, 17, 32, 33, 48, 52, 64, 80})
        test_conv(kernels, {kernel, Act::relu, true, out, {26}, 3, 19, as_pixels});
      test_conv(kernels, {kernel, Act::none, false, 28, {3, 28, 12, 70}, 3, 17, as_pixels});
      test_conv(kernels, {kernel, Act::none, false, 28, {28}, 67, 20, as_pixels, 2});
    }
}

// A picture keeps more digits than one bfloat16 has: numbers of 16 bits come through.
void test_picture(const esr::Kernels& kernels) {
  Random random(1);
  Planes x(3, 5, 37);
  for (double& v : x.data) v = std::round(32000 * random()) / 32768;
  Conv conv(28, 3, 3, random);
  for (double& w : conv.weight) w = std::round(w * 16000) / 32768;
  esr::Program program(kernels, true);
  const int value = test::input(program, 3);
  program.add<esr::Output>(program.add<esr::TileConv>(std::vector<int>{value}, conv.spec(), -1), 1,
                           -1);
  Framed in(x), ours(28, 5, 37);
  program.run({in.picture()}, {ours.picture()}, 1, 5, 37, 1);
  double worst = 0;
  for (int o = 0; o < 28; ++o)
    for (int y = 0; y < 5; ++y)
      for (int i = 0; i < 37; ++i)
        worst = test::worse(worst, std::fabs(conv.sum(x, o, y - 1, i - 1) - ours.at(o, y, i)));
  expect(worst < 1e-4, "a picture loses digits: " + std::to_string(worst));
}

std::string named(const char* what, int out, int in, int height, int width) {
  return std::string(what) + " " + std::to_string(in) + "->" + std::to_string(out) + ", " +
         std::to_string(height) + "x" + std::to_string(width);
}

// Between convolutions on tiles one that knows planes only, and a residual that it makes.
void test_formats(const esr::Kernels& kernels, int height, int width) {
  Random random(width);
  const Planes x = test::integers(28, height, width, random);
  Conv filters = test::integer_conv(28, 1, 3, random);
  esr::Program program(kernels, true);
  const Conv same = test::identity(28);
  const int a =
      program.add<esr::TileConv>(std::vector<int>{test::input(program, 28)}, same.spec(), -1);
  const int b = program.add<esr::Depthwise3x3>(a, filters.spec(), -1);
  const int c = program.add<esr::TileConv>(std::vector<int>{a}, same.spec(), b);
  program.add<esr::Output>(program.add<esr::TileConv>(std::vector<int>{c}, same.spec(), b), 1, -1);
  Planes exact = x;
  for (int o = 0; o < 28; ++o)
    for (int y = 0; y < height; ++y)
      for (int i = 0; i < width; ++i) exact.at(o, y, i) += 2 * filters.filtered(x, o, y - 1, i - 1);
  test::expect_exact(program, x, exact, named("formats", 28, 28, height, width));
}

void test_strided(const esr::Kernels& kernels, int kernel, int padding, int out, int in, int height,
                  int width) {
  Random random(out * 1000 + width);
  const Planes x = test::integers(in, height, width, random);
  const Conv conv = test::integer_conv(out, in, kernel, random);
  esr::Program program(kernels, true);
  const std::vector<int> source = {test::input(program, in)};
  program.add<esr::Output>(program.add<esr::TileConv>(source, conv.spec(), -1, 2, padding), 1, -1);
  Planes exact = apply(conv, x, 2, padding);
  for (double& y : exact.data) y = test::rounded(y);
  test::expect_exact(program, x, exact,
                     named("strided", out, in, height, width) + " k" + std::to_string(kernel));
}

// To twice the size: sums of sixteenths, as pixels, which another convolution hands on.
void test_bilinear(const esr::Kernels& kernels, int channels, int height, int width) {
  Random random(channels * 1000 + width);
  const Planes x = test::integers(channels, height, width, random);
  esr::Program program(kernels, true);
  const int value = test::input(program, channels);
  const esr::Resolution twice =
      program.axes().sampled(program.resolution(value), esr::Sampling::enlarging(2));
  const Conv same = test::identity(channels);
  const std::vector<int> larger = {program.add<esr::Bilinear>(value, twice)};
  program.add<esr::Output>(program.add<esr::TileConv>(larger, same.spec(), -1), 1, -1);
  Planes exact(channels, 2 * height, 2 * width);
  const auto near = [&](int c, int i, int j) {
    return x.get(c, std::clamp(i, 0, height - 1), std::clamp(j, 0, width - 1));
  };
  for (int c = 0; c < channels; ++c)
    for (int i = 0; i < 2 * height; ++i)
      for (int j = 0; j < 2 * width; ++j) {
        const int di = i % 2 ? 1 : -1, dj = j % 2 ? 1 : -1;
        exact.at(c, i, j) =
            test::rounded((9 * near(c, i / 2, j / 2) + 3 * near(c, i / 2 + di, j / 2) +
                           3 * near(c, i / 2, j / 2 + dj) + near(c, i / 2 + di, j / 2 + dj)) /
                          16);
      }
  test::expect_exact(program, x, exact, named("bilinear", channels, channels, height, width));
}

// Sums that are shuffled to four times the size, on the picture itself.
void test_shuffled(const esr::Kernels& kernels, int colours, bool skip, int height, int width) {
  Random random(colours * 1000 + width);
  const Planes x = test::integers(colours, height, width, random);
  const Conv conv = test::integer_conv(16 * colours, colours, 3, random);
  esr::Program program(kernels, true);
  const int value = test::input(program, colours);
  const std::vector<int> source = {value};
  program.add<esr::Output>(program.add<esr::TileConv>(source, conv.spec(Act::relu), -1), 4,
                           skip ? value : -1);
  Planes exact(colours, 4 * height, 4 * width);
  for (int c = 0; c < colours; ++c)
    for (int i = 0; i < 4 * height; ++i)
      for (int j = 0; j < 4 * width; ++j)
        exact.at(c, i, j) =
            std::max(0., conv.sum(x, 16 * c + i % 4 * 4 + j % 4, i / 4 - 1, j / 4 - 1)) +
            (skip ? x.get(c, i / 4, j / 4) : 0);
  test::expect_exact(program, x, exact, named("shuffled", colours, colours, height, width));
}

void test_sizes(const esr::Kernels& kernels) {
  for (int kernel : {2, 3, 4})
    for (int padding : {0, 1}) {
      if (!esr::is_strided_size(kernel, padding)) continue;
      for (int width : {3, 4, 33, 34, 63, 64, 65, 66, 131, 200})
        test_strided(kernels, kernel, padding, 16, 16, 9, width);
      for (int in : {3, 20, 46}) test_strided(kernels, kernel, padding, 48, in, 12, 37);
    }
  for (int width : {1, 8, 33, 70}) test_bilinear(kernels, 16, 5, width);
  for (int channels : {11, 20, 46, 64}) test_bilinear(kernels, channels, 3, 9);
  for (int width : {1, 3, 4, 15, 18, 64, 67}) test_shuffled(kernels, 3, true, 5, width);
  test_shuffled(kernels, 1, false, 7, 20);
  test_shuffled(kernels, 3, false, 2, 33);
}

void test_kernels(const esr::Kernels& kernels) {
  const int before = test::failures;
  test_convs(kernels);
  test_sizes(kernels);
  test_picture(kernels);
  for (int width : {1, 31, 64, 66}) test_formats(kernels, 7, width);
  std::printf("%s %s\n", kernels.name, test::failures == before ? "passed" : "failed");
}

// What the emulator says of a few instructions.
template <class Body>
void expect_fault(const std::string& expected, Body&& body) {
  auto& unit = esr::emulated::tile_unit();
  unit = {};
  body();
  expect(unit.fault == expected, "planted: " + expected + "; found: " + unit.fault);
  unit = {};
}

void test_planted_faults() {
  using namespace esr::emulated;
  static const esr::TileConfig config;
  std::vector<float> memory(1024);
  expect_fault("a tile is used without a configuration", [&] { tile_load<0>(memory.data(), 64); });
  expect_fault("a tile is used that is not configured", [&] {
    tile_configure(config);
    tile_load<4>(memory.data(), 64);
  });
  expect_fault("a tile is read that was never loaded", [&] {
    tile_configure(config);
    tile_load<0>(memory.data(), 64);
    tile_load<2>(memory.data(), 64);
    tile_dot<0, 2, 3>();
  });
  expect_fault("this palette is not known", [&] {
    static esr::TileConfig wrong;
    wrong.palette = 0;
    tile_configure(wrong);
  });
  expect_fault("tiles are configured twice", [&] {
    tile_configure(config);
    tile_configure(config);
  });
  expect_fault("stored rows overlap", [&] {
    tile_configure(config);
    tile_load<0>(memory.data(), 64);
    tile_store<0>(memory.data(), 32);
  });
  // A wrong stride is no fault but wrong numbers: of the second pixel at the latest.
  tile_configure(config);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = float(i);
  tile_load<0>(memory.data(), 128);
  tile_store<0>(memory.data(), 64);
  expect(memory[16] == 32, "a stride is not taken as it is given");
  tile_release();
}

}  // namespace

int main() {
  test_planted_faults();
  test_kernels(esr::emulated::kernels);
  expect(esr::emulated::tile_unit().fault.empty(), esr::emulated::tile_unit().fault);
  expect(!esr::emulated::tile_unit().config, "tiles are left configured");
  int count = 0;
  const auto built = esr::built_kernels(&count);
  for (int i = 0; i < count; ++i)
    if (built[i]->tile_conv && !esr::missing(*built[i])) test_kernels(*built[i]);
  return test::failures ? 1 : 0;
}
