// Memory of the emulated GPU, with the checks of a sanitizer: bounds, alignment, bytes that nobody
// wrote, and accesses that no barrier orders.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace esr::cuda {

// Of the emulated program; says where and what.
struct EmulatorError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws one, for the thread that runs.
[[noreturn]] inline void fail(const std::string& what);

// Who accesses shared memory, and after how many barriers.
struct Access {
  static constexpr int kMany = -1;
  uint64_t block_epoch = 0, warp_epoch = 0;  // counted from 1
  int warp = 0, lane = 0;                    // or kMany

  // Whether a barrier, or the program's order, lies between this access and a later one.
  bool is_before(const Access& later) const {
    if (block_epoch != later.block_epoch) return true;
    if (warp != later.warp || warp == kMany) return false;
    return warp_epoch != later.warp_epoch || (lane == later.lane && lane != kMany);
  }
};

// A block's shared memory. Races are told word by word.
class SharedMemory {
 public:
  explicit SharedMemory(size_t bytes) : bytes_(bytes), written_(bytes), words_((bytes + 3) / 4) {}

  void forget() { std::fill(written_.begin(), written_.end(), false); }

  void read(uint32_t at, size_t count, void* to, const Access& now) {
    check(at, count, "read");
    for (size_t i = at; i < at + count; ++i)
      if (!written_[i]) fail("reads shared byte " + std::to_string(i) + ", which nobody wrote");
    for (size_t i = at / 4; i <= (at + count - 1) / 4; ++i) {
      Word& word = words_[i];
      if (word.copies)
        fail("reads shared byte " + std::to_string(4 * i) + " before its copy's end");
      if (!word.write.is_before(now)) race("reads", i, "wrote", word.write);
      if (word.read.is_before(now)) {
        word.read = now;
      } else if (word.read.warp != now.warp) {
        word.read.warp = word.read.lane = Access::kMany;
      } else if (word.read.lane != now.lane) {
        word.read.lane = Access::kMany;
      }
    }
    std::memcpy(to, bytes_.data() + at, count);
  }

  void write(uint32_t at, size_t count, const void* from, const Access& now) {
    check_write(at, count, now);
    for (size_t i = at / 4; i <= (at + count - 1) / 4; ++i) words_[i].write = now;
    std::fill_n(written_.begin() + at, count, true);
    std::memcpy(bytes_.data() + at, from, count);
  }

  // An asynchronous write, from here to finish_copy.
  void begin_copy(uint32_t at, size_t count, const Access& now) {
    check_write(at, count, now);
    for (size_t i = at / 4; i < (at + count) / 4; ++i) ++words_[i].copies;
  }
  void finish_copy(uint32_t at, size_t count, const void* from, const Access& now) {
    for (size_t i = at / 4; i < (at + count) / 4; ++i) --words_[i].copies;
    write(at, count, from, now);
  }

 private:
  struct Word {
    Access write, read;
    int copies = 0;  // under way
  };

  void check(uint32_t at, size_t count, const char* what) const {
    const bool misaligned = at % count, outside = at + count > bytes_.size();
    if (misaligned || outside)
      fail(what + (" of " + std::to_string(count)) + " shared bytes at " + std::to_string(at) +
           (misaligned ? " is misaligned" : " is outside of " + std::to_string(bytes_.size())));
  }

  void check_write(uint32_t at, size_t count, const Access& now) const {
    check(at, count, "write");
    for (size_t i = at / 4; i <= (at + count - 1) / 4; ++i) {
      const Word& word = words_[i];
      if (word.copies) fail("writes shared byte " + std::to_string(4 * i) + " during a copy to it");
      if (!word.write.is_before(now)) race("writes", i, "wrote", word.write);
      if (!word.read.is_before(now)) race("writes", i, "read", word.read);
    }
  }

