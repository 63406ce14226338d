#include "engine/cuda/cublaslt_library.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace memory3::cuda {
namespace {

template <typename Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

absl::StatusOr<CublasLt> LoadCublasLt() {
  // The version whose headers this was built with: structures changed between major versions.
  const std::string name = absl::StrCat("libcublasLt.so.", CUDART_VERSION / 1000);
  void* const library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays loaded
  if (library == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("cuBLASLt cannot be loaded: ", dlerror()));
  }
  CublasLt api;
  const bool complete =
      Find(library, "cublasLtCreate", api.Create) &&
      Find(library, "cublasLtDestroy", api.Destroy) &&
      Find(library, "cublasLtMatmul", api.Matmul) &&
      Find(library, "cublasLtMatmulDescCreate", api.MatmulDescCreate) &&
      Find(library, "cublasLtMatmulDescDestroy", api.MatmulDescDestroy) &&
      Find(library, "cublasLtMatmulDescSetAttribute", api.MatmulDescSetAttribute) &&
      Find(library, "cublasLtMatrixLayoutCreate", api.MatrixLayoutCreate) &&
      Find(library, "cublasLtMatrixLayoutDestroy", api.MatrixLayoutDestroy) &&
      Find(library, "cublasLtMatmulPreferenceCreate", api.MatmulPreferenceCreate) &&
      Find(library, "cublasLtMatmulPreferenceDestroy", api.MatmulPreferenceDestroy) &&
      Find(library, "cublasLtMatmulPreferenceSetAttribute", api.MatmulPreferenceSetAttribute) &&
      Find(library, "cublasLtMatmulAlgoGetHeuristic", api.MatmulAlgoGetHeuristic);
  if (complete) return api;
  return absl::FailedPreconditionError(absl::StrCat(name, " lacks a function: ", dlerror()));
}

absl::Status ToStatus(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("cuBLASLt: ", what, ": status ", static_cast<int>(status)));
}

}  // namespace memory3::cuda
