// A random step for attention kernels: paged contexts in shuffled blocks, a prefix, slots with some
// places empty, sets, rows. What no row sees is NaN, and blocks that no row sees do not exist, so
// that a kernel which looks there is caught.
#ifndef MEMORY3_TESTS_UNIT_CUDA_ATTENTION_CASE_H_
#define MEMORY3_TESTS_UNIT_CUDA_ATTENTION_CASE_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "engine/cuda/kernels/attention.h"
#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {

struct CaseRow {
  int sequence = -1;
  int visible = 0;
  int set = -1;
};

struct CaseShape {
  AttentionShape heads;
  int block_tokens = 16;
  int prefix_tokens = 0;
  bool memory_layer = true;  // false: the prefix alone
  int memories_per_chunk = 0;
  int kept_tokens = 0;
  int sets = 1;  // of random slots; the first one is empty when there are several
};

template <typename T>
class AttentionCase {
 public:
  AttentionCase(const CaseShape& case_shape, const std::vector<CaseRow>& case_rows, uint64_t seed)
      : shape(case_shape),
        rows(case_rows),
        random(seed),
        contexts(ContextsOf(case_rows)),
        blocks(BlocksOf()),
        slots(std::max(1, 2 * shape.memories_per_chunk)),
        slot_stride(2 * shape.heads.kv_heads * shape.kept_tokens * shape.heads.head_dim + 32),
        queries(QueryElements()),
        out(QueryElements()),
        keys(CacheElements(), Nan()),
        values(CacheElements(), Nan()),
        block_tables(std::ssize(contexts) * max_blocks, kNoBlock),
        prefix_keys(PrefixElements()),
        prefix_values(PrefixElements()),
        memories(slots * slot_stride, Nan()),
        slot_tokens(slots),
        set_slots(int64_t{shape.sets} * std::max(1, shape.memories_per_chunk), -1),
        sequence(std::ssize(rows)),
        visible(std::ssize(rows)),
        memory_set(std::ssize(rows)) {
    // Larger than usual scores: one key may outweigh the rest.
    FillNormal(random, queries, 2.0f);
    FillNormal(random, prefix_keys);
    FillNormal(random, prefix_values);
    FillContexts();
    FillSlots();
    FillSets();
    for (size_t i = 0; i < rows.size(); ++i) {
      sequence.host[i] = rows[i].sequence;
      visible.host[i] = rows[i].visible;
      memory_set.host[i] = rows[i].set;
    }
    sequence.Upload();
    visible.Upload();
    memory_set.Upload();
  }

  AttentionArgs<T> DeviceArgs() const {
    return Args([](const auto& array) { return array.device(); });
  }
  AttentionArgs<T> HostArgs() {
    return Args([](auto& array) { return array.host.data(); });
  }

  // Of the row's output.
  int64_t row_elements() const { return int64_t{shape.heads.heads} * shape.heads.head_dim; }
  int max_context() const { return *std::max_element(contexts.begin(), contexts.end()); }

  const CaseShape shape;
  const std::vector<CaseRow> rows;
  std::mt19937_64 random;
  std::vector<int> contexts;  // tokens that any row sees of each sequence
  int max_blocks = 1;
  int blocks;
  int slots;
  int64_t slot_stride;
  TestArray<T> queries;
  mutable TestArray<T> out;
  TestArray<T> keys, values;
  TestArray<int32_t> block_tables;
  TestArray<T> prefix_keys, prefix_values, memories;
  TestArray<int32_t> slot_tokens, set_slots, sequence, visible, memory_set;

 private:
  static constexpr int32_t kNoBlock = std::numeric_limits<int32_t>::min() / 2;

  static T Nan() { return FromFloat<T>(std::numeric_limits<float>::quiet_NaN()); }

  static std::vector<int> ContextsOf(const std::vector<CaseRow>& rows) {
    std::vector<int> contexts(1, 0);
    for (const CaseRow& row : rows) {
      if (row.sequence >= std::ssize(contexts)) contexts.resize(row.sequence + 1, 0);
      if (row.sequence < 0) continue;
      contexts[row.sequence] = std::max(contexts[row.sequence], row.visible);
    }
    return contexts;
  }
  int BlocksOf() {
    int total = 0;
    for (const int context : contexts) {
      const int count = (context + shape.block_tokens - 1) / shape.block_tokens;
      max_blocks = std::max(max_blocks, count + Uniform(random, 0, 2));
      total += count;
    }
    return total + 3;
  }
  int64_t QueryElements() const { return std::ssize(rows) * row_elements(); }
  int64_t CacheElements() const {
    return int64_t{blocks} * shape.heads.kv_heads * shape.block_tokens * shape.heads.head_dim;
  }
  int64_t PrefixElements() const {
    return int64_t{shape.heads.kv_heads} * shape.prefix_tokens * shape.heads.head_dim;
  }

