// The emulated GPU where all is well: its numbers and its warps' operations against plain loops.
#include <array>

#include "checks.h"
#include "ptx.cuh"

namespace {

using namespace esr::cuda;
using test::expect;
using test::Random;

float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }

// ---- numbers

double f16_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
  const double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                      : exponent     ? std::ldexp(1024 + fraction, exponent - 25)
                                     : std::ldexp(fraction, -24);
  return bits & 0x8000 ? -size : size;
}

double bf16_value(uint16_t bits) {
  const int exponent = bits >> 7 & 255, fraction = bits & 0x7f;
  const double size = exponent == 255 ? (fraction ? NAN : INFINITY)
                      : exponent      ? std::ldexp(128 + fraction, exponent - 134)
                                      : std::ldexp(fraction, -133);
  return bits & 0x8000 ? -size : size;
}

// All numbers there and back; and between two neighbours, the middle goes to the even one, and what
// lies beside it to the nearer. `last`: the largest finite one.
template <class Number>
void test_16_bits(const char* name, double (*value)(uint16_t), uint16_t last) {
  const std::string what(name);
  for (int i = 0; i < 65536; ++i) {
    const uint16_t bits = uint16_t(i);
    float low, high;
    Number::unpack(bits | 0x3c000000u, low, high);
    const double exact = value(bits);
    const bool same = std::isnan(exact) ? std::isnan(low) : low == exact;
    expect(same && std::signbit(low) == (bits >= 0x8000), what + " unpack " + std::to_string(i));
    const uint32_t packed = Number::pack(high, low);
    expect(packed >> 16 == (std::isnan(exact) ? 0x7fff : bits) && (packed & 0xffff) == 0x3c00,
           what + " pack " + std::to_string(i));
  }
  for (uint16_t bits = 0; bits < last; ++bits) {
    const float middle = float((value(bits) + value(bits + 1)) / 2);
    const uint16_t even = bits + (bits & 1), up = bits + 1;
    const auto rounded = [](float x) { return uint16_t(Number::pack(x, 0)); };
    expect(rounded(middle) == even && rounded(-middle) == (even | 0x8000) &&
               rounded(std::nextafter(middle, 0.f)) == bits &&
               rounded(std::nextafter(middle, INFINITY)) == up,
           what + " rounding after " + std::to_string(bits));
  }
  const float limit = float(value(last) + (value(last) - value(last - 1)) / 2);
  expect(uint16_t(Number::pack(limit, 0)) == last + 1, what + " overflow");
  expect(uint16_t(Number::pack(std::nextafter(limit, 0.f), 0)) == last, what + " largest");
}

void test_tf32() {
  expect(TF32::round(0x3f801000) == 0x3f802000, "tf32: ties go away from zero");
  expect(TF32::round(0xbf801000) == 0xbf802000, "tf32: negative ties, too");
  expect(TF32::round(0x3f800fff) == 0x3f800000, "tf32: to the nearest below");
  expect(TF32::round(0x7f7fffff) == 0x7f800000, "tf32: overflow");
  expect(std::isnan(float_of(TF32::round(0x7f800001))), "tf32: a NaN stays one");
}

void test_functions() {
  expect(exp2_fast(-149) == 0 && exp2_fast(129) == INFINITY && exp2_fast(3) == 8, "exp2_fast");
  expect(reciprocal(INFINITY) == 0 && reciprocal(1e-40f) == INFINITY, "reciprocal's ends");
  expect(reciprocal(4) == .25f, "reciprocal");
}

// ---- operations of a warp

// What each lane's words become.
using Lanes = std::array<std::array<uint32_t, 4>, kWarp>;

void test_load_matrices() {
  Lanes out;
  emulate(1, 32, 32 * 48, [&] {
    const int lane = thread_index(), row = lane * 7 % 32 * 48;  // rows in any order, 48 bytes apart
    for (uint32_t i = 0; i < 4; ++i) store_shared<uint32_t>(row + 4 * i, lane << 8 | i);
    sync_warp();
    uint32_t words[4];
    load_matrices(words, row);
    for (int i = 0; i < 4; ++i) out[lane][i] = words[i];
  });
  for (uint32_t lane = 0; lane < kWarp; ++lane)
    for (uint32_t i = 0; i < 4; ++i)
      expect(out[lane][i] == ((8 * i + lane / 4) << 8 | lane % 4),
             "load_matrices, lane " + std::to_string(lane));
}

void test_shuffle() {
  for (int mask : {1, 2, 16, 31}) {
    Lanes out;
    emulate(1, 64, 0, [&] {
      const uint32_t got = shuffle_xor(thread_index(), mask);
      if (thread_index() < kWarp) out[thread_index()][0] = got;
    });
    for (int lane = 0; lane < kWarp; ++lane)
      expect(int(out[lane][0]) == (lane ^ mask), "shuffle_xor by " + std::to_string(mask));
  }
}

struct Half {
  using F = F16;
  static constexpr int kDepth = 16, kPerWord = 2;
  static double value(uint32_t word, int i) { return f16_value(uint16_t(word >> 16 * i)); }
};
struct Brain {
  using F = BF16;
  static constexpr int kDepth = 16, kPerWord = 2;
  static double value(uint32_t word, int i) { return bf16_value(uint16_t(word >> 16 * i)); }
};
struct Tensor {
  using F = TF32;
  static constexpr int kDepth = 8, kPerWord = 1;
  static double value(uint32_t word, int) { return float_of(word >> 13 << 13); }  // cut off
};

