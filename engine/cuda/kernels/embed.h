// The first rows of the residual stream: embeddings of a step's tokens.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_EMBED_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_EMBED_H_

#include <cstdint>

#include "engine/cuda/kernels/step_tables.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

// What RowTables::token holds for a row whose token the device chose itself, in a step that the
// host enqueued before it knew (kSampledToken): entry `index` of EmbedArgs::sampled.
constexpr int32_t SampledTokenAt(int32_t index) { return -1 - index; }

template <typename T>
struct EmbedArgs {
  RowTables rows;                    // token, sequence; padding rows become zeros
  const T* table = nullptr;          // (vocab, hidden)
  const int32_t* sampled = nullptr;  // read by rows with SampledTokenAt; null when there are none
  float* residual = nullptr;         // (row_count, hidden)
  int32_t row_count = 0;
  int32_t hidden = 0;
};

template <typename T>
void Embed(Stream& stream, const EmbedArgs<T>& args);

namespace twin {

// The same in plain loops; all pointers are host memory.
template <typename T>
void Embed(const EmbedArgs<T>& args);

}  // namespace twin
}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_EMBED_H_