  [[noreturn]] static void race(const char* now, size_t word, const char* then, const Access& who) {
    const auto name = [](int number) {
      return number == Access::kMany ? std::string("several") : std::to_string(number);
    };
    fail(std::string("race: ") + now + " shared byte " + std::to_string(4 * word) +
         ", which warp " + name(who.warp) + " lane " + name(who.lane) + " " + then +
         " since the last barrier");
  }

  std::vector<char> bytes_;
  std::vector<char> written_;
  std::vector<Word> words_;
};

// A piece of the GPU's own memory, not a byte larger than asked for, at a multiple of 256 bytes,
// and full of NaNs. Kernels know it as long as it lives.
class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes) : memory_(std::make_unique<Memory>(bytes)) {
    std::memset(data(), 0xff, bytes);
    known_[memory_->start()] = memory_.get();
  }
  template <class T>
  explicit DeviceMemory(const std::vector<T>& values) : DeviceMemory(values.size() * sizeof(T)) {
    std::memcpy(data(), values.data(), values.size() * sizeof(T));
  }
  DeviceMemory(DeviceMemory&&) = default;
  ~DeviceMemory() {
    if (memory_) known_.erase(memory_->start());
  }

  char* data() const { return memory_->data.get(); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data());
  }
  // From now on kernels may only read it.
  void protect() { memory_->writable = false; }

  // Accesses of a kernel by its thread of this number. Numbers grow; those below `launch` belong to
  // kernels that are over.
  static void read(const void* at, size_t count, uint32_t thread, uint32_t launch) {
    for (Byte& byte : find("read", at, count).bytes_at(at, count)) {
      if (byte.writer >= launch && byte.writer != thread)
        fail("race: reads a global byte that another thread of this kernel wrote");
      byte.last_reader = std::max(byte.last_reader, thread);
      byte.first_reader = byte.first_reader < launch ? thread : std::min(byte.first_reader, thread);
    }
  }
  static void write(const void* at, size_t count, uint32_t thread, uint32_t launch) {
    Memory& memory = find("write", at, count);
    if (!memory.writable) fail("writes global memory that is read-only");
    for (Byte& byte : memory.bytes_at(at, count)) {
      if (byte.writer >= launch && byte.writer != thread)
        fail("race: writes a global byte that another thread of this kernel wrote");
      if (byte.last_reader >= launch && (byte.last_reader != thread || byte.first_reader != thread))
        fail("race: writes a global byte that another thread of this kernel read");
      byte.writer = thread;
    }
  }

 private:
  static constexpr std::align_val_t kAlignment{256};
  struct Delete {
    void operator()(char* memory) const { ::operator delete[](memory, kAlignment); }
  };
  struct Byte {
    uint32_t writer = 0, first_reader = 0, last_reader = 0;
  };
  struct Memory {
    std::unique_ptr<char[], Delete> data;
    std::vector<Byte> bytes;
    bool writable = true;

    explicit Memory(size_t size) : data(new (kAlignment) char[size]), bytes(size) {}
    uintptr_t start() const { return reinterpret_cast<uintptr_t>(data.get()); }
    std::span<Byte> bytes_at(const void* at, size_t count) {
      return std::span(bytes).subspan(static_cast<const char*>(at) - data.get(), count);
    }
  };

  static Memory& find(const char* what, const void* at, size_t count) {
    const auto address = reinterpret_cast<uintptr_t>(at);
    const auto complain = [&](const std::string& how) {
      fail(what + (" of " + std::to_string(count)) + " global bytes " + how);
    };
    if (address % count) complain("is misaligned");
    const auto next = known_.upper_bound(address);
    if (next == known_.begin()) complain("lies in no allocation");
    Memory& found = *std::prev(next)->second;
    if (address + count > found.start() + found.bytes.size())
      complain("lies " + std::to_string(address - found.start()) + " bytes after the start of " +
               std::to_string(found.bytes.size()));
    return found;
  }

  static inline std::map<uintptr_t, Memory*> known_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace esr::cuda
