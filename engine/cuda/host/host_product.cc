// The product seam in host memory: plain loops, and padding that nobody may count on.
#include <limits>
#include <utility>

#include "engine/cuda/dense_product.h"
#include "engine/cuda/host/executor.h"

namespace memory3::cuda {
namespace {

template <typename T>
float Dot(const T* a, const T* b, int32_t size) {
  float sum = 0;
  for (int32_t i = 0; i < size; ++i) sum += ToFloat(a[i]) * ToFloat(b[i]);
  return sum;
}

template <typename T, typename Y>
void Run(const ProductArgs<T, Y>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const T* x = args.x + row * args.inputs;
    Y* y = args.y + row * args.outputs;
    for (int64_t out = 0; out < args.outputs; ++out) {
      const float before = args.accumulate ? ToFloat(y[out]) : 0;
      y[out] = FromFloat<Y>(before + Dot(x, args.w + out * args.inputs, args.inputs));
    }
  }
  const int64_t end = int64_t{PaddedProductRows(args.rows)} * args.outputs;
  for (int64_t i = int64_t{args.rows} * args.outputs; i < end; ++i) {
    args.y[i] = FromFloat<Y>(std::numeric_limits<float>::quiet_NaN());
  }
}

}  // namespace

struct DenseProduct::Native {};

DenseProduct::DenseProduct(std::unique_ptr<Native> native) : native_(std::move(native)) {}
DenseProduct::DenseProduct(DenseProduct&&) noexcept = default;
DenseProduct& DenseProduct::operator=(DenseProduct&&) noexcept = default;
DenseProduct::~DenseProduct() = default;

absl::StatusOr<DenseProduct> DenseProduct::Create() {
  return DenseProduct(std::make_unique<Native>());
}

template <typename T, typename Y>
absl::Status DenseProduct::Prepare(const ProductArgs<T, Y>&) {
  return absl::OkStatus();
}

template <typename T, typename Y>
void DenseProduct::Multiply(Stream& stream, const ProductArgs<T, Y>& args) {
  if (args.rows > 0) host::Enqueue(stream, [args] { Run(args); });
}

template absl::Status DenseProduct::Prepare(const ProductArgs<float, float>&);
template absl::Status DenseProduct::Prepare(const ProductArgs<BFloat16, BFloat16>&);
template absl::Status DenseProduct::Prepare(const ProductArgs<BFloat16, float>&);
template void DenseProduct::Multiply(Stream&, const ProductArgs<float, float>&);
template void DenseProduct::Multiply(Stream&, const ProductArgs<BFloat16, BFloat16>&);
template void DenseProduct::Multiply(Stream&, const ProductArgs<BFloat16, float>&);

}  // namespace memory3::cuda
