// Cuts one allocation into aligned parts; on nothing, measures how large it must be.
#ifndef MEMORY3_ENGINE_CUDA_ARENA_H_
#define MEMORY3_ENGINE_CUDA_ARENA_H_

#include <cstdint>

namespace memory3::cuda {

class Arena {
 public:
  // What cudaMalloc gives and vector loads and cuBLASLt count on.
  static constexpr int64_t kAlignment = 256;

  // Null: only measures; the pointers then mean nothing.
  explicit Arena(void* begin) : begin_(static_cast<char*>(begin)) {}

  template <typename T>
  T* Take(int64_t elements) {
    char* const at = begin_ == nullptr ? nullptr : begin_ + used_;
    const int64_t bytes = elements * static_cast<int64_t>(sizeof(T));
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return reinterpret_cast<T*>(at);
  }
  int64_t used() const { return used_; }

 private:
  char* begin_;
  int64_t used_ = 0;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_ARENA_H_
