#include "input.h"

#include <algorithm>

#include "../launcher.h"
#include "convert_launch.h"

namespace esr::cuda {

namespace {

std::vector<float> shifts(int channels, const double* shift) {
  return shift ? std::vector<float>(shift, shift + channels) : std::vector<float>(channels);
}

}  // namespace

Input::Input(Program& program, int channels, const double* shift)
    : Step({}, {channels}),
      picture_{program.next_input(), program.add_constants(shifts(channels, shift)),
               shift != nullptr} {}

size_t Input::memory(const Launcher& launcher, int) const {
  const int value = makes()[0];
  const Program& program = launcher.program();
  const auto& readers = program.readers(value);
  const bool needed = std::any_of(readers.begin(), readers.end(), [&](int reader) {
    return !program.steps()[reader]->reads_picture(launcher, value);
  });
  return needed ? launcher.slab_bytes(value) : 0;
}

void Input::launch(const Launcher& launcher, const Step*) const {
  const int value = makes()[0];
  if (!launcher.is_stored(value)) return;
  const Program& program = launcher.program();
  ConvertParameters p = convert_parameters(launcher.device(), launcher.size(value),
                                           program.slabs(value), program.channels(value),
                                           launcher.memory(value), launcher.input(picture_.number));
  p.shift = launcher.constant<float>(picture_.shift);
  launcher.enqueue("pack", ConvertForm{true, program.format()}, p, launch_convert);
}

}  // namespace esr::cuda
