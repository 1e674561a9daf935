// Zeroed, cache-line aligned memory, for constants.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace esr {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t floats) {
    if (floats == 0) return;
    const size_t bytes = (floats * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
    data_ = static_cast<float*>(std::aligned_alloc(kAlignment, bytes));
    if (!data_) throw std::bad_alloc();
    std::memset(data_, 0, bytes);
  }
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  float* data() const { return data_; }

 private:
  static constexpr size_t kAlignment = 64;
  float* data_ = nullptr;
};

}  // namespace esr
