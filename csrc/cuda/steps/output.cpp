#include "output.h"

#include "../launcher.h"
#include "conv.h"
#include "convert_launch.h"

namespace esr::cuda {

namespace {

// True if two neighbours of a row lie together, at a multiple of their size.
bool pairs(const Picture& p, int factor) {
  const int bytes = p.element == Element::f32 ? 4 : p.element == Element::u8 ? 1 : 2;
  const bool even = p.batch % 2 == 0 && p.channel % 2 == 0 && p.row % 2 == 0 && factor % 2 == 0;
  return even && p.column == 1 && reinterpret_cast<uintptr_t>(p.data) % (2 * bytes) == 0;
}

}  // namespace

Output::Output(Program& program, int value, int factor, int skip)
    : Step(skip < 0 ? std::vector{value} : std::vector{value, skip}, {}),
      value_(value),
      factor_(factor),
      skip_(skip),
      picture_(program.next_output()) {}

bool Output::reads_picture(const Launcher& launcher, int value) const {
  return value == skip_ && value != value_ && launcher.is_taken_in(*this);
}

// What is added there must be an input picture as it is.
bool Output::can_end(const Program& program, const Conv& conv) const {
  if (conv.packed().act != Act::none || conv.has_residual()) return false;
  if (skip_ < 0) return true;
  const InputPicture* skip = program.producer(skip_).picture();
  return skip && !skip->shifts;
}

ConvLaunch Output::end(const Launcher& launcher, const Conv& conv) const {
  ConvLaunch launch = conv.begin(launcher, ConvEnds::to_picture);
  launch.name = "conv3x3_pixel_shuffle";
  ConvParameters& p = launch.parameters;
  p.target = launcher.output(picture_);
  p.factor = factor_;
  p.pairs = pairs(p.target, factor_);
  if (skip_ >= 0) p.skip = launcher.input(launcher.program().producer(skip_).picture()->number);
  return launch;
}

void Output::launch(const Launcher& launcher, const Step*) const {
  const Program& program = launcher.program();
  ConvertParameters p = convert_parameters(launcher.device(), launcher.size(),
                                           program.slabs(value_), program.channels(value_),
                                           launcher.memory(value_), launcher.output(picture_));
  p.factor = factor_;
  if (skip_ >= 0) p.skip = launcher.memory(skip_);
  launcher.enqueue("unpack", ConvertForm{false, program.format()}, p, launch_convert);
}

}  // namespace esr::cuda
