// Causal attention of a batch over the paged KV cache, shared out to the threads.
//
// A step's rows are cut into items: up to kQueryBlock queries (rows x the query heads of one KV
// head) of one sequence. Threads take items from a counter, the most expensive first, so that they
// finish together although later rows of a prompt see more keys. Who computes an item does not
// change a bit of it.
//
//   attention.Plan(batch, &cache, &memory);                // once per step
//   for each layer: attention.Run(layer, qkv, angles, out);
//
// A row folds one part of its keys after the other into one running softmax (paper, eq. 4): the
// reference prefix, the memories of its chunk in the order given (up to kFoldTiles tiles a step),
// then its context in steps that begin at multiples of kFoldTokens. What a row sees is decided row
// by row, so the chunks of one prompt, and sequences with and without memory, share a launch.
#ifndef MEMORY3_ENGINE_CPU_ATTENTION_H_
#define MEMORY3_ENGINE_CPU_ATTENTION_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/base/aligned_buffer.h"
#include "engine/base/thread_pool.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/memory_tiles.h"
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
  // The pool and kernels must outlive it. Caches given to Plan have this shape but for the layers
  // and blocks.
  CpuAttention(const Limits& limits, const CpuKernels& kernels, ThreadPool* pool,
               const KvShape& shape);

  // Prepares the step of `batch`, which with the caches must stay valid until its last Run. Rows
  // are numbered through the sequences in order. `memory` may be null when no sequence uses memory.
  // Allocates nothing.
  void Plan(const Batch& batch, KvCache* cache, const MemoryTiles* memory);

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
  // Tiles that are folded together.
  struct TileRun {
    KeyValueTile tiles[kFoldTiles];
    int count = 0;
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
  void FoldMemories(const LayerInput& input, const Item& item, Scratch& scratch);
  void FoldContext(const LayerInput& input, const Item& item, Scratch& scratch);
  // Folds all that was added to the run, seen by `queries` of the item, and empties it.
  void FoldRun(const Item& item, const Range& queries, TileRun& run, Scratch& scratch);
  // Adds the first `tokens` tokens of a block of another cache to the run, which is folded whenever
  // it is full.
  void AddBlock(const KvCache& cache, int layer, int block, int tokens, const Item& item,
                const Range& queries, TileRun& run, Scratch& scratch);

  const int heads_;
  const int group_;  // query heads per KV head
  const CpuKernels& kernels_;
  ThreadPool& pool_;
  const KvShape shape_;
  KvCache* cache_ = nullptr;             // of the step
  const MemoryTiles* memory_ = nullptr;  // of the step
  std::vector<Scratch> scratch_;         // one per thread
  std::vector<Sequence> sequences_;
  std::vector<Item> items_;
  // Every (sequence, KV head) is one item: its keys and values are stored by the thread that
  // attends to them, without a barrier between.
  bool one_item_per_head_ = true;
  std::atomic<int64_t> next_{0};
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_ATTENTION_H_
