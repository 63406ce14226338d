// Keys and values of explicit memory where the attention kernels read them: the reference prefix in
// every layer, and the memory slots in the memory layers. Laid out in tiles like the KV cache, and
// like its context they are runs folded into a row's running softmax.
//
// Thread safety: Fill and writes to prefix() must not run beside attention.
#ifndef MEMORY3_ENGINE_CPU_MEMORY_TILES_H_
#define MEMORY3_ENGINE_CPU_MEMORY_TILES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/cpu/kv_cache.h"
#include "engine/model/memory_config.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

class MemoryTiles {
 public:
  // `shape`: of the memories taken; `layers`: the memory layers among `cache.layers`; `cache`: the
  // runner's KV cache, whose dtype the tiles have.
  MemoryTiles(const KvShape& cache, const MemoryShape& shape, const std::vector<int>& layers,
              int prefix_tokens, int slots);

  static int64_t EstimateBytes(const KvShape& cache, const MemoryShape& shape, int prefix_tokens,
                               int slots);

  // One block that holds the prefix: written once, by a pass of the prefix through the model.
  KvCache& prefix() { return prefix_; }
  const KvCache& prefix() const { return prefix_; }
  int prefix_tokens() const { return prefix_tokens_; }

  // Overwrites a slot. The tensor has the shape given at construction. Allocates nothing.
  void Fill(MemorySlot slot, const MemoryTensor& memory);
  int slots() const { return slots_.blocks(); }
  // Tokens of the memory in each slot; 0 until it is filled.
  absl::Span<const int32_t> slot_tokens() const { return slot_tokens_; }
  int32_t slot_tokens(MemorySlot slot) const { return slot_tokens_[slot]; }

  // Slots as blocks of a cache whose layers are the memory layers in order.
  const KvCache& slot_cache() const { return slots_; }
  // Index of a model layer among the memory layers, or -1.
  int memory_layer(int layer) const { return memory_layer_[layer]; }

 private:
  const MemoryShape shape_;
  const int prefix_tokens_;
  KvCache prefix_;
  KvCache slots_;
  std::vector<int> memory_layer_;
  std::vector<int32_t> slot_tokens_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_MEMORY_TILES_H_
