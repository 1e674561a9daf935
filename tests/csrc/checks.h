// What all standalone tests share: expectations, and random numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace test {

inline int failures = 0;

inline void expect(bool holds, const std::string& what) {
  if (holds) return;
  if (++failures <= 20) std::printf("FAILED: %s\n", what.c_str());
}

// The larger of two errors; NaN is the largest of all.
inline double worse(double worst, double error) {
  return std::isnan(worst) || worst >= error ? worst : error;
}

// In [-1, 1), the same in every run and on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435761u + 1) {}
  double operator()() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return double(state_ >> 40) / double(1 << 23) - 1;
  }
  std::vector<double> many(size_t count, double scale = 1) {
    std::vector<double> values(count);
    for (double& v : values) v = scale * (*this)();
    return values;
  }

 private:
  uint64_t state_;
};

}  // namespace test
