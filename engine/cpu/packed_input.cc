#include <cstring>

#include "engine/base/bfloat16.h"
#include "engine/base/check.h"
#include "engine/cpu/matmul.h"
#include "engine/cpu/packed_layout.h"

namespace memory3 {
namespace {

// Below this the fork and join cost more than the conversion.
constexpr int64_t kParallelFloats = 16384;

void ConvertRow(const float* from, int64_t inputs, DType dtype, uint8_t* to) {
  if (dtype == DType::kF32) {
    std::memcpy(to, from, inputs * sizeof(float));
  } else {
    auto* out = reinterpret_cast<uint16_t*>(to);
    for (int64_t i = 0; i < inputs; ++i) out[i] = ToBfloat16(from[i]);
  }
  const int64_t used = inputs * SizeOf(dtype);
  std::memset(to + used, 0, PackedRowBytes(inputs, dtype) - used);
}

}  // namespace

PackedInput::PackedInput(int64_t max_rows, int64_t max_inputs)
    : data_(max_rows * InputStride(max_inputs, DType::kF32)) {}

void PackedInput::Set(const float* x, int64_t rows, int64_t inputs, DType dtype, ThreadPool& pool) {
  rows_ = rows;
  stride_bytes_ = InputStride(inputs, dtype);
  M3_CHECK(rows * stride_bytes_ <= static_cast<int64_t>(data_.size()));
  const auto convert = [&](int part, int parts) {
    const Range share = ShareOf(rows, part, parts);
    for (int64_t row = share.begin; row < share.end; ++row) {
      ConvertRow(x + row * inputs, inputs, dtype, data_.data() + row * stride_bytes_);
    }
  };
  if (rows == 1 || rows * inputs < kParallelFloats) {
    convert(0, 1);
  } else {
    pool.Run(convert);
  }
}

}  // namespace memory3
