// Running a planned program.
#pragma once

#include <memory>
#include <vector>

#include "plan.h"

namespace esr {

struct Batch {
  const Picture *inputs, *outputs;  // of the program
  int count;
};

void run_plan(const Plan& plan, const std::vector<std::unique_ptr<Step>>& steps,
              const std::vector<int>& results, const Batch& batch);

}  // namespace esr
