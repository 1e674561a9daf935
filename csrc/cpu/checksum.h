// A number that changes when anything in a piece of memory does, at the speed of memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace esr {

// Continues from `seed`, so that several pieces have one number.
uint64_t checksum(const void* data, size_t bytes, uint64_t seed);

}  // namespace esr
