// The paged KV cache in device memory: per layer keys and values (blocks, kv_heads, block_tokens,
// head_dim), one layer after the other.
#ifndef MEMORY3_ENGINE_CUDA_KV_CACHE_H_
#define MEMORY3_ENGINE_CUDA_KV_CACHE_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/kernels/step_tables.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/model/model_config.h"

namespace memory3::cuda {

struct KvShape {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int block_tokens = 0;
  int64_t head_elements() const { return int64_t{block_tokens} * head_dim; }
  // Of one block in one layer, keys alone.
  int64_t block_elements() const { return kv_heads * head_elements(); }
};

inline KvShape KvShapeOf(const ModelConfig& config, int layers, int block_tokens) {
  return {layers, config.kv_heads, config.head_dim, block_tokens};
}

template <typename T>
class KvCache {
 public:
  // Of all layers, keys and values.
  static int64_t BlockBytes(const KvShape& shape) {
    return 2 * shape.layers * shape.block_elements() * static_cast<int64_t>(sizeof(T));
  }

  static absl::StatusOr<KvCache> Create(const KvShape& shape, int blocks) {
    KvCache cache;
    cache.shape_ = shape;
    cache.blocks_ = blocks;
    M3_ASSIGN_OR_RETURN(cache.memory_,
                        Buffer::Allocate(Buffer::Kind::kDevice, BlockBytes(shape) * blocks));
    return cache;
  }

  // Without block tables.
  PagedLayer<T> layer(int index) const {
    const int64_t elements = shape_.block_elements() * blocks_;
    T* const keys = memory_.template data<T>() + 2 * index * elements;
    return {.keys = keys, .values = keys + elements, .block_tokens = shape_.block_tokens};
  }
  const KvShape& shape() const { return shape_; }
  int64_t bytes() const { return memory_.bytes(); }

 private:
  KvShape shape_;
  int blocks_ = 0;
  Buffer memory_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KV_CACHE_H_
