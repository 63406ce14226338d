// Where memories lie and how a loaded one is checked: the seam between loader and banks.
#ifndef MEMORY3_ENGINE_MEMORY_MEMORY_STORE_H_
#define MEMORY3_ENGINE_MEMORY_MEMORY_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/memory/bank/record_place.h"
#include "engine/memory/memory_id.h"
#include "engine/model/memory_config.h"

namespace memory3 {

// All memories that exist at the moment: the bank of the current epoch and what was taught since.
// Thread-safe; no call does I/O.
class MemoryStore {
 public:
  virtual ~MemoryStore() = default;
  virtual const MemoryShape& shape() const = 0;
  virtual uint64_t epoch() const = 0;  // of the newest bank
  // Whether ids of this epoch can be found. An epoch that was closed never opens again; one that
  // was never open may yet.
  virtual bool IsOpen(uint64_t epoch) const = 0;
  // NotFound: no such id, deleted, or an epoch that is not open (any more). FailedPrecondition: the
  // reference has a text but no memory yet (cold start): Text and an encode will give it one.
  virtual absl::StatusOr<RecordPlace> Find(const MemoryKey& key) const = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_MEMORY_STORE_H_
