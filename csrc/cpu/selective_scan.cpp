// The selective scan on several threads. Each takes a group of channels of one sequence at a time,
// from the first token to the last.
//
// Segments of a sequence could be computed side by side too, but all except the first are then
// computed twice, once for their first states: that pays only for three times as many threads as
// there are groups.
#include <algorithm>
#include <atomic>

#include "buffer.h"
#include "kernels.h"
#include "thread_pool.h"

namespace esr {

void selective_scan(const Kernels& kernels, const SelectiveScan& scan, int threads) {
  const int groups = (scan.channels + kernels.lanes - 1) / kernels.lanes;
  const int tasks = scan.batch * groups;
  threads = std::clamp(threads, 1, tasks);
  const size_t floats = scan.scratch_floats(kernels.lanes);
  const Buffer scratch(threads * floats);
  std::atomic<int> next{0};
  run_on_threads(threads, [&](int thread) {
    for (int task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;)
      kernels.selective_scan(scan, task / groups, task % groups, scratch.data() + thread * floats);
  });
}

}  // namespace esr
