// The memories a server can attach: the newest bank, the one before it while sequences still use
// it, and what was taught since.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_STORE_H_
#define MEMORY3_ENGINE_MEMORY_BANK_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "engine/base/mutex.h"
#include "engine/memory/bank/bank.h"
#include "engine/memory/bank/reference_text.h"
#include "engine/memory/bank/taught_log.h"
#include "engine/memory/memory_store.h"

namespace memory3 {

// Thread-safe.
class BankStore : public MemoryStore {
 public:
  // `taught` may be null: nothing can be taught. Both fit the model (CheckBankFitsModel) and, to be
  // asked before, each other (TaughtLog::Bind): what a log says of another bank is not applied.
  BankStore(std::shared_ptr<const Bank> bank, std::shared_ptr<TaughtLog> taught);

  // Waits for the disk. A new version of the bank; the one before stays for the sequences that use
  // it, older ones go.
  void Swap(std::shared_ptr<const Bank> bank);

  const MemoryShape& shape() const override { return shape_; }
  uint64_t epoch() const override;
  bool IsOpen(uint64_t epoch) const override { return BankOf(epoch) != nullptr; }
  absl::StatusOr<RecordPlace> Find(const MemoryKey& key) const override;

  std::shared_ptr<const Bank> bank() const;  // the newest
  // Of either bank or a taught reference; NotFound when there is none or it was deleted. Reads.
  absl::StatusOr<ReferenceText> Text(const MemoryKey& key) const;
  // The taught reference, or the one of the newest bank, that has exactly this text and was not
  // deleted. Reads; the first call for a bank takes long (Bank::Find).
  absl::StatusOr<std::optional<MemoryId>> FindText(std::string_view text) const;

 private:
  void Bind(const Bank& bank);
  std::shared_ptr<const Bank> BankOf(uint64_t epoch) const;  // null: not open

  const MemoryShape shape_;
  const std::shared_ptr<TaughtLog> taught_;
  mutable Mutex mutex_;
  std::shared_ptr<const Bank> newest_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Bank> before_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_STORE_H_
