// Memory of a run. Nothing in it outlives the run, so all programs of the process take turns with a
// few workspaces: its size is that of the largest run at a time, however many networks are loaded.
#pragma once

#include <cstddef>
#include <memory>

namespace esr {

class Workspace {
 public:
  explicit Workspace(size_t floats);
  ~Workspace();
  Workspace(const Workspace&) = delete;

  float* data() const { return data_; }
  size_t size() const { return size_; }

  unsigned plan = 0;  // whose guards it holds; 0: nobody's

 private:
  float* data_;
  size_t size_;
};

// A workspace of at least `floats`, not initialised, preferably the one that `plan` used last.
std::unique_ptr<Workspace> take_workspace(size_t floats, unsigned plan);

// Keeps it for the next run; one that needs far less frees it.
void give_back(std::unique_ptr<Workspace> workspace);

}  // namespace esr
