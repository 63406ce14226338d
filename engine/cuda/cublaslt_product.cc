// The product seam on CUDA. Our row-major (rows, outputs) is cuBLASLt's column-major (outputs,
// rows): it computes y^T = W x^T, with W transposed as it sees it.
#include <cublasLt.h>

#include <map>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/cublaslt_library.h"
#include "engine/cuda/dense_product.h"
#include "engine/cuda/platform/cuda_native.h"

namespace memory3::cuda {
namespace {

template <typename T>
constexpr cudaDataType_t kType = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_16BF;

struct ShapeKey {
  int32_t padded_rows, inputs, outputs;
  cudaDataType_t x_type, y_type;
  bool operator<(const ShapeKey& other) const {
    return std::tie(padded_rows, inputs, outputs, x_type, y_type) <
           std::tie(other.padded_rows, other.inputs, other.outputs, other.x_type, other.y_type);
  }
};

template <typename T, typename Y>
ShapeKey KeyOf(const ProductArgs<T, Y>& args) {
  return {PaddedProductRows(args.rows), args.inputs, args.outputs, kType<T>, kType<Y>};
}

// The first error of a sequence of calls.
class Calls {
 public:
  void operator()(cublasStatus_t status, const char* what) {
    if (status_.ok()) status_ = ToStatus(status, what);
  }
  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

}  // namespace

struct DenseProduct::Native {
  struct Plan {
    cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
    cublasLtMatmulAlgo_t algorithm;
  };

  ~Native() {
    for (auto& [key, plan] : plans) DestroyLayouts(plan);
    if (operation != nullptr) lt.MatmulDescDestroy(operation);
    if (preference != nullptr) lt.MatmulPreferenceDestroy(preference);
    if (handle != nullptr) lt.Destroy(handle);
  }

  void DestroyLayouts(const Plan& plan) const {
    for (cublasLtMatrixLayout_t layout : {plan.w, plan.x, plan.y}) {
      if (layout != nullptr) lt.MatrixLayoutDestroy(layout);
    }
  }

  absl::Status Start() {
    Calls calls;
    calls(lt.Create(&handle), "creating a handle");
    M3_RETURN_IF_ERROR(calls.status());
    calls(lt.MatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
    M3_RETURN_IF_ERROR(calls.status());
    const cublasOperation_t transposed = CUBLAS_OP_T;
    calls(lt.MatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                    sizeof(transposed)),
          "transposing the weights");
    calls(lt.MatmulPreferenceCreate(&preference), "creating a preference");
    M3_RETURN_IF_ERROR(calls.status());
    const uint64_t bytes = kProductWorkspaceBytes;
    calls(lt.MatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                          &bytes, sizeof(bytes)),
          "limiting the workspace");
    return calls.status();
  }

  absl::StatusOr<const Plan*> PlanOf(const ShapeKey& key) {
    const auto found = plans.find(key);
    if (found != plans.end()) return &found->second;
    Plan plan;
    Calls calls;
    calls(lt.MatrixLayoutCreate(&plan.w, key.x_type, key.inputs, key.outputs, key.inputs),
          "describing the weights");
    calls(lt.MatrixLayoutCreate(&plan.x, key.x_type, key.inputs, key.padded_rows, key.inputs),
          "describing the input");
    calls(lt.MatrixLayoutCreate(&plan.y, key.y_type, key.outputs, key.padded_rows, key.outputs),
          "describing the output");
    cublasLtMatmulHeuristicResult_t result = {};
    int found_algorithms = 0;
    if (calls.status().ok()) {
      calls(lt.MatmulAlgoGetHeuristic(handle, operation, plan.w, plan.x, plan.y, plan.y, preference,
                                      1, &result, &found_algorithms),
            absl::StrCat("choosing an algorithm for ", key.padded_rows, " rows of ", key.inputs,
                         " inputs and ", key.outputs, " outputs")
                .c_str());
    }
    if (!calls.status().ok() || found_algorithms == 0) {
      DestroyLayouts(plan);
      M3_RETURN_IF_ERROR(calls.status());
      return absl::UnimplementedError(absl::StrCat("cuBLASLt has no algorithm for ",
                                                   key.padded_rows, " rows of ", key.inputs,
                                                   " inputs and ", key.outputs, " outputs"));
    }
    plan.algorithm = result.algo;
    return &plans.emplace(key, plan).first->second;
  }

  CublasLt lt;
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  Buffer workspace;
  std::map<ShapeKey, Plan> plans;
};

DenseProduct::DenseProduct(std::unique_ptr<Native> native) : native_(std::move(native)) {}
DenseProduct::DenseProduct(DenseProduct&&) noexcept = default;
DenseProduct& DenseProduct::operator=(DenseProduct&&) noexcept = default;
DenseProduct::~DenseProduct() = default;

absl::StatusOr<DenseProduct> DenseProduct::Create() {
  auto native = std::make_unique<Native>();
  M3_ASSIGN_OR_RETURN(native->lt, LoadCublasLt());
  M3_ASSIGN_OR_RETURN(native->workspace,
                      Buffer::Allocate(Buffer::Kind::kDevice, kProductWorkspaceBytes));
  M3_RETURN_IF_ERROR(native->Start());
  return DenseProduct(std::move(native));
}

template <typename T, typename Y>
absl::Status DenseProduct::Prepare(const ProductArgs<T, Y>& args) {
  return native_->PlanOf(KeyOf(args)).status();
}

template <typename T, typename Y>
void DenseProduct::Multiply(Stream& stream, const ProductArgs<T, Y>& args) {
  if (args.rows == 0) return;
  Stream::Native& on = stream.native();
  const absl::StatusOr<const Native::Plan*> plan = native_->PlanOf(KeyOf(args));
  if (!plan.ok()) {
    if (on.status.ok()) on.status = plan.status();
    return;
  }
  const float one = 1, before = args.accumulate ? 1 : 0;
  const cublasStatus_t status = native_->lt.Matmul(
      native_->handle, native_->operation, &one, args.w, (*plan)->w, args.x, (*plan)->x, &before,
      args.y, (*plan)->y, args.y, (*plan)->y, &(*plan)->algorithm, native_->workspace.data(),
      kProductWorkspaceBytes, on.stream);
  if (on.status.ok()) on.status = ToStatus(status, "multiplying");
}

template absl::Status DenseProduct::Prepare(const ProductArgs<float, float>&);
template absl::Status DenseProduct::Prepare(const ProductArgs<BFloat16, BFloat16>&);
template absl::Status DenseProduct::Prepare(const ProductArgs<BFloat16, float>&);
template void DenseProduct::Multiply(Stream&, const ProductArgs<float, float>&);
template void DenseProduct::Multiply(Stream&, const ProductArgs<BFloat16, BFloat16>&);
template void DenseProduct::Multiply(Stream&, const ProductArgs<BFloat16, float>&);

}  // namespace memory3::cuda
