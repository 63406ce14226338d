// Which kernel computes a product: our own memory-bound one for few rows, the library for many.
#ifndef MEMORY3_ENGINE_CUDA_PRODUCTS_H_
#define MEMORY3_ENGINE_CUDA_PRODUCTS_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "engine/cuda/dense_product.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

enum class ProductRule : uint8_t {
  // Up to `skinny_rows` rows through our own kernel, more through the library: a row's bits depend
  // on
  // how many rows the step has.
  kFast,
  // Slices of kMaxSkinnyRows rows through our own kernel, whose rows do not depend on one another:
  // the same bits in every step. The weights are read once per slice.
  kInvariant,
  // Slices of kEncodeSliceRows rows through the library, the last one as large as the others: the
  // same algorithm for every row.
  kFixedSlices,
};

// The MLP's first half: out = silu(x gate^T) * (x up^T), with biases.
template <typename T>
struct GatedArgs {
  const T* x = nullptr;     // (rows, inputs)
  const T* w = nullptr;     // (2 mlp, inputs): gate, then up
  const T* bias = nullptr;  // (2 mlp); null: none
  T* gate_up = nullptr;     // (rows, 2 mlp): scratch
  T* out = nullptr;         // (rows, mlp)
  int32_t rows = 0;
  int32_t inputs = 0;
  int32_t mlp = 0;
};

// Rows of every x and y are padded to a multiple of kProductRowMultiple (kFixedSlices: of
// kEncodeSliceRows); the padding of y is overwritten. Like DenseProduct: not thread-safe, one
// stream at a time.
class Products {
 public:
  // Products of up to `skinny_rows` rows go through our own kernel under kFast.
  static absl::StatusOr<Products> Create(int skinny_rows);
  // Whether kInvariant can be had for products of so many inputs.
  static bool CanBeInvariant(int inputs);

  // Adds a bias (null: none) to products that accumulate; others have none here.
  template <typename T, typename Y>
  void Multiply(Stream& stream, ProductRule rule, const ProductArgs<T, Y>& args,
                const T* bias = nullptr);
  template <typename T>
  void MultiplyGated(Stream& stream, ProductRule rule, const GatedArgs<T>& args);

  // Chooses algorithms for all numbers of rows up to `args.rows`, so that Multiply does not have
  // to.
  template <typename T, typename Y>
  absl::Status Prepare(const ProductArgs<T, Y>& args);

 private:
  Products(DenseProduct dense, int skinny_rows)
      : dense_(std::move(dense)), skinny_rows_(skinny_rows) {}

  bool IsSkinny(ProductRule rule, int32_t rows, int32_t inputs) const;
  template <typename T, typename Y>
  void MultiplyDense(Stream& stream, ProductRule rule, const ProductArgs<T, Y>& args);

  DenseProduct dense_;
  int skinny_rows_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PRODUCTS_H_
