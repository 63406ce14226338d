#include <algorithm>
#include <cstring>

#include "engine/base/bfloat16.h"
#include "engine/base/check.h"
#include "engine/cpu/matmul.h"
#include "engine/cpu/packed_layout.h"

namespace memory3 {
namespace {

// Below this the fork and join cost more than the conversion.
constexpr int64_t kParallelFloats = 16384;

void ConvertToBfloat16(const float* from, int64_t count, uint8_t* to) {
  auto* out = reinterpret_cast<uint16_t*>(to);
  for (int64_t i = 0; i < count; ++i) out[i] = ToBfloat16(from[i]);
}

// Writes the chunks of one row, `chunk_stride` bytes apart.
void ConvertRow(const float* from, int64_t inputs, DType dtype, uint8_t* to, int64_t chunk_stride) {
  const int64_t per_chunk = InputsPerChunk(dtype);
  for (int64_t begin = 0; begin < inputs; begin += per_chunk, to += chunk_stride) {
    const int64_t count = std::min(per_chunk, inputs - begin);
    if (count < per_chunk) std::memset(to, 0, kCacheLineBytes);
    if (dtype == DType::kF32) {
      std::memcpy(to, from + begin, count * sizeof(float));
    } else {
      ConvertToBfloat16(from + begin, count, to);
    }
  }
}

}  // namespace

PackedInput::PackedInput(int64_t max_rows, int64_t max_inputs)
    : data_(max_rows * PackedRowBytes(max_inputs, DType::kF32)) {}

void PackedInput::Set(const float* x, int64_t rows, int64_t inputs, DType dtype, ThreadPool& pool) {
  M3_CHECK(rows * PackedRowBytes(inputs, dtype) <= static_cast<int64_t>(data_.size()));
  rows_ = rows;
  inputs_ = inputs;
  dtype_ = dtype;
  const int64_t row_bytes = PackedRowBytes(inputs, dtype);
  const auto convert = [&](int part, int parts) {
    const Range share = ShareOf(rows, part, parts);
    for (int64_t tile = 0; tile < InputTiles(rows); ++tile) {
      const Range of_tile = RowsOfTile(rows, tile);
      const int64_t chunk_stride = (of_tile.end - of_tile.begin) * kCacheLineBytes;
      uint8_t* first = data_.data() + of_tile.begin * row_bytes;
      const int64_t end = std::min(share.end, of_tile.end);
      for (int64_t row = std::max(share.begin, of_tile.begin); row < end; ++row) {
        ConvertRow(x + row * inputs, inputs, dtype, first + (row - of_tile.begin) * kCacheLineBytes,
                   chunk_stride);
      }
    }
  };
  if (rows == 1 || rows * inputs < kParallelFloats) {
    convert(0, 1);
  } else {
    pool.Run(convert);
  }
}

}  // namespace memory3
