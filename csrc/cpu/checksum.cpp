#include "checksum.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "thread_pool.h"

namespace esr {

namespace {

using Lanes = uint64_t __attribute__((vector_size(64)));
constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
// What a thread takes at a time, and what is worth the way to another thread.
constexpr size_t kChunk = 128 << 10, kWorthAThread = 1 << 20;

uint64_t mixed(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * kOdd;
  return sum ^ (sum >> 29);
}

// Fletcher's two sums in eight lanes: the first notices every change of one word, the second that
// words have changed places.
uint64_t checksum_of(const Piece& piece) {
  const unsigned char* at = piece.data;
  Lanes words, first = {}, second = {};
  size_t left = piece.bytes;
  for (; left >= sizeof words; at += sizeof words, left -= sizeof words) {
    std::memcpy(&words, at, sizeof words);
    first += words;
    second += first;
  }
  words = Lanes{};
  std::memcpy(&words, at, left);
  uint64_t sum = piece.bytes;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i)
    sum = mixed(mixed(mixed(sum, words[i]), first[i]), second[i]);
  return sum;
}

}  // namespace

uint64_t checksum(const std::vector<Piece>& pieces, int threads) {
  std::vector<Piece> chunks;
  size_t bytes = 0;
  for (const Piece& piece : pieces) {
    bytes += piece.bytes;
    for (size_t at = 0; at < piece.bytes; at += kChunk)
      chunks.push_back({piece.data + at, std::min(kChunk, piece.bytes - at)});
  }
  std::vector<uint64_t> sums(chunks.size());
  std::atomic<size_t> next{0};
  run_on_threads(int(std::clamp<size_t>(bytes / kWorthAThread, 1, threads)), [&](int) {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < chunks.size();)
      sums[i] = checksum_of(chunks[i]);
  });
  uint64_t sum = 0;
  for (uint64_t each : sums) sum = mixed(sum, each);
  return sum;
}

}  // namespace esr
