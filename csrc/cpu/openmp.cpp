#include "openmp.h"

#if defined(_WIN32)

namespace esr {
bool run_on_openmp(int, const std::function<void(int)>&) { return false; }
}  // namespace esr

#else

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>

namespace esr {
namespace {

// What compilers make of `#pragma omp parallel`, under the names that GNU's library has, and
// Intel's and LLVM's too.
struct OpenMP {
  void (*parallel)(void (*)(void*), void*, unsigned threads, unsigned flags);
  int (*threads)();
  int (*thread)();

  bool complete() const { return parallel && threads && thread; }
};

template <class Function>
void find(Function*& function, const char* name) {
  function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

OpenMP find_openmp() {
  OpenMP found;
  find(found.parallel, "GOMP_parallel");
  find(found.threads, "omp_get_num_threads");
  find(found.thread, "omp_get_thread_num");
  return found;
}

struct Team {
  const OpenMP& openmp;
  const std::function<void(int)>& body;
  const int threads;
  std::atomic<bool> complete{true};

  static void work(void* data) {
    Team& team = *static_cast<Team*>(data);
    if (team.openmp.threads() != team.threads)
      team.complete = false;
    else
      team.body(team.openmp.thread());
  }
};

const int home = getpid();

}  // namespace

bool run_on_openmp(int threads, const std::function<void(int)>& body) {
  static const OpenMP openmp = find_openmp();
  if (!openmp.complete() || getpid() != home) return false;
  Team team{openmp, body, threads};
  openmp.parallel(Team::work, &team, unsigned(threads), 0);
  return team.complete;
}

}  // namespace esr

#endif
