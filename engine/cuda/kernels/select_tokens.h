// The write path's own work (paper, 3.3): which tokens of a reference are kept in each KV head, and
// their keys and values gathered into a memory's record.
//
// A token weighs what the reference's own tokens attend to it, w_j = sum over queries i and query
// heads of the KV head's group of softmax_j(q_i k_j / sqrt(head_dim)), or of the plain
// exponentials; q and k before RoPE, without a causal mask.
//
// Sums of softmaxes of bf16 heads run on tensor cores where attention's do (attention.h), for
// references of up to 128 tokens; queries and keys are rounded to bf16 after the bias.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SELECT_TOKENS_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SELECT_TOKENS_H_

#include <cstdint>
#include <vector>

#include "engine/cuda/kernels/step_tables.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/model/memory_config.h"

namespace memory3::cuda {

// Of a reference, at most: weights of all tokens lie in shared memory.
inline constexpr int32_t kMaxSelectTokens = 1024;

// The rows of the batch that are one reference's tokens.
struct ReferenceRows {
  int32_t first_row = 0;
  int32_t tokens = 0;
};

template <typename T>
struct SelectTokensArgs {
  AttentionShape shape;
  const T* qkv = nullptr;                     // (rows, (heads + 2 kv_heads) * head_dim) before RoPE
  const T* bias = nullptr;                    // as long as a row of qkv; null: none
  const ReferenceRows* references = nullptr;  // (reference_count)
  int32_t reference_count = 0;
  int32_t max_tokens = 0;  // bounds those of every reference; at most kMaxSelectTokens
  TokenSelection rule = TokenSelection::kSoftmaxSum;
  int32_t kept_tokens = 0;
  // (reference_count, kv_heads, kept_tokens): the heaviest tokens in ascending order, of equal ones
  // the lower; -1 from min(kept_tokens, tokens) on.
  int32_t* kept = nullptr;
};

template <typename T>
void SelectTokens(Stream& stream, const SelectTokensArgs<T>& args);

// One layer of the references' records.
template <typename T, typename Record>
struct GatherMemoryArgs {
  AttentionShape shape;
  const int32_t* kept = nullptr;  // as SelectTokens leaves it
  int32_t reference_count = 0;
  int32_t kept_tokens = 0;
  PagedLayer<T> cache;  // token t of reference r is token t of row r of the block tables
  // Record r begins at records + r * record_stride: (2, kv_heads, kept_tokens, head_dim), keys then
  // values, zeros where kept has no token.
  Record* records = nullptr;
  int64_t record_stride = 0;  // elements
};

template <typename T, typename Record>
void GatherMemory(Stream& stream, const GatherMemoryArgs<T, Record>& args);

namespace twin {

// The same in plain loops; all pointers are host memory.
template <typename T>
void SelectTokens(const SelectTokensArgs<T>& args);
template <typename T, typename Record>
void GatherMemory(const GatherMemoryArgs<T, Record>& args);

// Logarithms of the weights of a reference's tokens in one KV head.
template <typename T>
std::vector<double> LogWeights(const SelectTokensArgs<T>& args, const ReferenceRows& reference,
                               int32_t kv_head);

}  // namespace twin
}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SELECT_TOKENS_H_
