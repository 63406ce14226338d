// One memory's keys and values in host memory: what the encoder produces, a bank stores, a loader
// reads and a runner's slot is filled from.
#ifndef MEMORY3_ENGINE_RUNNER_MEMORY_TENSOR_H_
#define MEMORY3_ENGINE_RUNNER_MEMORY_TENSOR_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "engine/base/aligned_buffer.h"
#include "engine/memory/bank/record_size.h"
#include "engine/model/memory_config.h"

namespace memory3 {

// Index of a memory on the runner, in [0, RunnerMemoryInfo::slots).
using MemorySlot = int32_t;

// Filled once, then shared as const: whoever copies from it later (a device) holds a reference.
struct MemoryTensor {
  MemoryShape shape;
  int tokens = 0;             // valid ones of shape.kept_tokens, the same in every layer and head
  absl::Span<uint8_t> bytes;  // RecordBytes(shape): layout of MemoryShape, then zeros
  // Which tokens of the reference were kept, (layers, kv_heads, tokens): told by the encoder,
  // stored nowhere.
  std::vector<int32_t> kept;
  std::shared_ptr<void> owner;  // keeps `bytes` alive: a buffer of its own, or one of a pool's
};

// With a zeroed, aligned buffer of its own.
inline std::shared_ptr<MemoryTensor> NewMemoryTensor(const MemoryShape& shape) {
  auto buffer = std::make_shared<AlignedBuffer>(RecordBytes(shape), kRecordAlignment);
  auto tensor = std::make_shared<MemoryTensor>();
  tensor->shape = shape;
  tensor->bytes = {buffer->data(), static_cast<size_t>(RecordBytes(shape))};
  tensor->owner = std::move(buffer);
  return tensor;
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_RUNNER_MEMORY_TENSOR_H_
