// Copies weights to the device through two pinned pieces: one is filled while the other travels.
#ifndef MEMORY3_ENGINE_CUDA_UPLOAD_H_
#define MEMORY3_ENGINE_CUDA_UPLOAD_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/model/safetensors.h"

namespace memory3::cuda {

// Not thread-safe. The stream must outlive it.
class Uploader {
 public:
  static absl::StatusOr<Uploader> Create(Stream& stream, int64_t piece_bytes);

  // The tensor's elements as T at `to`.
  template <typename T>
  absl::Status CopyTensor(const Tensor& tensor, T* to);
  absl::Status CopyFloats(absl::Span<const float> values, float* to);

 private:
  struct Piece {
    Buffer buffer;
    Event copied;
  };
  explicit Uploader(Stream& stream) : stream_(&stream) {}
  // The next piece, once its last copy has run.
  absl::StatusOr<Piece*> NextPiece();

  Stream* stream_;
  std::vector<Piece> pieces_;
  size_t next_ = 0;
  std::vector<float> floats_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_UPLOAD_H_
