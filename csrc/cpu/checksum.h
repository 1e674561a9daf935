// A number that changes when anything in pieces of memory does, at the speed of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace esr {

struct Piece {
  const unsigned char* data;
  size_t bytes;
};

// The same number for any count of threads, of which it uses as many as there is work for.
uint64_t checksum(const std::vector<Piece>& pieces, int threads);

}  // namespace esr
