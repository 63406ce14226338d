// Zero-filled memory on a 64-byte border or the larger one asked for; 2 MiB, with transparent huge
// pages advised, above 4 MiB. Move-only.
#ifndef MEMORY3_ENGINE_BASE_ALIGNED_BUFFER_H_
#define MEMORY3_ENGINE_BASE_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <utility>

namespace memory3 {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes, size_t alignment = 64);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_ALIGNED_BUFFER_H_
