// A block of threads on the CPU: each is a fiber, which runs until it waits for others.
#pragma once

#include <ucontext.h>

#include <csetjmp>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda_memory.h"

namespace esr::cuda {

constexpr int kWarp = 32;

// What a thread waits at. If `perform` is given, the 32 lanes of its warp meet there with operands.
struct MeetingPoint {
  const char* name;
  void (*perform)(void* const (&operands)[kWarp]);
};
inline constexpr MeetingPoint kBlockBarrier{"sync_block", nullptr}, kEnd{"its end", nullptr};

class Fiber {
 public:
  void start(void (*body)()) {
    stack_ = std::make_unique_for_overwrite<char[]>(kStackBytes);
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = kStackBytes;
    makecontext(&context_, body, 0);
  }
  // To this fiber; back by leave(). After the first time by longjmp: unlike swapcontext it makes no
  // system call.
  [[gnu::noinline]] void enter(std::jmp_buf& from) {
    if (_setjmp(from)) return;
    if (std::exchange(started_, true)) std::longjmp(here_, 1);
    setcontext(&context_);
  }
  [[gnu::noinline]] void leave(std::jmp_buf& to) {
    if (!_setjmp(here_)) std::longjmp(to, 1);
  }

 private:
  static constexpr size_t kStackBytes = 256 << 10;
  std::unique_ptr<char[]> stack_;
  ucontext_t context_;
  std::jmp_buf here_;
  bool started_ = false;
};

struct Copy {
  uint32_t shared;
  const void* global;  // null: zeros
};

struct Thread {
  Fiber fiber;
  const MeetingPoint* at = nullptr;  // null: it can run
  void* operands = nullptr;
  std::vector<std::vector<Copy>> groups{1};  // of copies under way; the last is not committed
};

struct Grid {
  Grid(int blocks, int layers = 1) : blocks(blocks), layers(layers) {}
  int blocks, layers;
};

// Runs the blocks of a kernel, one after the other.
class Machine {
 public:
  Machine(Grid grid, int threads, int shared_bytes, std::function<void()> kernel)
      : grid(grid),
        shared(shared_bytes),
        kernel_(std::move(kernel)),
        threads_(threads),
        warp_epochs_(threads / kWarp, 1),
        launch_(next_thread_) {
    if (threads % kWarp)
      throw EmulatorError("a block of " + std::to_string(threads) +
                          " threads is not made of whole warps");
    next_thread_ += uint32_t(grid.blocks * grid.layers * threads);
  }

  void run() {
    running_ = this;
    for (Thread& t : threads_) t.fiber.start(run_fiber);
    for (layer = 0; layer < grid.layers; ++layer)
      for (block = 0; block < grid.blocks; ++block) run_block();
  }

  // The one that runs.
  static Machine& now() { return *running_; }

  int thread_count() const { return int(threads_.size()); }
  Thread& current() { return threads_[thread]; }
  uint32_t launch() const { return launch_; }
  uint32_t thread_number() const {
    return launch_ + (layer * grid.blocks + block) * thread_count() + thread;
  }
  Access access() const {
    const int warp = thread / kWarp;
    return {block_epoch_, warp_epochs_[warp], warp, thread % kWarp};
  }
  void pass_warp_barrier() { ++warp_epochs_[thread / kWarp]; }

  void wait(const MeetingPoint& at, void* operands = nullptr) {
    current().at = &at;
    current().operands = operands;
    current().fiber.leave(scheduler_);
  }

  const Grid grid;
  int block = 0, layer = 0, thread = 0;
  SharedMemory shared;

 private:
  static void run_fiber() {
    Machine& machine = now();
    for (;;) {
      try {
        machine.kernel_();
        for (const auto& group : machine.current().groups)
          if (!group.empty()) fail("ends before its copies do");
      } catch (...) {
        machine.error_ = std::current_exception();
      }
      machine.wait(kEnd);
    }
  }

  void resume(int number) {
    thread = number;
    current().at = nullptr;
    current().fiber.enter(scheduler_);
    if (error_) std::rethrow_exception(error_);
  }

  void run_block() {
    ++block_epoch_;
    shared.forget();
    for (Thread& t : threads_) t.at = nullptr;
    for (;;) {
      for (int first = 0; first < thread_count(); first += kWarp) run_warp(first);
      for (int i = 1; i < thread_count(); ++i) check_together(0, i);
      if (threads_[0].at == &kEnd) return;
      ++block_epoch_;
      for (Thread& t : threads_) t.at = nullptr;
    }
  }

  // Until its lanes wait at the block's barrier or are through.
  void run_warp(int first) {
    for (;;) {
      void* operands[kWarp];
      for (int i = 0; i < kWarp; ++i) {
        resume(first + i);
        operands[i] = current().operands;
      }
      for (int i = 1; i < kWarp; ++i) check_together(first, first + i);
      const MeetingPoint& at = *threads_[first].at;
      if (!at.perform) return;
      at.perform(operands);
    }
  }

  void check_together(int a, int b) {
    if (threads_[a].at == threads_[b].at) return;
    thread = a;
    fail(std::string("waits at ") + threads_[a].at->name + ", but thread " + std::to_string(b) +
         " is at " + threads_[b].at->name);
  }

  static inline Machine* running_ = nullptr;
  static inline uint32_t next_thread_ = 1;

  std::function<void()> kernel_;
  std::vector<Thread> threads_;
  std::vector<uint64_t> warp_epochs_;
  uint64_t block_epoch_ = 0;
  const uint32_t launch_;
  std::jmp_buf scheduler_;
  std::exception_ptr error_;
};

inline void fail(const std::string& what) {
  const Machine& m = Machine::now();
  throw EmulatorError("block " + std::to_string(m.block) + " layer " + std::to_string(m.layer) +
                      " thread " + std::to_string(m.thread) + ": " + what);
}

// Runs a kernel; throws EmulatorError at the first thing that a GPU would not put up with.
template <class Kernel>
void emulate(Grid grid, int threads, int shared_bytes, Kernel kernel) {
  Machine(grid, threads, shared_bytes, kernel).run();
}

}  // namespace esr::cuda
