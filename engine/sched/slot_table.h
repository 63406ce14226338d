// Which memory lies in which of the runner's slots, and who still needs it.
//
// A slot is referenced once for every chunk of a sequence that sees its memory or is about to.
// Sequences that want the same memory share its slot. A slot without references keeps its memory
// as the fastest tier, until it is the one unused for longest when a slot is needed.
//
// Every reference belongs to a reservation made at admission (see MemorySession::slots_reserved),
// and the reservations together are no more than the slots: so Insert always finds a slot and
// running sequences never wait for each other's. Allocates nothing but hash table nodes after
// construction. Not thread-safe (the engine thread's).
#ifndef MEMORY3_ENGINE_SCHED_SLOT_TABLE_H_
#define MEMORY3_ENGINE_SCHED_SLOT_TABLE_H_

#include <list>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/memory/memory_id.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

class SlotTable {
 public:
  explicit SlotTable(int slots);

  int size() const { return static_cast<int>(entries_.size()); }
  int referenced() const { return size() - static_cast<int>(unreferenced_.size()); }

  bool Contains(const MemoryKey& key) const { return resident_.contains(key); }
  // With one more reference, when the memory lies in a slot.
  std::optional<MemorySlot> Acquire(const MemoryKey& key);
  // A slot for a memory that lies in none, with one reference; the caller fills it now.
  MemorySlot Insert(const MemoryKey& key);

  void AddReference(MemorySlot slot);
  void Release(MemorySlot slot);
  // Gives back the only reference of a slot that could not be filled, and forgets its content.
  void Discard(MemorySlot slot);

 private:
  struct Entry {
    std::optional<MemoryKey> key;
    int references = 0;
    // In unreferenced_ or, while referenced, in in_use_: list nodes only move between the two.
    std::list<MemorySlot>::iterator place;
  };

  Entry& At(MemorySlot slot);

  std::vector<Entry> entries_;
  std::list<MemorySlot> unreferenced_;  // the one unused for longest first
  std::list<MemorySlot> in_use_;
  absl::flat_hash_map<MemoryKey, MemorySlot> resident_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SCHED_SLOT_TABLE_H_
