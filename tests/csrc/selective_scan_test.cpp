// The selective scan of an instruction set against plain loops in double, on odd sizes, with all
// strides, and on several threads: equal to one thread bit for bit.
//
//   selective_scan_test [isa ...]     all that this processor runs, if none is named
#include <algorithm>

#include "harness.h"

namespace {

using test::Random;

constexpr double kTolerance = 2e-6;  // of the largest result; the worst seen is 5e-7

// [batch][length][width] with gaps; its last number is the last of the heap block, so that a
// sanitizer sees one step beyond.
struct Sequence {
  int batch, length, width;
  size_t batch_step, token, step;
  std::vector<float> data;

  // Tokens one after the other, or side by side as torch's transpose leaves them.
  Sequence(int batch, int length, int width, bool transposed, Random& random, double low)
      : batch(batch), length(length), width(width) {
    token = transposed ? 1 : width + 3;
    step = transposed ? length + 2 : 1;
    const size_t last = (length - 1) * token + (width - 1) * step;
    batch_step = last + 5;
    data.assign((batch - 1) * batch_step + last + 1, NAN);
    for (int n = 0; n < batch; ++n)
      for (int l = 0; l < length; ++l)
        for (int i = 0; i < width; ++i) at(n, l, i) = float(std::max(low, random()));
  }
  float& at(int n, int l, int i) { return data[n * batch_step + l * token + i * step]; }
  esr::SequenceView<const float> view() const { return {data.data(), batch_step, token, step}; }
};

struct Problem {
  int batch, length, channels, states;
  Random random;
  Sequence c, delta, B, K;
  std::vector<float> A, D;

  Problem(int batch, int length, int channels, int states, bool transposed, float fastest)
      : batch(batch),
        length(length),
        channels(channels),
        states(states),
        random(length * 100 + channels),
        c(batch, length, channels, transposed, random, -1),
        delta(batch, length, channels, false, random, 0),
        B(batch, length, states, false, random, -1),
        K(batch, length, states, transposed, random, -1) {
    for (int i = 0; i < channels * states; ++i) A.push_back(-fastest * float(random() + 1));
    for (int i = 0; i < channels; ++i) D.push_back(float(random()));
  }

  std::vector<float> run(const esr::Kernels& kernels, int threads) const {
    std::vector<float> out(size_t(batch) * length * channels, NAN);
    esr::selective_scan(kernels,
                        {c.view(), delta.view(), B.view(), K.view(), A.data(), D.data(), out.data(),
                         batch, size_t(length), channels, states},
                        threads);
    return out;
  }

  std::vector<double> exact() {
    std::vector<double> out;
    for (int n = 0; n < batch; ++n) {
      std::vector<double> h(size_t(channels) * states);
      for (int l = 0; l < length; ++l)
        for (int e = 0; e < channels; ++e) {
          const double x = c.at(n, l, e), d = delta.at(n, l, e);
          double o = D[e] * x;
          for (int s = 0; s < states; ++s) {
            double& state = h[size_t(e) * states + s];
            state = std::exp(d * A[size_t(e) * states + s]) * state + d * x * B.at(n, l, s);
            o += K.at(n, l, s) * state;
          }
          out.push_back(o);
        }
    }
    return out;
  }
};

void test_scan(const esr::Kernels& kernels, Problem problem) {
  char what[100];
  std::snprintf(what, sizeof what, "scan of %d x %d tokens, %d channels, %d states", problem.batch,
                problem.length, problem.channels, problem.states);
  const auto exact = problem.exact();
  const auto ours = problem.run(kernels, 1);
  double largest = 0, worst = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::fabs(exact[i]));
    const double error = std::fabs(exact[i] - ours[i]);
    worst = test::worse(worst, error);
  }
  test::expect(worst <= kTolerance * largest,
               std::string(what) + ": off by " + std::to_string(worst / largest));
  for (int threads : {2, 3, 50}) {
    const auto shared = problem.run(kernels, threads);
    test::expect(!std::memcmp(shared.data(), ours.data(), ours.size() * sizeof(float)),
                 std::string(what) + ": several threads");
  }
}

void test_scans(const esr::Kernels& kernels) {
  for (int length : {1, 2, 63, 64, 65, 200})
    for (bool transposed : {false, true}) test_scan(kernels, {2, length, 19, 5, transposed, .1f});
  for (int channels : {1, 3, 4, 7, 8, 15, 16, 17, 33, 120})
    test_scan(kernels, {1, 70, channels, 16, channels % 2 == 0, 1});
  for (int states : {1, 2, 16, 17, 40}) test_scan(kernels, {3, 9, 20, states, false, 30});
  for (float fastest : {0.f, 1e-6f, 1e6f}) test_scan(kernels, {1, 300, 5, 3, false, fastest});
}

}  // namespace

int main(int count, char** names) { return test::run_all(count, names, test_scans); }
