// Writes a value as the next output picture, shuffled, plus a skip picture under every sub-pixel.
#pragma once

#include "../step.h"

namespace esr::cuda {

class Output : public Step {
 public:
  // `skip`: a value, or -1.
  Output(Program& program, int value, int factor, int skip);

  bool reads_picture(const Launcher& launcher, int value) const override;
  bool can_end(const Program& program, const Conv& conv) const override;
  ConvLaunch end(const Launcher& launcher, const Conv& conv) const override;
  void launch(const Launcher& launcher, const Step* taken_in) const override;

 private:
  const int value_, factor_, skip_, picture_;
};

}  // namespace esr::cuda
