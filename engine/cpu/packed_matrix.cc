#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "engine/base/bfloat16.h"
#include "engine/base/check.h"
#include "engine/cpu/matmul.h"
#include "engine/cpu/packed_layout.h"

namespace memory3 {
namespace {

// Inputs of all outputs of a panel that are transposed together: small enough for the L1 cache with
// its target.
constexpr int64_t kBlockInputs = 64;

// Where a weight lies: byte offset within its panel.
int64_t OffsetInPanel(int64_t column, int64_t input, DType dtype) {
  const int64_t per_step = InputsPerStep(dtype);
  return input / per_step * kStepBytes + column * 4 + input % per_step * SizeOf(dtype);
}

// Writes inputs [begin, begin + count) of one column.
void WriteColumn(const float* weights, int64_t column, int64_t begin, int64_t count, DType dtype,
                 uint8_t* panel) {
  for (int64_t i = 0; i < count; ++i) {
    uint8_t* to = panel + OffsetInPanel(column, begin + i, dtype);
    if (dtype == DType::kF32) {
      std::memcpy(to, &weights[i], sizeof(float));
    } else {
      const uint16_t rounded = ToBfloat16(weights[i]);
      std::memcpy(to, &rounded, sizeof(rounded));
    }
  }
}

// Finds the tensor and row behind an output of the stack.
struct StackedRow {
  const Tensor* tensor;
  int64_t row;
};
StackedRow RowOf(absl::Span<const Tensor* const> tensors, int64_t output) {
  for (const Tensor* tensor : tensors) {
    if (output < tensor->shape[0]) return {tensor, output};
    output -= tensor->shape[0];
  }
  M3_CHECK(false);
  return {};
}

}  // namespace

PackedMatrix PackedMatrix::Pack(absl::Span<const Tensor* const> tensors, DType dtype, CpuIsa isa,
                                ThreadPool& pool) {
  M3_CHECK(dtype == DType::kF32 || dtype == DType::kBF16);
  M3_CHECK(IsSupported(isa) && !tensors.empty());
  PackedMatrix packed;
  packed.dtype_ = dtype;
  packed.isa_ = isa;
  packed.inputs_ = tensors[0]->shape[1];
  for (const Tensor* tensor : tensors) {
    M3_CHECK(tensor->shape.size() == 2 && tensor->shape[1] == packed.inputs_);
    packed.outputs_ += tensor->shape[0];
  }
  const int64_t panels = (packed.outputs_ + kPanelOutputs - 1) / kPanelOutputs;
  const int64_t panel_bytes = PanelBytes(packed.inputs_, dtype);
  packed.data_ = AlignedBuffer(panels * panel_bytes);

  // Handed out one by one: pages of the checkpoint that must come from disk make panels uneven.
  std::atomic<int64_t> next{0};
  pool.Run([&](int, int) {
    float block[kBlockInputs];
    for (int64_t panel = next++; panel < panels; panel = next++) {
      uint8_t* to = packed.data_.data() + panel * panel_bytes;
      const int64_t first = panel * kPanelOutputs;
      const int64_t columns = std::min<int64_t>(kPanelOutputs, packed.outputs_ - first);
      for (int64_t begin = 0; begin < packed.inputs_; begin += kBlockInputs) {
        const int64_t count = std::min(kBlockInputs, packed.inputs_ - begin);
        for (int64_t column = 0; column < columns; ++column) {
          const StackedRow source = RowOf(tensors, first + column);
          ReadFloats(*source.tensor, source.row * packed.inputs_ + begin,
                     absl::MakeSpan(block, count));
          WriteColumn(block, column, begin, count, dtype, to);
        }
      }
    }
  });
  return packed;
}

void PackedMatrix::ReadRow(int64_t output, float* out) const {
  M3_CHECK(output >= 0 && output < outputs_);
  const uint8_t* panel = data_.data() + output / kPanelOutputs * PanelBytes(inputs_, dtype_);
  for (int64_t input = 0; input < inputs_; ++input) {
    const uint8_t* from = panel + OffsetInPanel(output % kPanelOutputs, input, dtype_);
    if (dtype_ == DType::kF32) {
      std::memcpy(&out[input], from, sizeof(float));
    } else {
      uint16_t rounded;
      std::memcpy(&rounded, from, sizeof(rounded));
      out[input] = FromBfloat16(rounded);
    }
  }
}

}  // namespace memory3
