// In which format each value of a program lies. Steps that can choose make what their readers want;
// a reader that wants the other format gets it from a step in between.
#include <map>

#include "program.h"
#include "steps/format.h"

namespace esr {

// From the last step to the first, since what a step reads may follow from what it makes. As pixels
// where any reader wants them: the other way round their digits would be lost twice.
void Program::choose_formats() {
  std::vector<bool> as_pixels(values_.size()), as_planes(values_.size());
  std::vector<std::vector<Step*>> readers(values_.size());
  for (size_t s = steps_.size(); s-- > 0;) {
    Step& step = *steps_[s];
    const int made = results_[s];
    if (made >= 0) {
      const bool planes = as_planes[made] && !as_pixels[made];
      const Format wanted = planes ? Format::planes : Format::pixels;
      const auto& by = readers[made];
      if (by.size() == 1 && by[0]->can_read_lines() && step.can_make(Format::lines)) {
        step.make(Format::lines);
        by[0]->read_lines();
      } else if (step.can_make(wanted)) {
        step.make(wanted);
      }
      values_[made].format = step.makes();
    }
    for (size_t i = 0; i < step.reads().size(); ++i) {
      const int value = step.reads()[i].value;
      (step.reads_as(int(i)) == Format::pixels ? as_pixels : as_planes)[value] = true;
      readers[value].push_back(&step);
    }
  }
}

void Program::settle_formats() {
  if (!has_tiles_) return;
  choose_formats();
  auto steps = std::move(steps_);
  auto results = std::move(results_);
  steps_.clear();
  results_.clear();
  std::map<int, int> converted;  // the value in the other format
  for (size_t s = 0; s < steps.size(); ++s) {
    Step& step = *steps[s];
    for (int i = 0; i < int(step.reads().size()); ++i) {
      const int value = step.reads()[i].value;
      const Format wanted = step.reads_as(i);
      if (values_[value].format == wanted) continue;
      if (!converted.count(value)) converted[value] = add<InFormat>(value, wanted);
      step.redirect(i, converted[value]);
    }
    steps_.push_back(std::move(steps[s]));
    results_.push_back(results[s]);
  }
}

}  // namespace esr
