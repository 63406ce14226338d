// Explicit memory on the device: the reference prefix of every layer and the memory slots.
//
// Fill copies a record through pinned memory on a stream of its own while steps run; a step waits
// for the copies of the slots it names and for no others. A copy into a slot that the step launched
// last may still read waits for that step.
#ifndef MEMORY3_ENGINE_CUDA_DEVICE_MEMORIES_H_
#define MEMORY3_ENGINE_CUDA_DEVICE_MEMORIES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/cuda/kernels/step_tables.h"
#include "engine/cuda/kv_cache.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/runner/batch.h"
#include "engine/runner/memory_tensor.h"
#include "engine/runner/runner.h"

namespace memory3::cuda {

struct MemoriesShape {
  MemoryShape record;       // of the memories taken; device memory has the model's type
  std::vector<int> layers;  // the memory layers among the model's
  int model_layers = 0;
  int prefix_tokens = 0;
  int slots = 0;
};

// Records on their way to the device at once. More wait for the first of them.
inline constexpr int kMaxFillsInFlight = 64;
// Steps that may be enqueued and not yet have run.
inline constexpr uint64_t kMaxStepsInFlight = kMaxStepsStarted;

template <typename T>
class DeviceMemories {
 public:
  static int64_t DeviceBytes(const MemoriesShape& shape);
  static int64_t PinnedBytes(const MemoriesShape& shape);
  static absl::StatusOr<DeviceMemories> Create(const MemoriesShape& shape);

  // The prefix's keys and values, from the first blocks of a cache.
  void SetPrefix(Stream& stream, const KvCache<T>& cache);

  // Overwrites a slot with a memory of the record's shape, which is copied from before Fill
  // returns.
  absl::Status Fill(MemorySlot slot, const MemoryTensor& memory);

  // Before a step is enqueued on `stream`: it waits for the fills of the slots that `batch` names.
  void BeginStep(Stream& stream, const Batch& batch);
  // After: marks the end of the step.
  void EndStep(Stream& stream);

  // Tokens of the memory in each slot; 0 until it is filled.
  absl::Span<const int32_t> slot_tokens() const { return slot_tokens_; }
  // Index of a model layer among the memory layers, or -1.
  int memory_layer(int layer) const { return memory_layer_[layer]; }
  // What attention of a model layer sees, without the sets.
  MemoryLayer<T> layer(int index) const;

 private:
  // One record in pinned memory.
  struct Staging {
    Event copied;
    T* record = nullptr;
    int32_t* tokens = nullptr;
  };
  struct SlotUse {
    int staging = -1;        // whose copy the next step must wait for; -1: none
    uint64_t last_step = 0;  // that read the slot
  };

  DeviceMemories(const MemoriesShape& shape, Stream copies, Event step_done);

  MemoriesShape shape_;
  std::vector<int> memory_layer_;
  Buffer device_, pinned_;
  T* prefix_ = nullptr;  // (model_layers, 2, kv_heads, prefix_tokens, head_dim)
  T* slots_ = nullptr;   // (slots, record)
  int32_t* device_slot_tokens_ = nullptr;
  std::vector<Staging> stagings_;
  size_t next_ = 0;
  std::vector<SlotUse> uses_;  // by slot
  std::vector<int32_t> slot_tokens_;
  Stream copies_;
  Event step_done_;  // of the last step
  uint64_t step_ = 0;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_DEVICE_MEMORIES_H_
