#include "checksum.h"

#include <cstring>

namespace esr {

namespace {

using Lanes = uint64_t __attribute__((vector_size(64)));
constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;

uint64_t mixed(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * kOdd;
  return sum ^ (sum >> 29);
}

}  // namespace

// Fletcher's two sums in eight lanes: the first notices every change of one word, the second that
// words have changed places.
uint64_t checksum(const void* data, size_t bytes, uint64_t seed) {
  const auto* at = static_cast<const unsigned char*>(data);
  Lanes words, first = {}, second = {};
  size_t left = bytes;
  for (; left >= sizeof words; at += sizeof words, left -= sizeof words) {
    std::memcpy(&words, at, sizeof words);
    first += words;
    second += first;
  }
  words = Lanes{};
  std::memcpy(&words, at, left);
  uint64_t sum = mixed(seed, bytes);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i)
    sum = mixed(mixed(mixed(sum, words[i]), first[i]), second[i]);
  return sum;
}

}  // namespace esr
