#include "engine/cuda/device_memories.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/base/bfloat16.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/arena.h"

namespace memory3::cuda {
namespace {

int64_t RecordElements(const MemoriesShape& shape) {
  return shape.record.layers * shape.record.layer_elements();
}

// Keys and values of the prefix in one layer.
int64_t PrefixElements(const MemoriesShape& shape) {
  return int64_t{2} * shape.record.kv_heads * shape.prefix_tokens * shape.record.head_dim;
}

int Stagings(const MemoriesShape& shape) { return std::min(shape.slots, kMaxFillsInFlight); }

// A record's elements as T.
template <typename T>
void ReadRecord(const MemoryTensor& memory, int64_t elements, T* to) {
  const uint8_t* const from = memory.bytes.data();
  if (memory.shape.dtype == (sizeof(T) == 4 ? DType::kF32 : DType::kBF16)) {
    std::memcpy(to, from, elements * sizeof(T));
  } else if (memory.shape.dtype == DType::kF32) {
    const auto* const floats = reinterpret_cast<const float*>(from);
    std::transform(floats, floats + elements, to, FromFloat<T>);
  } else {
    const auto* const words = reinterpret_cast<const uint16_t*>(from);
    std::transform(words, words + elements, to,
                   [](uint16_t word) { return FromFloat<T>(FromBfloat16(word)); });
  }
}

}  // namespace

template <typename T>
DeviceMemories<T>::DeviceMemories(const MemoriesShape& shape, Stream copies, Event step_done)
    : shape_(shape),
      memory_layer_(shape.model_layers, -1),
      uses_(shape.slots),
      slot_tokens_(shape.slots, 0),
      copies_(std::move(copies)),
      step_done_(std::move(step_done)) {
  for (size_t i = 0; i < shape.layers.size(); ++i) {
    memory_layer_[shape.layers[i]] = static_cast<int>(i);
  }
}

template <typename T>
int64_t DeviceMemories<T>::DeviceBytes(const MemoriesShape& shape) {
  Arena arena(nullptr);
  arena.Take<T>(shape.model_layers * PrefixElements(shape));
  arena.Take<T>(shape.slots * RecordElements(shape));
  arena.Take<int32_t>(shape.slots);
  return arena.used();
}

template <typename T>
int64_t DeviceMemories<T>::PinnedBytes(const MemoriesShape& shape) {
  Arena arena(nullptr);
  arena.Take<T>(RecordElements(shape));
  arena.Take<int32_t>(1);
  return Stagings(shape) * arena.used();
}

template <typename T>
absl::StatusOr<DeviceMemories<T>> DeviceMemories<T>::Create(const MemoriesShape& shape) {
  M3_ASSIGN_OR_RETURN(Stream copies, Stream::Create());
  M3_ASSIGN_OR_RETURN(Event step_done, Event::Create());
  DeviceMemories memories(shape, std::move(copies), std::move(step_done));
  M3_ASSIGN_OR_RETURN(memories.device_,
                      Buffer::Allocate(Buffer::Kind::kDevice, DeviceBytes(shape)));
  Arena device(memories.device_.data());
  memories.prefix_ = device.Take<T>(shape.model_layers * PrefixElements(shape));
  memories.slots_ = device.Take<T>(shape.slots * RecordElements(shape));
  memories.device_slot_tokens_ = device.Take<int32_t>(shape.slots);
  M3_ASSIGN_OR_RETURN(memories.pinned_,
                      Buffer::Allocate(Buffer::Kind::kPinned, PinnedBytes(shape)));
  Arena pinned(memories.pinned_.data());
  for (int i = 0; i < Stagings(shape); ++i) {
    M3_ASSIGN_OR_RETURN(Event copied, Event::Create());
    T* const record = pinned.Take<T>(RecordElements(shape));
    memories.stagings_.push_back({std::move(copied), record, pinned.Take<int32_t>(1)});
  }
  return memories;
}

template <typename T>
void DeviceMemories<T>::SetPrefix(Stream& stream, const KvCache<T>& cache) {
  const KvShape& kv = cache.shape();
  T* to = prefix_;
  for (int layer = 0; layer < shape_.model_layers; ++layer) {
    const PagedLayer<T> from = cache.layer(layer);
    for (const T* half : {from.keys, from.values}) {
      for (int kv_head = 0; kv_head < kv.kv_heads; ++kv_head) {
        for (int token = 0; token < shape_.prefix_tokens; token += kv.block_tokens) {
          const int64_t block = token / kv.block_tokens;
          const int64_t elements =
              int64_t{std::min(kv.block_tokens, shape_.prefix_tokens - token)} * kv.head_dim;
          stream.CopyOnDevice(to, half + block * kv.block_elements() + kv_head * kv.head_elements(),
                              elements * sizeof(T));
          to += elements;
        }
      }
    }
  }
}

template <typename T>
absl::Status DeviceMemories<T>::Fill(MemorySlot slot, const MemoryTensor& memory) {
  const size_t index = next_;
  next_ = (next_ + 1) % stagings_.size();
  Staging& staging = stagings_[index];
  M3_RETURN_IF_ERROR(staging.copied.Synchronize());
  const int64_t elements = RecordElements(shape_);
  ReadRecord(memory, elements, staging.record);
  *staging.tokens = memory.tokens;
  SlotUse& use = uses_[slot];
  const bool may_be_read = use.last_step > 0 && use.last_step + kMaxStepsInFlight > step_;
  if (may_be_read) copies_.Wait(step_done_);
  copies_.CopyToDevice(slots_ + slot * elements, staging.record, elements * sizeof(T));
  copies_.CopyToDevice(device_slot_tokens_ + slot, staging.tokens, sizeof(int32_t));
  staging.copied.Record(copies_);
  use.staging = static_cast<int>(index);
  slot_tokens_[slot] = memory.tokens;
  return absl::OkStatus();
}

template <typename T>
void DeviceMemories<T>::BeginStep(Stream& stream, const Batch& batch) {
  ++step_;
  for (const BatchSequence& sequence : batch.sequences) {
    for (const RowMemories& set : sequence.memories) {
      for (const MemorySlot slot : set.slots) {
        SlotUse& use = uses_[slot];
        use.last_step = step_;
        // A staging that was used again since only makes the step wait longer than it must.
        if (use.staging >= 0) stream.Wait(stagings_[use.staging].copied);
        use.staging = -1;
      }
    }
  }
}

template <typename T>
void DeviceMemories<T>::EndStep(Stream& stream) {
  step_done_.Record(stream);
}

template <typename T>
MemoryLayer<T> DeviceMemories<T>::layer(int index) const {
  const T* const prefix = prefix_ + index * PrefixElements(shape_);
  MemoryLayer<T> layer = {.prefix_keys = prefix,
                          .prefix_values = prefix + PrefixElements(shape_) / 2,
                          .prefix_tokens = shape_.prefix_tokens,
                          .slot_stride = RecordElements(shape_),
                          .kept_tokens = shape_.record.kept_tokens,
                          .slot_tokens = device_slot_tokens_};
  if (memory_layer_[index] >= 0) {
    layer.slots = slots_ + memory_layer_[index] * shape_.record.layer_elements();
  }
  return layer;
}

template class DeviceMemories<float>;
template class DeviceMemories<BFloat16>;

}  // namespace memory3::cuda