// Matrices in plain rows of words, put into lanes as the PTX manual's figures show, and multiplied
// by the manual's sum. Words are random numbers of the format, [row][k] and [column][k].
template <class Format>
void test_multiply(const char* name) {
  constexpr int kWords = Format::kDepth / Format::kPerWord;
  Random random(3);
  const auto word = [&] {
    const float low = float(random()), high = float(random());
    if constexpr (Format::kPerWord == 2) return Format::F::pack(low, high);
    return std::bit_cast<uint32_t>(low);  // all 32 bits of it
  };
  uint32_t a[16][kWords], b[8][kWords];
  float sum[16][8];
  for (auto& row : a)
    for (uint32_t& w : row) w = word();
  for (auto& row : b)
    for (uint32_t& w : row) w = word();
  for (auto& row : sum)
    for (float& s : row) s = float(random());

  float ours[16][8];
  emulate(1, 32, 0, [&] {
    const int g = thread_index() / 4, t = thread_index() % 4;
    const uint32_t mine[4] = {a[g][t], a[g + 8][t], a[g][t + 4], a[g + 8][t + 4]};
    float s[4] = {sum[g][2 * t], sum[g][2 * t + 1], sum[g + 8][2 * t], sum[g + 8][2 * t + 1]};
    Format::F::multiply(s, mine, b[g][t], b[g][t + 4]);
    for (int i = 0; i < 4; ++i) ours[g + i / 2 * 8][2 * t + i % 2] = s[i];
  });
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      double exact = sum[row][column];
      for (int k = 0; k < Format::kDepth; ++k)
        exact += Format::value(a[row][k / Format::kPerWord], k % Format::kPerWord) *
                 Format::value(b[column][k / Format::kPerWord], k % Format::kPerWord);
      expect(ours[row][column] == float(exact), std::string("multiply ") + name);
    }
}

// The same product with sums of 16 bits: a word holds two neighbours of a row.
void test_half_sums() {
  Random random(4);
  std::array<std::array<uint32_t, 8>, kWarp> words;  // a, b and sums of each lane
  for (auto& lane : words)
    for (uint32_t& w : lane) {
      const float low = float(random());
      w = F16::pack(low, float(random()));
    }
  emulate(1, 32, 0, [&] {
    const auto& w = words[thread_index()];
    const uint32_t a[4] = {w[0], w[1], w[2], w[3]};
    uint32_t sum[2] = {w[6], w[7]};
    float wide[4];
    F16::unpack(sum[0], wide[0], wide[1]);
    F16::unpack(sum[1], wide[2], wide[3]);
    HalfSums::multiply(sum, a, w[4], w[5]);
    F16::multiply(wide, a, w[4], w[5]);
    for (int i = 0; i < 2; ++i)
      expect(sum[i] == F16::pack(wide[2 * i], wide[2 * i + 1]), "multiply with half sums");
  });
}

// ---- threads and memory

void test_block() {
  const DeviceMemory numbers(std::vector<float>{1, 2, 3}), results(2 * 3 * 96 * sizeof(float));
  const float* table = numbers.as<float>();
  float* out = results.as<float>();
  expect(std::isnan(out[0]), "memory is full of NaNs at first");
  emulate({3, 2}, 96, 96 * 4, [=] {
    const int thread = thread_index();
    store_shared(4 * thread, float(100 * block_index() + 1000 * block_layer() + thread));
    sync_block();
    const float other = load_shared<float>(4 * (95 - thread));
    const int number = (block_layer() * block_count() + block_index()) * thread_count() + thread;
    store_global(out + number, other + load_global(table + 2));
  });
  for (int i = 0; i < 2 * 3 * 96; ++i)
    expect(out[i] == 1000 * (i / 288) + 100 * (i / 96 % 3) + 95 - i % 96 + 3, "threads of a block");
}

void test_copies() {
  std::vector<float> numbers(256);
  for (int i = 0; i < 256; ++i) numbers[i] = float(i);
  const DeviceMemory memory(numbers);
  const float* from = memory.as<float>();
  emulate(1, 64, 1024, [=] {
    copy_async(16 * thread_index(), from + 4 * thread_index(), thread_index() != 5);
    commit_copies();
    wait_copies<1>();  // waits for nothing
    wait_copies<0>();
    sync_block();
    for (int i = 0; i < 256; ++i)
      expect(load_shared<float>(4 * i) == (i / 4 == 5 ? 0 : i), "copied");
  });
}

}  // namespace

int main() {
  test_16_bits<F16>("f16", f16_value, 0x7bff);
  test_16_bits<BF16>("bf16", bf16_value, 0x7f7f);
  test_tf32();
  test_functions();
  test_load_matrices();
  test_shuffle();
  test_multiply<Half>("f16");
  test_multiply<Brain>("bf16");
  test_multiply<Tensor>("tf32");
  test_half_sums();
  test_block();
  test_copies();
  if (!test::failures) std::printf("emulator passed\n");
  return test::failures ? 1 : 0;
}
