// Programs on several threads: equal to one thread bit for bit, called from many threads at once,
// and again at other sizes. Meant for the thread sanitizer, and to prove what dispatch picks.
//
//   threads_test [isa ...]     all that this processor runs, if none is named
#include <memory>
#include <thread>

#include "harness.h"
#include "steps.h"

namespace {

using test::Framed;
using test::input;
using test::Planes;
using test::Random;

// A deep chain with a far residual, values read in later stages, three sizes, and two outputs.
std::unique_ptr<esr::Program> network(const esr::Kernels& kernels, int depth) {
  Random random(depth);
  auto program = std::make_unique<esr::Program>(kernels);
  const auto conv = [&](std::vector<int> sources, int out, int kernel, esr::Act act, int residual) {
    int in = 0;
    for (int source : sources) in += program->channels(source);
    const auto weight = random.many(size_t(out) * in * kernel * kernel, .4);
    return test::conv(*program, sources, {out, in, kernel, weight.data(), nullptr, act, .1f},
                      residual);
  };
  const int x = input(*program, 3), head = conv({x}, 5, 3, esr::Act::none, -1);
  int value = head;
  for (int i = 0; i < depth; ++i) value = conv({value}, 5, 3, esr::Act::silu, i % 3 ? -1 : head);
  const int a = conv({value}, 4, 1, esr::Act::none, -1);
  const auto weight = random.many(4 * 4 * 9, .4);
  const int half =
      program->add<esr::StridedConv>(a, esr::ConvSpec{4, 4, 3, weight.data(), nullptr}, 0, -1);
  const int small = conv({program->add<esr::MaxPool>(half, 7, 3)}, 4, 3, esr::Act::none, -1);
  const int gate = conv({a, program->add<esr::Bilinear>(small, program->resolution(a))}, 5, 1,
                        esr::Act::gate, value);
  program->add<esr::Output>(conv({gate, head, x}, 12, 3, esr::Act::none, -1), 2, x);
  program->add<esr::Output>(value, 1, -1);
  return program;
}

// Both outputs, one after the other.
std::vector<float> result(esr::Program& program, int height, int width, int threads) {
  Random random(height * 100 + width);
  Planes planes(3, height, width);
  for (double& v : planes.data) v = random();
  Framed in(planes), large(3, 2 * height, 2 * width), plain(5, height, width);
  program.run({in.picture()}, {large.picture(), plain.picture()}, 1, height, width, threads);
  test::expect(large.canaries_live() && plain.canaries_live(), "wrote outside the picture");
  std::vector<float> all;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 2 * height; ++y)
      for (int x = 0; x < 2 * width; ++x) all.push_back(large.at(c, y, x));
  for (int c = 0; c < 5; ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) all.push_back(plain.at(c, y, x));
  return all;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && !std::memcmp(a.data(), b.data(), a.size() * sizeof(float));
}

void test_threads(const esr::Kernels& kernels) {
  const int heights[] = {15, 40, 17, 40, 33};  // smaller, larger, then smaller again
  for (int depth : {2, 5}) {
    auto once = network(kernels, depth), program = network(kernels, depth);
    for (int height : heights) {
      const auto expected = result(*once, height, 37, 1);
      for (int threads : {2, 3, 7, 50})
        test::expect(same(result(*program, height, 37, threads), expected),
                     "several threads, height " + std::to_string(height));
    }
  }
}

void test_callers(const esr::Kernels& kernels) {
  auto shared = network(kernels, 3);
  const auto expected = result(*shared, 21, 20, 1);
  std::vector<std::vector<float>> results(8);
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&, i] {
      auto own = network(kernels, 3);
      results[2 * i] = result(*shared, 21, 20, 1 + i);
      results[2 * i + 1] = result(*own, 21, 20, 1 + i);
    });
  for (std::thread& caller : callers) caller.join();
  for (const auto& r : results) test::expect(same(r, expected), "callers at the same time");
}

}  // namespace

int main(int count, char** names) {
  return test::run_all(count, names, [](const esr::Kernels& kernels) {
    test_threads(kernels);
    test_callers(kernels);
  });
}
