#include "engine/cuda/upload.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "engine/base/status_macros.h"

namespace memory3::cuda {

absl::StatusOr<Uploader> Uploader::Create(Stream& stream, int64_t piece_bytes) {
  constexpr int kPieces = 2;
  Uploader uploader(stream);
  for (int i = 0; i < kPieces; ++i) {
    M3_ASSIGN_OR_RETURN(Buffer buffer, Buffer::Allocate(Buffer::Kind::kPinned, piece_bytes));
    M3_ASSIGN_OR_RETURN(Event copied, Event::Create());
    uploader.pieces_.push_back({std::move(buffer), std::move(copied)});
  }
  return uploader;
}

absl::StatusOr<Uploader::Piece*> Uploader::NextPiece() {
  Piece& piece = pieces_[next_];
  next_ = (next_ + 1) % pieces_.size();
  M3_RETURN_IF_ERROR(piece.copied.Synchronize());
  return &piece;
}

template <typename T>
absl::Status Uploader::CopyTensor(const Tensor& tensor, T* to) {
  const int64_t elements = tensor.elements();
  const int64_t per_piece = pieces_[0].buffer.bytes() / static_cast<int64_t>(sizeof(T));
  const bool as_stored = std::is_same_v<T, BFloat16> && tensor.dtype == DType::kBF16;
  for (int64_t begin = 0; begin < elements; begin += per_piece) {
    const int64_t count = std::min(per_piece, elements - begin);
    M3_ASSIGN_OR_RETURN(Piece* const piece, NextPiece());
    T* const pinned = piece->buffer.template data<T>();
    if (as_stored) {
      std::memcpy(pinned, tensor.data.data() + begin * sizeof(T), count * sizeof(T));
    } else {
      floats_.resize(count);
      ReadFloats(tensor, begin, absl::MakeSpan(floats_));
      std::transform(floats_.begin(), floats_.end(), pinned, FromFloat<T>);
    }
    stream_->CopyToDevice(to + begin, pinned, count * sizeof(T));
    piece->copied.Record(*stream_);
  }
  return absl::OkStatus();
}

absl::Status Uploader::CopyFloats(absl::Span<const float> values, float* to) {
  const int64_t per_piece = pieces_[0].buffer.bytes() / static_cast<int64_t>(sizeof(float));
  for (int64_t begin = 0; begin < static_cast<int64_t>(values.size()); begin += per_piece) {
    const absl::Span<const float> part = values.subspan(begin, per_piece);
    M3_ASSIGN_OR_RETURN(Piece* const piece, NextPiece());
    std::copy(part.begin(), part.end(), piece->buffer.data<float>());
    stream_->CopyToDevice(to + begin, piece->buffer.data(), part.size() * sizeof(float));
    piece->copied.Record(*stream_);
  }
  return absl::OkStatus();
}

template absl::Status Uploader::CopyTensor(const Tensor&, float*);
template absl::Status Uploader::CopyTensor(const Tensor&, BFloat16*);

}  // namespace memory3::cuda
