// Causal attention of a batch over the paged KV cache, shared out to the threads.
//
// A step's rows are cut into items: up to kQueryBlock queries (rows x the query heads of one KV
// head) of one sequence. Threads take items from a counter, the most expensive first, so that they
// finish together although later rows of a prompt see more keys. Who computes an item does not
// change a bit of it.
//
//   attention.Plan(batch, first_rows);                     // once per step
//   for each layer: attention.Run(layer, qkv, angles, &cache, out);
//
// A row folds its keys in steps that begin at multiples of kFoldTokens of the context position. A
// state knows nothing of where keys come from: other parts of a softmax (a shared prefix, memory
// slots) are more runs folded into the same state.
#ifndef MEMORY3_ENGINE_CPU_ATTENTION_H_
#define MEMORY3_ENGINE_CPU_ATTENTION_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/base/aligned_buffer.h"
#include "engine/base/thread_pool.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/rope_angles.h"
#include "engine/runner/batch.h"

namespace memory3 {

class CpuAttention {
 public:
  struct Limits {
    int heads = 0;  // query heads
    int max_rows = 0;
    int max_sequences = 0;
  };
  // The pool, kernels and cache must outlive it.
  CpuAttention(const Limits& limits, const CpuKernels& kernels, ThreadPool* pool, KvCache* cache);

  // Prepares the step of `batch`, which must stay valid until its last Run. Rows are numbered
  // through the sequences in order. Allocates nothing.
  void Plan(const Batch& batch);

  // One layer: rotates keys and queries, stores keys and values in the cache, attends.
  //   qkv (rows, q_width + 2 kv_width): products of the layer, before RoPE;
  //   out (rows, q_width): the attention output, heads side by side.
  void Run(int layer, const float* qkv, const RopeAngles& angles, float* out);

 private:
  struct Sequence {
    const BatchSequence* batch;
    int64_t first_row;
  };
  // Queries [query_begin, query_begin + count) of the (rows, group) queries of one KV head.
  struct Item {
    int32_t sequence;
    int32_t kv_head;
    int32_t query_begin;
    int32_t count;
  };
  // What one thread needs for an item.
  struct Scratch {
    AlignedBuffer memory;
    float* head;  // one query, key or value head
    float* packed;
    AttentionState state;
  };
  struct LayerInput {
    int layer;
    const float* qkv;
    const RopeAngles* angles;
    float* out;
  };

  static Scratch MakeScratch(int head_dim);
  void StoreKeysAndValues(const LayerInput& input, const Sequence& sequence, int kv_head,
                          Scratch& scratch);
  void Attend(const LayerInput& input, const Item& item, Scratch& scratch);
  void FoldContext(const LayerInput& input, const Item& item, Scratch& scratch);

  const int heads_;
  const int group_;  // query heads per KV head
  const CpuKernels& kernels_;
  ThreadPool& pool_;
  KvCache& cache_;
  std::vector<Scratch> scratch_;  // one per thread
  std::vector<Sequence> sequences_;
  std::vector<Item> items_;
  // Every (sequence, KV head) is one item: its keys and values are stored by the thread that
  // attends to them, without a barrier between.
  bool one_item_per_head_ = true;
  std::atomic<int64_t> next_{0};
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_ATTENTION_H_
