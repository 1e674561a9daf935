#include "workspace.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace esr {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kMostKept = 4;
// A workspace this many times as large as a run needs is given up, if it is worth the page faults.
constexpr size_t kMuchLarger = 8, kWorthFreeing = (size_t(64) << 20) / sizeof(float);

std::mutex mutex;

std::vector<std::unique_ptr<Workspace>>& kept() {
  static auto* list = new std::vector<std::unique_ptr<Workspace>>;  // outlives every thread
  return *list;
}

}  // namespace

Workspace::Workspace(size_t floats) : size_(floats) {
  const size_t bytes = (floats * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
  data_ = static_cast<float*>(std::aligned_alloc(kAlignment, bytes));
  if (!data_) throw std::bad_alloc();
}

Workspace::~Workspace() { std::free(data_); }

std::unique_ptr<Workspace> take_workspace(size_t floats, unsigned plan) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    auto& list = kept();
    std::erase_if(list, [&](const auto& w) {
      return w->size() > kWorthFreeing && w->size() / kMuchLarger > floats;
    });
    const auto fits = [&](const auto& w) { return w->size() >= floats; };
    auto found = std::find_if(list.begin(), list.end(),
                              [&](const auto& w) { return w->plan == plan && fits(w); });
    if (found == list.end()) found = std::find_if(list.begin(), list.end(), fits);
    if (found != list.end()) {
      auto workspace = std::move(*found);
      list.erase(found);
      return workspace;
    }
    if (!list.empty()) list.pop_back();  // too small: its memory goes to the new one
  }
  return std::make_unique<Workspace>(floats);
}

void give_back(std::unique_ptr<Workspace> workspace) {
  const std::lock_guard<std::mutex> lock(mutex);
  auto& list = kept();
  list.insert(list.begin(), std::move(workspace));
  if (list.size() > kMostKept) list.pop_back();
}

}  // namespace esr
