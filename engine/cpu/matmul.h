// Matrix products with weights packed once for the instruction set of the machine.
//
//   PackedMatrix w = PackedMatrix::Pack({&q, &k, &v}, DType::kBF16, BestIsa(), pool);
//   input.Set(x, rows, w.inputs(), w.dtype(), pool);
//   MatMul(pool, w, input, nullptr, false, y, w.outputs());   // y (rows, outputs) = x W^T
//
// Batch-invariant: y's row depends on x's row alone, bit for bit: every kernel adds the products of
// one output in the same order whatever the number of rows.
#ifndef MEMORY3_ENGINE_CPU_MATMUL_H_
#define MEMORY3_ENGINE_CPU_MATMUL_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/base/aligned_buffer.h"
#include "engine/base/thread_pool.h"
#include "engine/cpu/cpu_isa.h"
#include "engine/model/safetensors.h"

namespace memory3 {

// Weights (out, in) in the layout the kernels of one instruction set read: panels of columns with
// their inputs interleaved, zero-padded. bf16 weights multiply bf16-rounded inputs with f32
// accumulation; f32 weights stay f32 throughout. With kAvx512Bf16, bf16 products take subnormal
// numbers for zero (vdpbf16ps knows no others); everywhere else they count.
class PackedMatrix {
 public:
  // Several tensors with the same number of inputs are stacked along the outputs (q, k, v in one
  // product). Reads each weight once, in parallel, without a second copy. dtype: kF32 or kBF16.
  static PackedMatrix Pack(absl::Span<const Tensor* const> tensors, DType dtype, CpuIsa isa,
                           ThreadPool& pool);

  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }
  DType dtype() const { return dtype_; }
  CpuIsa isa() const { return isa_; }
  int64_t bytes() const { return static_cast<int64_t>(data_.size()); }
  const uint8_t* data() const { return data_.data(); }

  // Row `output` as floats (for an embedding that is tied to the output matrix). out: inputs()
  // values.
  void ReadRow(int64_t output, float* out) const;

 private:
  int64_t inputs_ = 0;
  int64_t outputs_ = 0;
  DType dtype_ = DType::kF32;
  CpuIsa isa_ = CpuIsa::kPortable;
  AlignedBuffer data_;
};

// Inputs of a product in the form its kernels read (bf16 pairs or f32, rows interleaved), reused
// from call to call. Sized for max_rows once.
class PackedInput {
 public:
  PackedInput(int64_t max_rows, int64_t max_inputs);
  // Converts rows x inputs floats (row stride `inputs`); in parallel on the pool.
  void Set(const float* x, int64_t rows, int64_t inputs, DType dtype, ThreadPool& pool);
  const uint8_t* data() const { return data_.data(); }
  int64_t rows() const { return rows_; }
  int64_t inputs() const { return inputs_; }
  DType dtype() const { return dtype_; }

 private:
  AlignedBuffer data_;
  int64_t rows_ = 0;
  int64_t inputs_ = 0;
  DType dtype_ = DType::kF32;
};

// y (rows, w.outputs()) = x W^T + bias; row stride of y is y_stride floats. bias: outputs() floats
// or nullptr. accumulate: adds to what y holds (the residual connection) instead of overwriting.
void MatMul(ThreadPool& pool, const PackedMatrix& w, const PackedInput& x, const float* bias,
            bool accumulate, float* y, int64_t y_stride);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_MATMUL_H_
