// Matrix products of many rows, through the vendor's library.
//
// A seam like platform/runtime.h: cublaslt_product.cc calls cuBLASLt, host/host_product.cc has
// plain loops; a program links one or the other.
#ifndef MEMORY3_ENGINE_CUDA_DENSE_PRODUCT_H_
#define MEMORY3_ENGINE_CUDA_DENSE_PRODUCT_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

// y = x W^T, all row-major in device memory.
template <typename T, typename Y>
struct ProductArgs {
  const T* x = nullptr;  // (rows, inputs)
  const T* w = nullptr;  // (outputs, inputs)
  Y* y = nullptr;        // (rows, outputs): T, or float
  int32_t rows = 0;
  int32_t inputs = 0;
  int32_t outputs = 0;
  bool accumulate = false;  // y += x W^T, for Y float
};

// Rows of x and y are padded to a multiple of this, so that few shapes need an algorithm: memory
// for them must be there; what the padding holds is read and overwritten, and does not touch the
// rows.
inline constexpr int32_t kProductRowMultiple = 64;
constexpr int32_t PaddedProductRows(int32_t rows) {
  return (rows + kProductRowMultiple - 1) / kProductRowMultiple * kProductRowMultiple;
}

// Device memory that the library may use, for every algorithm it chooses.
inline constexpr int64_t kProductWorkspaceBytes = int64_t{32} << 20;

// Products of bf16 accumulate in f32, products of f32 are f32 throughout. Which algorithm computes
// a product depends on its padded shape alone, so equal shapes give a row the same bits. Not
// thread-safe; one stream at a time, since there is one workspace.
class DenseProduct {
 public:
  struct Native;

  // Takes kProductWorkspaceBytes of device memory. FailedPrecondition when the library is not
  // there.
  static absl::StatusOr<DenseProduct> Create();
  ~DenseProduct();
  DenseProduct(DenseProduct&&) noexcept;
  DenseProduct& operator=(DenseProduct&&) noexcept;

  // Chooses the algorithm for the shape of `args` (pointers are not used), which otherwise the
  // first Multiply does. Unimplemented when the library has none.
  template <typename T, typename Y>
  absl::Status Prepare(const ProductArgs<T, Y>& args);

  // May be captured in a graph once prepared. Errors stick to the stream.
  template <typename T, typename Y>
  void Multiply(Stream& stream, const ProductArgs<T, Y>& args);

 private:
  explicit DenseProduct(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_DENSE_PRODUCT_H_
