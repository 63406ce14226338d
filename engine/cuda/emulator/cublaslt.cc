// The functions of cuBLASLt that this project calls, on the emulated device: column-major products
// in plain loops, with the library's own rules about pointers and shapes.
#include <cublasLt.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/base/bfloat16.h"
#include "engine/cuda/emulator/enqueue.h"

struct cublasLtContext {};

namespace {

using memory3::FromBfloat16;
using memory3::ToBfloat16;

// What the library's opaque structures hold here.
struct Description {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  cublasOperation_t transpose_a;
};
struct Layout {
  cudaDataType_t type;
  uint64_t rows;
  uint64_t columns;
  int64_t stride;
};
struct Preference {
  uint64_t workspace_bytes;
};
constexpr uint64_t kChosen = 0x6D33;  // marks an algorithm as one that the heuristic gave

// Products of more multiplications, which measure how fast a device is, would take hours: their
// results are NaN.
constexpr double kMostMultiplications = 2e10;

constexpr int kAlignment = 16;  // of pointers; with less the library has few algorithms

int64_t ElementBytes(cudaDataType_t type) { return type == CUDA_R_32F ? 4 : 2; }

bool IsKnown(const Layout& layout) {
  return (layout.type == CUDA_R_32F || layout.type == CUDA_R_16BF) && layout.rows > 0 &&
         layout.columns > 0 && layout.stride >= static_cast<int64_t>(layout.rows);
}

// Of D = op(A) B + C: A (inputs, outputs) transposed, B (inputs, rows), C and D (outputs, rows).
bool Fit(const Description& description, const Layout& a, const Layout& b, const Layout& c,
         const Layout& d) {
  return IsKnown(a) && IsKnown(b) && IsKnown(c) && IsKnown(d) &&
         description.transpose_a == CUBLAS_OP_T && description.compute == CUBLAS_COMPUTE_32F &&
         description.scale == CUDA_R_32F && a.type == b.type && c.type == d.type &&
         (d.type == a.type || d.type == CUDA_R_32F) && a.rows == b.rows && d.rows == a.columns &&
         d.columns == b.columns && c.rows == d.rows && c.columns == d.columns;
}

bool Reaches(const void* data, const Layout& layout) {
  const int64_t elements =
      layout.stride * static_cast<int64_t>(layout.columns - 1) + static_cast<int64_t>(layout.rows);
  return reinterpret_cast<uintptr_t>(data) % kAlignment == 0 &&
         memory3::cuda::emulator::IsDeviceMemory(data, elements * ElementBytes(layout.type));
}

float Get(const void* data, const Layout& layout, int64_t row, int64_t column) {
  const int64_t at = column * layout.stride + row;
  if (layout.type == CUDA_R_32F) return static_cast<const float*>(data)[at];
  return FromBfloat16(static_cast<const uint16_t*>(data)[at]);
}
void Set(void* data, const Layout& layout, int64_t row, int64_t column, float value) {
  const int64_t at = column * layout.stride + row;
  if (layout.type == CUDA_R_32F) {
    static_cast<float*>(data)[at] = value;
  } else {
    static_cast<uint16_t*>(data)[at] = ToBfloat16(value);
  }
}

std::vector<float> ColumnsOf(const void* data, const Layout& layout) {
  std::vector<float> values(layout.rows * layout.columns);
  for (uint64_t column = 0; column < layout.columns; ++column) {
    for (uint64_t row = 0; row < layout.rows; ++row) {
      values[column * layout.rows + row] =
          Get(data, layout, static_cast<int64_t>(row), static_cast<int64_t>(column));
    }
  }
  return values;
}

float Dot(const float* a, const float* b, uint64_t size) {
  float sum = 0;
  for (uint64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

template <typename T>
const T& As(const void* opaque) {
  return *static_cast<const T*>(opaque);
}

template <typename Structure>
void Make(Structure** handle, const auto& content) {
  static_assert(sizeof(content) <= sizeof(Structure));
  *handle = new Structure();
  std::memcpy(*handle, &content, sizeof(content));
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* handle, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  Make(handle, Description{compute, scale, CUBLAS_OP_N});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  auto& description = *reinterpret_cast<Description*>(handle);
  if (attribute != CUBLASLT_MATMUL_DESC_TRANSA || bytes != sizeof(description.transpose_a)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::memcpy(&description.transpose_a, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* handle, cudaDataType type,
                                          uint64_t rows, uint64_t columns, int64_t stride) {
  Make(handle, Layout{type, rows, columns, stride});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* handle) {
  Make(handle, Preference{0});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  auto& preference = *reinterpret_cast<Preference*>(handle);
  if (attribute != CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES || bytes != sizeof(uint64_t)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::memcpy(&preference.workspace_bytes, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t /*handle*/,
                                              cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* found) {
  *found = 0;
  if (requested < 1) return CUBLAS_STATUS_INVALID_VALUE;
  if (!Fit(As<Description>(description), As<Layout>(a), As<Layout>(b), As<Layout>(c),
           As<Layout>(d))) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  results[0] = {};
  results[0].algo.data[0] = kChosen;
  results[0].workspaceSize = As<Preference>(preference).workspace_bytes;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t description,
                              const void* alpha, const void* a, cublasLtMatrixLayout_t a_layout,
                              const void* b, cublasLtMatrixLayout_t b_layout, const void* beta,
                              const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  const Layout la = As<Layout>(a_layout);
  const Layout lb = As<Layout>(b_layout);
  const Layout lc = As<Layout>(c_layout);
  const Layout ld = As<Layout>(d_layout);
  if (!Fit(As<Description>(description), la, lb, lc, ld) || algorithm == nullptr ||
      algorithm->data[0] != kChosen || !Reaches(a, la) || !Reaches(b, lb) || !Reaches(c, lc) ||
      !Reaches(d, ld) ||
      !memory3::cuda::emulator::IsDeviceMemory(workspace, static_cast<int64_t>(workspace_bytes))) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const float factor = As<float>(alpha);
  const float before = As<float>(beta);
  const bool too_many = static_cast<double>(la.rows) * static_cast<double>(la.columns) *
                            static_cast<double>(lb.columns) >
                        kMostMultiplications;
  const auto multiply = [=] {
    if (too_many) {
      for (uint64_t column = 0; column < ld.columns; ++column) {
        std::memset(static_cast<char*>(d) +
                        static_cast<int64_t>(column) * ld.stride * ElementBytes(ld.type),
                    0xFF, ld.rows * ElementBytes(ld.type));
      }
      return;
    }
    const std::vector<float> left = ColumnsOf(a, la);
    const std::vector<float> right = ColumnsOf(b, lb);
    for (uint64_t column = 0; column < ld.columns; ++column) {
      for (uint64_t row = 0; row < ld.rows; ++row) {
        float value =
            factor * Dot(left.data() + row * la.rows, right.data() + column * lb.rows, la.rows);
        const auto at_row = static_cast<int64_t>(row);
        const auto at_column = static_cast<int64_t>(column);
        // What was there is not read when its factor is 0: it may be NaN.
        if (before != 0) value += before * Get(c, lc, at_row, at_column);
        Set(d, ld, at_row, at_column, value);
      }
    }
  };
  return memory3::cuda::emulator::Enqueue(stream, multiply) ? CUBLAS_STATUS_SUCCESS
                                                            : CUBLAS_STATUS_INVALID_VALUE;
}

}  // extern "C"
#pragma GCC visibility pop
