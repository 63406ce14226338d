#include "tests/unit/engine/fake_memory.h"

#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"

namespace memory3 {
namespace {

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

}  // namespace

std::shared_ptr<const MemoryTensor> MakeTestMemory(const MemoryShape& shape, uint64_t seed) {
  std::shared_ptr<MemoryTensor> tensor = NewMemoryTensor(shape);
  tensor->tokens = 1 + static_cast<int>(seed % shape.kept_tokens);
  for (int64_t i = 0; i < shape.bytes(); ++i) {
    tensor->bytes[i] = static_cast<uint8_t>(Mix(seed + 1, i) >> 40);
  }
  std::memcpy(tensor->bytes.data(), &seed, sizeof(seed));
  return tensor;
}

MemoryShape TestMemoryShape() {
  return {.layers = 2, .kv_heads = 1, .kept_tokens = 4, .head_dim = 4, .dtype = DType::kF32};
}

uint64_t SeedOfReference(absl::Span<const int32_t> ids) {
  uint64_t seed = 17;
  for (const int32_t id : ids) seed = Mix(seed, id + 1);
  return seed;
}

absl::Status FakeMemory::Fill(MemorySlot slot, const MemoryTensor& memory) {
  if (slot < 0 || slot >= info_.slots) return absl::InternalError("a memory slot out of range");
  if (memory.shape != info_.shape) return absl::InvalidArgumentError("another shape");
  Slot& filled = slots_[slot];
  filled = {.filled = true, .hash = static_cast<uint64_t>(memory.tokens)};
  std::memcpy(&filled.id, memory.bytes.data(), sizeof(filled.id));
  for (const uint8_t byte : memory.bytes) filled.hash = Mix(filled.hash, byte);
  return absl::OkStatus();
}

absl::Status FakeMemory::Encode(absl::Span<const absl::Span<const int32_t>> references,
                                std::vector<std::shared_ptr<const MemoryTensor>>* memories) const {
  if (references.empty() ||
      references.size() > static_cast<size_t>(info_.max_references_per_encode)) {
    return absl::InternalError("a batch of references is empty or too large");
  }
  for (const absl::Span<const int32_t> ids : references) {
    if (ids.empty() || ids.size() > static_cast<size_t>(info_.reference_tokens)) {
      return absl::InternalError("a reference is empty or too long");
    }
    memories->push_back(MakeTestMemory(info_.shape, SeedOfReference(ids)));
  }
  return absl::OkStatus();
}

absl::Status FakeMemory::Check(const BatchSequence& rows) const {
  if (!rows.use_memory) {
    return rows.memories.empty() ? absl::OkStatus()
                                 : absl::InternalError("a plain decoder has memories");
  }
  for (size_t i = 0; i < rows.memories.size(); ++i) {
    const RowMemories& set = rows.memories[i];
    const int32_t least = i == 0 ? 0 : rows.memories[i - 1].first_row + 1;
    if ((i == 0 && set.first_row != 0) || set.first_row < least ||
        set.first_row >= static_cast<int32_t>(rows.tokens.size())) {
      return absl::InternalError(absl::StrCat("memory set ", i, " begins at ", set.first_row));
    }
    if (set.slots.size() > static_cast<size_t>(info_.memories_per_chunk)) {
      return absl::InternalError("too many memories in a set");
    }
    if (std::set<MemorySlot>(set.slots.begin(), set.slots.end()).size() != set.slots.size()) {
      return absl::InternalError("a memory twice in a set");
    }
    for (const MemorySlot slot : set.slots) {
      if (slot < 0 || slot >= info_.slots || !slots_[slot].filled) {
        return absl::InternalError(absl::StrCat("memory slot ", slot, " is not filled"));
      }
    }
  }
  return absl::OkStatus();
}

FakeMemory::RowView FakeMemory::ViewOf(const BatchSequence& rows, int row) const {
  RowView view;
  if (!rows.use_memory) return view;
  view.hash = 1;
  const RowMemories* seen = nullptr;
  for (const RowMemories& set : rows.memories) {
    if (set.first_row <= row) seen = &set;
  }
  if (seen == nullptr) return view;
  for (const MemorySlot slot : seen->slots) {
    view.hash = Mix(view.hash, slots_[slot].hash);
    view.ids.push_back(slots_[slot].id);
  }
  return view;
}

}  // namespace memory3
