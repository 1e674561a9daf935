// The threads that torch computes with: those of the OpenMP library that the process has loaded.
//
// Between two of its functions torch's threads spin for a while, to be there at once for the next
// one. Threads beside them would share the processors with that. The library is found when it is
// needed, because it must be torch's own, and because there are processes without any.
#pragma once

#include <functional>

namespace esr {

// Calls body(0) .. body(threads - 1) at the same time, body(0) on the calling thread, and returns
// when all are done. Returns false, and has called nothing, where OpenMP cannot: there is none, it
// gives fewer threads, or this process was forked, which leaves OpenMP's threads behind.
bool run_on_openmp(int threads, const std::function<void(int)>& body);

}  // namespace esr
