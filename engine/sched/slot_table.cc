#include "engine/sched/slot_table.h"

#include "engine/base/check.h"

namespace memory3 {

SlotTable::SlotTable(int slots) : entries_(slots) {
  resident_.reserve(slots);
  for (MemorySlot slot = 0; slot < slots; ++slot) {
    entries_[slot].place = unreferenced_.insert(unreferenced_.end(), slot);
  }
}

SlotTable::Entry& SlotTable::At(MemorySlot slot) {
  M3_CHECK(slot >= 0 && slot < size());
  return entries_[slot];
}

std::optional<MemorySlot> SlotTable::Acquire(const MemoryKey& key) {
  const auto found = resident_.find(key);
  if (found == resident_.end()) return std::nullopt;
  Entry& entry = At(found->second);
  if (entry.references++ == 0) in_use_.splice(in_use_.end(), unreferenced_, entry.place);
  return found->second;
}

MemorySlot SlotTable::Insert(const MemoryKey& key) {
  M3_CHECK(!unreferenced_.empty());
  const MemorySlot slot = unreferenced_.front();
  Entry& entry = entries_[slot];
  if (entry.key.has_value()) resident_.erase(*entry.key);
  M3_CHECK(resident_.emplace(key, slot).second);
  entry.key = key;
  entry.references = 1;
  in_use_.splice(in_use_.end(), unreferenced_, entry.place);
  return slot;
}

void SlotTable::AddReference(MemorySlot slot) {
  Entry& entry = At(slot);
  M3_CHECK(entry.references > 0);
  ++entry.references;
}

void SlotTable::Release(MemorySlot slot) {
  Entry& entry = At(slot);
  M3_CHECK(entry.references > 0);
  if (--entry.references == 0) unreferenced_.splice(unreferenced_.end(), in_use_, entry.place);
}

void SlotTable::Discard(MemorySlot slot) {
  Entry& entry = At(slot);
  M3_CHECK(entry.references == 1 && entry.key.has_value());
  resident_.erase(*entry.key);
  entry.key.reset();
  entry.references = 0;
  unreferenced_.splice(unreferenced_.begin(), in_use_, entry.place);
}

}  // namespace memory3
