// The activations of one step in device memory: allocated once, for the largest step.
#ifndef MEMORY3_ENGINE_CUDA_WORKSPACE_H_
#define MEMORY3_ENGINE_CUDA_WORKSPACE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/arena.h"
#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/model/model_config.h"

namespace memory3::cuda {

struct WorkspaceShape {
  int rows = 0;         // of a step, padded as products need it
  int logit_rows = 0;   // whose logits are computed at once, padded
  int decode_rows = 0;  // that go through decode attention at once
  int max_context = 0;
};

template <typename T>
struct Workspace {
  static int64_t Bytes(const ModelConfig& config, const WorkspaceShape& shape) {
    Arena arena(nullptr);
    Workspace().Arrange(config, shape, arena);
    return arena.used();
  }
  static absl::StatusOr<Workspace> Create(const ModelConfig& config, const WorkspaceShape& shape,
                                          Stream& stream) {
    Workspace work;
    M3_ASSIGN_OR_RETURN(work.memory, Buffer::Allocate(Buffer::Kind::kDevice, Bytes(config, shape)));
    Arena arena(work.memory.data());
    work.Arrange(config, shape, arena);
    // Decode attention counts on it.
    stream.Fill(work.decode_scratch, 0, ScratchFloats(config, shape) * sizeof(float));
    return work;
  }

  Buffer memory;
  WorkspaceShape shape;
  float* residual = nullptr;        // (rows, hidden)
  T* normed = nullptr;              // (rows, hidden)
  T* qkv = nullptr;                 // (rows, q_width + 2 kv_width)
  T* queries = nullptr;             // (rows, q_width)
  T* attention = nullptr;           // (rows, q_width)
  T* gate_up = nullptr;             // (rows, 2 mlp)
  T* activated = nullptr;           // (rows, mlp)
  T* normed_logit_rows = nullptr;   // (logit_rows, hidden)
  float* logits = nullptr;          // (logit_rows, vocab)
  float* decode_scratch = nullptr;  // DecodeScratchFloats

 private:
  static int64_t ScratchFloats(const ModelConfig& config, const WorkspaceShape& shape) {
    return DecodeScratchFloats({config.heads, config.kv_heads, config.head_dim}, shape.decode_rows,
                               shape.max_context);
  }
  void Arrange(const ModelConfig& config, const WorkspaceShape& new_shape, Arena& arena) {
    shape = new_shape;
    const int64_t rows = shape.rows;
    residual = arena.Take<float>(rows * config.hidden);
    normed = arena.Take<T>(rows * config.hidden);
    qkv = arena.Take<T>(rows * (config.q_width() + 2 * config.kv_width()));
    queries = arena.Take<T>(rows * config.q_width());
    attention = arena.Take<T>(rows * config.q_width());
    gate_up = arena.Take<T>(rows * 2 * config.mlp);
    activated = arena.Take<T>(rows * config.mlp);
    normed_logit_rows = arena.Take<T>(int64_t{shape.logit_rows} * config.hidden);
    logits = arena.Take<float>(int64_t{shape.logit_rows} * config.vocab);
    decode_scratch = arena.Take<float>(ScratchFloats(config, shape));
  }
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_WORKSPACE_H_