  void FillHead(std::vector<T>& to, int64_t at) {
    std::normal_distribution<float> normal;
    for (int d = 0; d < shape.heads.head_dim; ++d) to[at + d] = FromFloat<T>(normal(random));
  }

  void FillContexts() {
    std::vector<int32_t> order(blocks);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    const int64_t dim = shape.heads.head_dim;
    for (size_t s = 0; s < contexts.size(); ++s) {
      for (int t = 0; t < contexts[s]; ++t) {
        int32_t& block = block_tables.host[s * max_blocks + t / shape.block_tokens];
        if (t % shape.block_tokens == 0) {
          block = order.back();
          order.pop_back();
        }
        for (int64_t h = 0; h < shape.heads.kv_heads; ++h) {
          const int64_t at = ((block * int64_t{shape.heads.kv_heads} + h) * shape.block_tokens +
                              t % shape.block_tokens) *
                             dim;
          FillHead(keys.host, at);
          FillHead(values.host, at);
        }
      }
    }
    keys.Upload();
    values.Upload();
    block_tables.Upload();
  }

  void FillSlots() {
    for (int64_t slot = 0; slot < slots; ++slot) {
      const int valid =
          Uniform(random, 0, 2) > 0 ? shape.kept_tokens : Uniform(random, 0, shape.kept_tokens);
      slot_tokens.host[slot] = valid;
      for (int64_t head = 0; head < 2 * shape.heads.kv_heads; ++head) {
        for (int64_t t = 0; t < valid; ++t) {
          FillHead(memories.host,
                   slot * slot_stride + (head * shape.kept_tokens + t) * shape.heads.head_dim);
        }
      }
    }
    memories.Upload();
    slot_tokens.Upload();
  }

  void FillSets() {
    for (int set = shape.sets > 1 ? 1 : 0; set < shape.sets; ++set) {
      const int count = Uniform(random, 0, shape.memories_per_chunk);
      for (int i = 0; i < count; ++i) {
        set_slots.host[set * shape.memories_per_chunk + i] = Uniform(random, 0, slots - 1);
      }
    }
    set_slots.Upload();
  }

  template <typename Pointer>
  AttentionArgs<T> Args(Pointer pointer) const {
    auto& self = const_cast<AttentionCase&>(*this);
    AttentionArgs<T> args;
    args.shape = shape.heads;
    args.queries = pointer(self.queries);
    args.out = pointer(self.out);
    args.rows.sequence = pointer(self.sequence);
    args.rows.visible = pointer(self.visible);
    args.rows.memory_set = pointer(self.memory_set);
    args.context = {.keys = pointer(self.keys),
                    .values = pointer(self.values),
                    .block_tokens = shape.block_tokens,
                    .block_tables = pointer(self.block_tables),
                    .max_blocks = max_blocks};
    args.memory.prefix_keys = pointer(self.prefix_keys);
    args.memory.prefix_values = pointer(self.prefix_values);
    args.memory.prefix_tokens = shape.prefix_tokens;
    if (!shape.memory_layer) return args;
    args.memory.slots = pointer(self.memories);
    args.memory.slot_stride = slot_stride;
    args.memory.kept_tokens = shape.kept_tokens;
    args.memory.slot_tokens = pointer(self.slot_tokens);
    args.memory.set_slots = pointer(self.set_slots);
    args.memory.memories_per_chunk = shape.memories_per_chunk;
    return args;
  }
};

inline CaseShape RandomCaseShape(std::mt19937_64& random, const AttentionShape& heads) {
  const int kBlockTokens[] = {16, 32, 64};
  return {.heads = heads,
          .block_tokens = kBlockTokens[Uniform(random, 0, 2)],
          .prefix_tokens = Uniform(random, 0, 7),
          .memory_layer = Uniform(random, 0, 3) > 0,
          .memories_per_chunk = Uniform(random, 1, 5),
          .kept_tokens = Uniform(random, 1, 9),
          .sets = Uniform(random, 1, 4)};
}

}  // namespace memory3::cuda

#endif  // MEMORY3_TESTS_UNIT_CUDA_ATTENTION_CASE_H_
