#include "program.h"

#include <stdexcept>
#include <string>

#include "runner.h"

namespace esr {

int Program::append(std::unique_ptr<Step> step) {
  int result = -1;
  if (step->channels()) {
    result = value_count();
    values_.push_back({step->channels(), step->resolution(), step->makes()});
  }
  steps_.push_back(std::move(step));
  results_.push_back(result);
  plan_.reset();
  return result;
}

Resolution Program::common_resolution(const std::vector<int>& values) const {
  const Resolution common = resolution(values.at(0));
  for (int value : values) check_resolution(value, common);
  return common;
}

void Program::check_resolution(int value, Resolution expected) const {
  if (resolution(value) != expected)
    throw std::invalid_argument("value " + std::to_string(value) +
                                " has another size than what it is combined with");
}

void Program::prepare(int height, int width, int threads) {
  if (plan_ && plan_->is_for(height, width, threads)) return;
  const int rows = axes_.least(Axes::kHeight), columns = axes_.least(Axes::kWidth);
  if (height < rows || width < columns)
    throw std::invalid_argument("the picture is " + std::to_string(width) + "x" +
                                std::to_string(height) + " pixels (width x height), but this " +
                                "program needs at least " + std::to_string(columns) + "x" +
                                std::to_string(rows) + "; pad the picture");
  for (const auto& step : steps_) {
    const Resolution size = step->resolution();
    if (axes_.length(size.rows, height, width) < step->least_height() ||
        axes_.length(size.columns, height, width) < step->least_width())
      throw std::invalid_argument("the picture is " + std::to_string(width) + "x" +
                                  std::to_string(height) + " pixels (width x height), too few to " +
                                  "be reflected at its edges; pad the picture");
  }
  plan_.reset();  // stays empty if a later line throws
  settle_formats();
  plan_ = std::make_unique<Plan>(ProgramShape{steps_, results_, values_, axes_, kernels_.lanes},
                                 height, width, threads);
}

void Program::run(const std::vector<Picture>& inputs, const std::vector<Picture>& outputs,
                  int batch, int height, int width, int threads) {
  const std::lock_guard<std::mutex> lock(mutex_);
  prepare(height, width, threads);
  run_plan(*plan_, steps_, results_, {inputs.data(), outputs.data(), batch});
}

}  // namespace esr
