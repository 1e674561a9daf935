// The channels of several values as one. Convolutions need no such step: they read a list of
// values.
#pragma once

#include "../step.h"

namespace esr {

class Join : public Step {
 public:
  // Throws std::invalid_argument where the sources differ in their resolution.
  Join(const Program& program, const std::vector<int>& sources);
  void run(const TileRow& at) const override;
};

}  // namespace esr
