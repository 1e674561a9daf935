// Some neighbouring channels of a value.
#pragma once

#include "../step.h"

namespace esr {

class Part : public Step {
 public:
  Part(const Program& program, int source, int first, int count);
  void run(const TileRow& at) const override;

 private:
  int first_;
};

}  // namespace esr
