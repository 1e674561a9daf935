#include "input.h"

#include "../pack_weights.h"
#include "../program.h"

namespace esr {

Input::Input(Program& program, int channels, const double* shift, bool one_pixel)
    : Step({}, channels, one_pixel ? program.axes().one() : Axes::kPicture),
      kernel_(program.kernels().pack),
      picture_(program.next_input()),
      shift_(pack_bias(shift, channels, 1)) {}

void Input::run(const TileRow& at) const {
  kernel_({at.geometry, at.input(picture_), shift_.data(), channels(), at.y, at.rows, at.out});
}

}  // namespace esr
