// The threads of a run: torch's, and where those cannot be had, threads of our own, which sleep
// between runs.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace esr {

// Calls body(0) .. body(threads - 1) at the same time, body(0) on the calling thread, and returns
// when all are done. In a body numbers below 1e-38 are zeros. On threads of our own there is one
// run at a time: a second caller waits. Survives fork().
void run_on_threads(int threads, const std::function<void(int)>& body);

// Spins until `done()`, since the threads of a run are microseconds apart; where the machine is
// short of processors, gives way.
template <class Done>
void wait_until(Done&& done) {
  constexpr int kSpins = 4000;
  for (int spin = 0; !done(); ++spin) {
    if (spin >= kSpins) {
      std::this_thread::yield();
      continue;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

// Where the threads of one run wait for each other.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  void wait();

 private:
  const int threads_;
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> phase_{0};
};

}  // namespace esr
