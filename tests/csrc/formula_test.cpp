// Formulas against the same functions of doubles, on odd sizes, channels and numbers of terms.
//
//   formula_test [isa ...]     all that this processor runs, if none is named
#include <functional>

#include "convolution.h"
#include "steps.h"

namespace {

using esr::Function;
using test::Framed;
using test::Planes;
using test::Random;

struct Case {
  Function function;
  std::function<double(double, double)> exact;
};

const std::vector<Case> kCases = {
    {Function::add, [](double a, double b) { return a + b; }},
    {Function::sub, [](double a, double b) { return a - b; }},
    {Function::mul, [](double a, double b) { return a * b; }},
    {Function::div, [](double a, double b) { return a / b; }},
    {Function::min, [](double a, double b) { return std::min(a, b); }},
    {Function::max, [](double a, double b) { return std::max(a, b); }},
    {Function::prelu, [](double a, double b) { return a < 0 ? a * b : a; }},
    {Function::elu, [](double a, double b) { return a < 0 ? b * std::expm1(a) : a; }},
    {Function::abs, [](double a, double) { return std::fabs(a); }},
    {Function::sqrt, [](double a, double) { return std::sqrt(std::fabs(a)); }},
    {Function::rsqrt, [](double a, double) { return 1 / std::sqrt(std::fabs(a)); }},
    {Function::exp, [](double a, double) { return std::exp(a); }},
    {Function::log, [](double a, double) { return std::log(std::fabs(a)); }},
    {Function::sigmoid, [](double a, double) { return test::sigmoid(a); }},
    {Function::tanh, [](double a, double) { return std::tanh(a); }},
    {Function::softplus, [](double a, double) { return std::log1p(std::exp(a)); }},
    {Function::gelu, [](double a, double) { return a * .5 * std::erfc(-a / std::sqrt(2.)); }},
};

bool of_magnitude(Function f) {
  return f == Function::sqrt || f == Function::rsqrt || f == Function::log;
}

// Numbers away from 0, where a quotient or logarithm makes much of a rounding.
Planes numbers(int channels, int height, int width, int seed) {
  Random random(seed);
  Planes x = test::random_planes(channels, height, width, random);
  for (double& v : x.data) v = float(v < 0 ? 4 * v - .5 : 4 * v + .5);
  return x;
}

// One function of two pictures, the second with as many channels or one. The result is read once
// more behind terms that take its register if they may.
void test_function(const esr::Kernels& kernels, const Case& c, int channels, int second, int height,
                   int width) {
  const Planes a = numbers(channels, height, width, 1), b = numbers(second, height, width, 2);
  std::vector<double> constants(channels);
  for (int i = 0; i < channels; ++i) constants[i] = .25 * i + 1;
  esr::Program program(kernels);
  std::vector<Framed> pictures{Framed(a), Framed(b)};
  const std::vector<int> sources{test::input(program, channels), test::input(program, second)};
  std::vector<esr::Term> terms;  // places: a, b, the constant, then results
  terms.push_back(of_magnitude(c.function) ? esr::Term{Function::abs, 0, -1, 0}
                                           : esr::Term{Function::max, 0, 0, 0});
  terms.push_back({c.function, 3, esr::takes_two(c.function) ? 1 : -1, 0});
  terms.push_back({Function::mul, 0, 1, 0});
  terms.push_back({Function::sub, 5, 5, 0});
  terms.push_back({Function::mul, 4, 2, 0});
  terms.push_back({Function::add, 7, 6, 0});
  const esr::FormulaSpec spec{channels, 1, constants.data(), terms};
  program.add<esr::Output>(program.add<esr::Formula>(sources, spec), 1, -1);
  Framed ours(channels, height, width);
  program.run({pictures[0].picture(), pictures[1].picture()}, {ours.picture()}, 1, height, width,
              1);
  Planes exact(channels, height, width);
  double most = 1;
  for (int k = 0; k < channels; ++k)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const double v = c.exact(a.get(k, y, x), b.get(second == 1 ? 0 : k, y, x)) * constants[k];
        exact.at(k, y, x) = v;
        most = std::max(most, std::fabs(v));
      }
  double worst = 0;
  for (int k = 0; k < channels; ++k)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        worst = test::worse(worst, std::fabs(exact.get(k, y, x) - ours.at(k, y, x)) / most);
  const std::string what = std::string(esr::kFunctionNames[int(c.function)]) + " " +
                           test::name("formula", channels, second, height, width);
  test::expect(worst < 4e-7, what + ": off by " + std::to_string(worst * 1e7) + "e-7");
  test::expect(ours.canaries_live(), what + ": wrote outside the picture");
}

// Pixels beyond the width must be zero whatever the terms make of zeros: a convolution reads them.
void test_nothing_beside(const esr::Kernels& kernels) {
  Random random(3);
  for (int width : {1, 15, 63, 65, 130}) {
    const Planes x = test::random_planes(2, 9, width, random);
    const double one[2] = {1, 1};
    const test::Conv conv(3, 2, 3, random);
    esr::Program program(kernels);
    Framed in(x), ours(3, 9, width);
    const int source = test::input(program, 2);
    const esr::FormulaSpec spec{2, 1, one, {{Function::add, 0, 1, 0}}};
    const int more = program.add<esr::Formula>(std::vector<int>{source}, spec);
    program.add<esr::Output>(test::conv(program, {more}, conv.spec(), -1), 1, -1);
    program.run({in.picture()}, {ours.picture()}, 1, 9, width, 1);
    Planes raised = x;
    for (double& v : raised.data) v += 1;
    test::compare(test::apply(conv, raised, 1, 1), ours, test::name("beside", 2, 3, 9, width));
  }
}

void test_formulas(const esr::Kernels& kernels) {
  test::expect(kCases.size() == std::size(esr::kFunctionNames), "every function has a case");
  for (const Case& c : kCases)
    for (int second : {3, 1}) {
      test_function(kernels, c, 3, second, 5, 33);
      test_function(kernels, c, 1, 1, 1, 1);
      test_function(kernels, c, 3, second, 2, 700);
    }
  test_nothing_beside(kernels);
}

}  // namespace

int main(int count, char** names) { return test::run_all(count, names, test_formulas); }
