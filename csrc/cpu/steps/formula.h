// Elementwise functions of values: any chain of them in one step, evaluated while a piece of a row
// is in the first-level cache.
#pragma once

#include <memory>

#include "../buffer.h"
#include "../step.h"

namespace esr {

// Of two operands: the second is a number, one for each channel, a value or a result. Then of one.
#define ESR_OF_TWO(X) X(add) X(sub) X(mul) X(div) X(min) X(max) X(prelu) X(elu)
#define ESR_OF_ONE(X) X(abs) X(sqrt) X(rsqrt) X(exp) X(log) X(sigmoid) X(tanh) X(softplus) X(gelu)
#define ESR_FOR_EACH_FUNCTION(X) ESR_OF_TWO(X) ESR_OF_ONE(X)

#define ESR_NAME(function) function,
enum class Function { ESR_FOR_EACH_FUNCTION(ESR_NAME) };
#undef ESR_NAME

#define ESR_STRING(function) #function,
inline constexpr const char* kFunctionNames[] = {ESR_FOR_EACH_FUNCTION(ESR_STRING)};
#undef ESR_STRING

constexpr bool takes_two(Function f) { return f < Function::abs; }

// One function; operands are places: the sources, then the constants, then the registers.
struct Term {
  Function function;
  int a, b;  // b: -1 where it takes one
  int to;    // register of the result; the last term's is the step's
};

struct FormulaSpec {
  static constexpr int kMostPlaces = 64;

  int channels;
  int constants;
  const double* values;     // [constants][channels]
  std::vector<Term> terms;  // with results numbered as places behind the constants
};

// Vectors of a row that pass through all terms before the next: their registers stay in cache, and
// choosing a term's code costs little beside its work.
constexpr int kPieceVectors = 32;

struct FormulaRow {
  const Geometry* geometry;
  const SourceRows* sources;  // with as many channels as the result, or 1
  const bool* is_pixel;       // of each source: one pixel, for all of the result
  int source_count, constant_count, channels;
  const float* constants;  // [constants][channels]
  const Term* terms;
  int term_count;
  float* const* out;
  int rows;
  float* scratch;
};

class Formula : public Step {
 public:
  // Throws std::invalid_argument where the sources differ in their resolution, but for those of one
  // pixel.
  Formula(Program& program, const std::vector<int>& sources, const FormulaSpec& spec);
  double cost() const override;
  size_t scratch_floats(const SourceRows* sources) const override;
  void run(const TileRow& at) const override;

 private:
  void take_registers();

  void (*kernel_)(const FormulaRow&);
  int constant_count_, lanes_, registers_ = 0;
  std::unique_ptr<bool[]> is_pixel_;  // of each source
  Buffer constants_;
  std::vector<Term> terms_;
};

}  // namespace esr
