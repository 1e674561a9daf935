// What the processor wants to know of its matrix tiles before they are used.
#pragma once

#include <cstdint>

namespace esr {

// In the order that the instruction reads: four tiles of 16 rows of 64 bytes.
struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace esr
