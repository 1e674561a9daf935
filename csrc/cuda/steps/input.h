// The next input picture, plus shift[c].
#pragma once

#include "../step.h"

namespace esr::cuda {

class Input : public Step {
 public:
  Input(Program& program, int channels, const double* shift);

  const InputPicture* picture() const override { return &picture_; }
  size_t memory(const Launcher& launcher, int i) const override;
  void launch(const Launcher& launcher, const Step* taken_in) const override;

 private:
  const InputPicture picture_;
};

}  // namespace esr::cuda
