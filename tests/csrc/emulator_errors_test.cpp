// Every error that the emulator knows, provoked.
#include <functional>

#include "checks.h"
#include "ptx.cuh"

namespace {

using namespace esr::cuda;
using test::expect;

void expect_error(const std::string& wanted, int threads, const std::function<void()>& kernel) {
  try {
    emulate(1, threads, 1024, kernel);
    expect(false, "no error: " + wanted);
  } catch (const EmulatorError& error) {
    expect(std::string(error.what()).find(wanted) != std::string::npos,
           "not '" + wanted + "' but: " + error.what());
  }
}

void test_shared_errors() {
  expect_error("write of 4 shared bytes at 1024 is outside of 1024", 32,
               [] { store_shared<int>(1024, 0); });
  expect_error("read of 16 shared bytes at 8 is misaligned", 32, [] { load_shared<Bytes16>(8); });
  expect_error("reads shared byte 1, which nobody wrote", 32, [] {
    store_shared<char>(4 * thread_index(), 0);
    load_shared<uint16_t>(4 * thread_index());
  });
  expect_error("thread 3: read of 16 shared bytes", 32, [] {
    store_shared16(16 * thread_index(), {});
    sync_warp();
    uint32_t words[4];
    load_matrices(words, 16 * thread_index() + (thread_index() == 3));
  });
}

void test_global_errors() {
  DeviceMemory memory(40), constants(40);
  constants.protect();
  char *bytes = memory.data(), *constant = constants.data();
  const float stack = 0;
  const float* nowhere = &stack;
  expect_error("read of 4 global bytes lies", 32, [=] { load_global(nowhere); });
  expect_error("write of 4 global bytes lies 40 bytes after the start of 40", 32,
               [=] { store_global(reinterpret_cast<float*>(bytes) + 10, 0.f); });
  expect_error("read of 16 global bytes lies 32 bytes after the start of 40", 32,
               [=] { copy_async(0, bytes + 32, true); });
  expect_error("read of 4 global bytes is misaligned", 32,
               [=] { load_global(reinterpret_cast<int*>(bytes + 2)); });
  expect_error("copies from a misaligned global address", 32,
               [=] { copy_async(0, bytes + 8, false); });
  expect_error("write of 16 shared bytes at 8 is misaligned", 32,
               [=] { copy_async(8, bytes, true); });
  expect_error("read-only", 32, [=] { store_global(constant, char(0)); });
}

void test_copy_errors() {
  const DeviceMemory memory(1024);
  const auto start = [bytes = memory.data()] {
    copy_async(16 * thread_index(), bytes + 16 * thread_index(), true);
    commit_copies();
  };
  expect_error("ends before its copies do", 32, start);
  expect_error("nobody wrote", 32, [=] {
    start();
    load_shared<int>(16 * thread_index());
  });
  expect_error("reads shared byte 0 before its copy's end", 32, [=] {
    store_shared16(16 * thread_index(), {});
    start();
    wait_copies<1>();
    load_shared<int>(16 * thread_index());
  });
  expect_error("writes shared byte 0 during a copy to it", 32, [=] {
    start();
    store_shared<int>(16 * thread_index(), 0);
  });
  expect_error("race: reads shared byte 0, which warp 0 lane 0 wrote", 32, [=] {
    store_shared16(16 * thread_index(), {});
    sync_block();
    start();
    wait_copies<0>();  // for this thread's own
    load_shared<int>(16 * ((thread_index() + 31) % 32));
  });
}

// A barrier makes good what is a race without it.
void expect_race(const std::string& wanted, int threads, const std::function<void()>& first,
                 const std::function<void()>& then) {
  expect_error("race: " + wanted, threads, [&] {
    first();
    then();
  });
  emulate(1, threads, 1024, [&] {
    first();
    sync_block();
    then();
  });
}

void test_shared_races() {
  const auto store_own = [] { store_shared(4 * thread_index(), 0); };
  const auto load_next = [] { load_shared<int>(4 * ((thread_index() + 1) % thread_count())); };
  const auto last_stores = [] {
    if (thread_index() == thread_count() - 1) store_shared(4 * thread_index(), 1);
  };
  expect_race("reads shared byte 0, which warp 0 lane 0 wrote", 64, store_own, [=] {
    if (thread_index() == 63) load_next();
  });
  expect_race("writes shared byte 4, which warp 0 lane 1 wrote", 32, store_own, [] {
    shuffle_xor(0, 1);  // orders nothing
    if (thread_index() == 0) store_shared(4, 1);
  });
  const auto prepare = [=] {
    store_own();
    sync_block();
  };
  expect_race(
      "writes shared byte 252, which warp 1 lane 30 read", 64, [=] { prepare(), load_next(); },
      last_stores);
  expect_race(
      "writes shared byte 252, which warp several lane several read", 64,
      [=] { prepare(), load_shared<int>(252); }, last_stores);
  expect_race(
      "writes shared byte 124, which warp 0 lane several read", 32,
      [=] {
        prepare();
        uint32_t words[4];
        load_matrices(words, thread_index() % 8 * 16);
      },
      last_stores);
}

void test_warp_barrier() {
  const auto exchange = [](int other) {
    store_shared(4 * thread_index(), 0);
    sync_block();
    store_shared(4 * thread_index(), thread_index());
    sync_warp();
    expect(load_shared<int>(4 * other) == other, "sync_warp");
    sync_warp();
    store_shared(4 * thread_index(), 0);
  };
  emulate(1, 64, 1024, [=] { exchange(thread_index() ^ 1); });
  expect_error("race: reads shared byte 0, which warp 0 lane 0 wrote", 64,
               [=] { exchange(thread_index() % 32); });
}

void test_global_races() {
  const DeviceMemory memory(64 * sizeof(int));
  int* ints = memory.as<int>();
  const auto store_own = [=] { store_global(ints + thread_index(), thread_index()); };
  emulate(1, 64, 0, store_own);
  emulate(1, 64, 0, [=] {  // all may read what an earlier kernel wrote
    expect(load_global(ints + 63 - thread_index()) == 63 - thread_index(), "global memory");
  });
  emulate(1, 64, 0, [=] {  // a thread may change its own
    store_global(ints + thread_index(), load_global(ints + thread_index()) + 1);
  });
  expect_error("race: writes a global byte that another thread of this kernel wrote", 64,
               [=] { store_global(ints + thread_index() / 2, 0); });
  expect_error("race: writes a global byte that another thread of this kernel read", 64, [=] {
    load_global(ints);
    if (thread_index() == 63) store_global(ints, 0);
  });
  expect_error("race: reads a global byte that another thread of this kernel wrote", 64, [=] {
    store_own();
    if (thread_index() == 63) load_global(ints);
  });
}

void test_divergence() {
  expect_error("thread 0: waits at sync_block, but thread 1 is at its end", 32, [] {
    if (thread_index() == 0) sync_block();
  });
  expect_error("waits at sync_block, but thread 32 is at its end", 64, [] {
    if (thread_index() < 32) sync_block();
  });
  expect_error("waits at sync_warp, but thread 5 is at shuffle_xor", 32,
               [] { thread_index() == 5 ? void(shuffle_xor(0, 1)) : sync_warp(); });
  expect_error("waits at load_matrices, but thread 8 is at multiply", 32, [] {
    store_shared16(16 * thread_index(), {});
    sync_warp();
    float sum[4];
    uint32_t a[4] = {};
    thread_index() < 8 ? load_matrices(a, 16 * thread_index()) : F16::multiply(sum, a, 0, 0);
  });
  expect_error("waits at sync_block, but thread 1 is at multiply", 32, [] {
    float sum[4];
    const uint32_t a[4] = {};
    thread_index() == 0 ? sync_block() : TF32::multiply(sum, a, 0, 0);
  });
  emulate(1, 64, 0, [] {  // warps may part
    if (thread_index() < 32) sync_warp();
    sync_block();
  });
}

}  // namespace

int main() {
  test_shared_errors();
  test_global_errors();
  test_copy_errors();
  test_shared_races();
  test_warp_barrier();
  test_global_races();
  test_divergence();
  if (!test::failures) std::printf("emulator passed\n");
  return test::failures ? 1 : 0;
}
