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

// The version whose headers this was built with, else the other of 12 and 13: what is used of them,
// functions, structures and numbers, is the same in both.
void* OpenCublasLt(std::string& name, std::string& errors) {
  constexpr int kBuiltWith = CUDART_VERSION / 1000;
  for (const int version : {kBuiltWith, kBuiltWith == 12 ? 13 : 12}) {
    name = absl::StrCat("libcublasLt.so.", version);
    void* const library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays loaded
    if (library != nullptr) return library;
    absl::StrAppend(&errors, errors.empty() ? "" : "; ", dlerror());
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<CublasLt> LoadCublasLt() {
  std::string name;
  std::string errors;
  void* const library = OpenCublasLt(name, errors);
  if (library == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("cuBLASLt cannot be loaded: ", errors));
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
