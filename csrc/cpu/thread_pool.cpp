#include "thread_pool.h"

#include <condition_variable>
#include <mutex>
#include <vector>

#include "openmp.h"
#include "subnormals.h"

#if defined(_WIN32)
#include <process.h>
#define getpid _getpid
#else
#include <unistd.h>
#endif

namespace esr {
namespace {

class Pool {
 public:
  void run(int threads, const std::function<void(int)>& body) {
    const std::lock_guard<std::mutex> one_run(run_mutex_);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      while (static_cast<int>(workers_.size()) < threads - 1)
        workers_.emplace_back(
            [this, id = int(workers_.size()) + 1, seen = round_] { work(id, seen); });
      body_ = &body;
      threads_ = threads;
      pending_ = threads - 1;
      ++round_;
    }
    start_.notify_all();
    body(0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [&] { return pending_ == 0; });
  }

 private:
  void work(int id, unsigned seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      start_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      if (id >= threads_) continue;
      const auto* body = body_;
      lock.unlock();
      (*body)(id);
      lock.lock();
      if (--pending_ == 0) done_.notify_one();
    }
  }

  std::mutex run_mutex_, mutex_;
  std::condition_variable start_, done_;
  std::vector<std::thread> workers_;
  const std::function<void(int)>* body_ = nullptr;
  int threads_ = 0, pending_ = 0;
  unsigned round_ = 0;
};

// Never destroyed: its threads wait on it until the process ends. A forked child has none of the
// parent's threads and starts a pool of its own.
Pool& pool() {
  static std::mutex mutex;
  static Pool* current = nullptr;
  static int owner = 0;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!current || owner != getpid()) {
    current = new Pool;
    owner = getpid();
  }
  return *current;
}

}  // namespace

void run_on_threads(int threads, const std::function<void(int)>& body) {
  const auto quick = [&](int thread) {
    const SubnormalsAsZeros here;
    body(thread);
  };
  if (threads == 1) return quick(0);
  if (run_on_openmp(threads, quick)) return;
  pool().run(threads, quick);
}

void Barrier::wait() {
  const unsigned phase = phase_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    return;
  }
  wait_until([&] { return phase_.load(std::memory_order_acquire) != phase; });
}

}  // namespace esr
