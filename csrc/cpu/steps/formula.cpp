#include "formula.h"

#include <stdexcept>

#include "../pack_weights.h"
#include "../program.h"

namespace esr {
namespace {

bool is_pixel(Program& program, int source, Resolution result) {
  const Resolution own = program.resolution(source);
  return own == program.axes().one() && !(own == result);
}

// That of the first source which is more than one pixel; of one, if there is none.
Resolution result_of(Program& program, const std::vector<int>& sources) {
  for (int source : sources)
    if (!(program.resolution(source) == program.axes().one())) return program.resolution(source);
  return program.axes().one();
}

std::vector<Read> reads_of(Program& program, const std::vector<int>& sources) {
  const Resolution result = result_of(program, sources);
  std::vector<Read> reads;
  for (int source : sources) {
    const bool pixel = is_pixel(program, source, result);
    if (!pixel) program.check_resolution(source, result);
    reads.push_back({source, pixel ? Window::all() : Window{}});
  }
  return reads;
}

}  // namespace

Formula::Formula(Program& program, const std::vector<int>& sources, const FormulaSpec& spec)
    : Step(reads_of(program, sources), spec.channels, result_of(program, sources)),
      kernel_(program.kernels().formula),
      constant_count_(spec.constants),
      lanes_(program.kernels().lanes),
      is_pixel_(new bool[sources.size()]),
      constants_(pack_bias(spec.values, spec.constants * spec.channels, 1)),
      terms_(spec.terms) {
  for (size_t s = 0; s < sources.size(); ++s) is_pixel_[s] = reads()[s].window.whole;
  take_registers();
}

// Results are renumbered as registers; one is free again when its last reader takes its place.
void Formula::take_registers() {
  const int first = int(reads().size()) + constant_count_;
  std::vector<int> last_use(terms_.size(), -1), place(terms_.size());
  for (int i = 0; i < int(terms_.size()); ++i)
    for (int operand : {terms_[i].a, terms_[i].b})
      if (operand >= first) last_use[operand - first] = i;
  std::vector<bool> taken;
  for (int i = 0; i < int(terms_.size()); ++i) {
    Term& term = terms_[i];
    for (int* operand : {&term.a, &term.b}) {
      const int result = *operand - first;
      if (result < 0) continue;
      *operand = first + place[result];
      if (last_use[result] == i) taken[place[result]] = false;
    }
    size_t free = 0;
    while (free < taken.size() && taken[free]) ++free;
    if (free == taken.size()) taken.push_back(false);
    taken[free] = last_use[i] > i;
    place[i] = term.to = int(free);
  }
  registers_ = int(taken.size());
  if (first + registers_ > FormulaSpec::kMostPlaces)
    throw std::invalid_argument("a formula has more sources, constants and results than fit");
}

double Formula::cost() const { return 3. * channels() * terms_.size(); }

size_t Formula::scratch_floats(const SourceRows*) const {
  return (reads().size() + constant_count_ + registers_ * kPieceVectors) * lanes_;
}

void Formula::run(const TileRow& at) const {
  kernel_({at.geometry, at.sources, is_pixel_.get(), int(reads().size()), constant_count_,
           channels(), constants_.data(), terms_.data(), int(terms_.size()), at.out, at.rows,
           at.scratch});
}

}  // namespace esr
