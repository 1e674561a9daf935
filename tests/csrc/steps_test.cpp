// What a step finds in its tile row: the rows of its window, whatever bands and stages the plan
// has. The steps here are the test's own, as the planner knows no kinds.
//
//   steps_test [isa ...]     all that this processor runs, if none is named
#include "steps.h"

#include <stdexcept>

#include "convolution.h"

namespace {

using esr::Window;
using test::Framed;
using test::Planes;
using test::Random;
using test::random_planes;

// The sum of all rows in the window; numbers are small integers, so that every order is exact.
class RowSum : public esr::Step {
 public:
  RowSum(esr::Program& program, int source, Window window)
      : Step({{source, window}}, program.channels(source), rows_of(program, source, window)) {}

  void run(const esr::TileRow& at) const override {
    const Window window = reads()[0].window;
    const size_t count = at.geometry->row_stride(channels());
    for (int y = 0; y < at.rows; ++y) {
      std::fill_n(at.out[y], count, 0.f);
      for (int i = 0; i <= window.above + window.below; ++i)
        for (size_t k = 0; k < count; ++k)
          at.out[y][k] += at.sources[0].row[y * window.stride + i][k];
    }
  }

 private:
  // Fewer rows, and as many columns as before.
  static esr::Resolution rows_of(esr::Program& program, int source, Window window) {
    const esr::Resolution from = program.resolution(source);
    return {program.axes().sampled(from.rows, {1, window.stride}), from.columns};
  }
};

// Upside down: every row reads one that is anywhere.
class Flip : public esr::Step {
 public:
  Flip(const esr::Program& program, int source)
      : Step({{source, Window::all()}}, program.channels(source), program.resolution(source)) {}

  void run(const esr::TileRow& at) const override {
    const size_t count = at.geometry->row_stride(channels());
    for (int y = 0; y < at.rows; ++y)
      std::copy_n(at.sources[0].first + (at.geometry->height - 1 - at.y - y) * count, count,
                  at.out[y]);
  }
};

Planes row_sum(const Planes& x, Window window) {
  Planes y(x.channels, (x.height - 1) / window.stride + 1, x.width);
  for (int c = 0; c < y.channels; ++c)
    for (int i = 0; i < y.height; ++i)
      for (int j = 0; j < y.width; ++j)
        for (int k = -window.above; k <= window.below; ++k)
          y.at(c, i, j) += x.get(c, i * window.stride + k, j);
  return y;
}

Planes flipped(const Planes& x) {
  Planes y(x.channels, x.height, x.width);
  for (int c = 0; c < y.channels; ++c)
    for (int i = 0; i < y.height; ++i)
      for (int j = 0; j < y.width; ++j) y.at(c, i, j) = x.get(c, x.height - 1 - i, j);
  return y;
}

Planes integers(int height, int width) {
  Random random(height);
  Planes x = random_planes(2, height, width, random);
  for (double& v : x.data) v = std::round(3 * v);
  return x;
}

// A chain of sums with these windows, each value an output, on several numbers of threads.
void test_windows(const esr::Kernels& kernels, const std::vector<Window>& windows, int height) {
  const int width = 19;
  Planes exact = integers(height, width);
  Framed in(exact);
  esr::Program program(kernels);
  int value = test::input(program, 2);
  std::vector<Planes> results;
  for (const Window& window : windows) {
    value = program.add<RowSum>(value, window);
    exact = row_sum(exact, window);
    program.add<esr::Output>(value, 1, -1);
    results.push_back(exact);
  }
  program.add<esr::Output>(program.add<Flip>(value), 1, -1);
  results.push_back(flipped(exact));
  for (int threads : {1, 2, 3, 7}) {
    std::vector<Framed> ours;
    for (const Planes& p : results) ours.emplace_back(p.channels, p.height, p.width);
    std::vector<esr::Picture> views;
    for (Framed& f : ours) views.push_back(f.picture());
    program.run({in.picture()}, views, 1, height, width, threads);
    for (size_t i = 0; i < results.size(); ++i)
      compare(results[i], ours[i], test::name("window", int(i), windows[0].above, height, threads));
  }
}

void test_too_small(const esr::Kernels& kernels) {
  esr::Program program(kernels);
  const int half = program.add<esr::MaxPool>(test::input(program, 1), 2, 2);
  program.add<esr::Output>(program.add<esr::MaxPool>(half, 3, 2), 1, -1);
  Framed in(1, 6, 5), out(1, 1, 1);
  std::string message = "nothing thrown";
  try {
    program.run({in.picture()}, {out.picture()}, 1, 6, 5, 1);
  } catch (const std::invalid_argument& error) {
    message = error.what();
  }
  test::expect(message.find("5x6 pixels") != message.npos, message);
  test::expect(message.find("at least 6x6") != message.npos, message);
}

void test_resolutions() {
  esr::Axes axes;
  const int half = axes.sampled(esr::Axes::kHeight, {3, 2}), pool = axes.sampled(half, {7, 3});
  test::expect(axes.sampled(esr::Axes::kHeight, {3, 2}) == half, "the same rule, the same axis");
  test::expect(axes.sampled(esr::Axes::kWidth, {3, 2}) != half, "of another line");
  test::expect(axes.sampled(half, {1, 1}) == half, "a rule that keeps all pixels");
  test::expect(axes.length(half, 15, 90) == 7 && axes.length(pool, 15, 90) == 1, "15 rows");
  test::expect(axes.length(pool, 14, 90) == 0, "14 rows");
  test::expect(axes.least(esr::Axes::kHeight) == 15, "the least height");
  test::expect(axes.length(axes.sampled(pool, {2, 2}), 2, 90) == 0, "never below none");
}

void test_steps(const esr::Kernels& kernels) {
  test_resolutions();
  test_too_small(kernels);
  for (int height : {1, 2, 7, 16, 33, 70, 131}) {
    for (int reach : {0, 1, 3, 4, 5, 9}) test_windows(kernels, {5, Window::around(reach)}, height);
    test_windows(kernels, {{5, 0}, {0, 6}, {1, 1}, {0, 4}, {8, 1}}, height);
    test_windows(kernels, {{1, 1}, {2, 3, 2}, {1, 1}, {0, 0, 3}, {1, 0}}, height);
  }
}

}  // namespace

int main(int count, char** names) { return test::run_all(count, names, test_steps); }
