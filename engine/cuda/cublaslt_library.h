// cuBLASLt, loaded at run time: it exists as a shared library only, and a program linked to it
// would not even start where it is missing.
#ifndef MEMORY3_ENGINE_CUDA_CUBLASLT_LIBRARY_H_
#define MEMORY3_ENGINE_CUDA_CUBLASLT_LIBRARY_H_

#include <cublasLt.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace memory3::cuda {

// The functions used, by their names without the prefix. Valid as long as the process lives.
struct CublasLt {
  decltype(&cublasLtCreate) Create;
  decltype(&cublasLtDestroy) Destroy;
  decltype(&cublasLtMatmul) Matmul;
  decltype(&cublasLtMatmulDescCreate) MatmulDescCreate;
  decltype(&cublasLtMatmulDescDestroy) MatmulDescDestroy;
  decltype(&cublasLtMatmulDescSetAttribute) MatmulDescSetAttribute;
  decltype(&cublasLtMatrixLayoutCreate) MatrixLayoutCreate;
  decltype(&cublasLtMatrixLayoutDestroy) MatrixLayoutDestroy;
  decltype(&cublasLtMatmulPreferenceCreate) MatmulPreferenceCreate;
  decltype(&cublasLtMatmulPreferenceDestroy) MatmulPreferenceDestroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) MatmulPreferenceSetAttribute;
  decltype(&cublasLtMatmulAlgoGetHeuristic) MatmulAlgoGetHeuristic;
};

// FailedPrecondition, with the loader's words, where neither the library of CUDA 13 nor that of 12
// can be loaded; that of this build's version is preferred.
absl::StatusOr<CublasLt> LoadCublasLt();

// "cuBLASLt: <what>: status <number>".
absl::Status ToStatus(cublasStatus_t status, const char* what);

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_CUBLASLT_LIBRARY_H_
