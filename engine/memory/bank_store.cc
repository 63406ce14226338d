#include "engine/memory/bank_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

absl::Status NotOpen(const MemoryKey& key) {
  return absl::NotFoundError(
      absl::StrCat("memory ", key.id, ": the bank of epoch ", key.epoch, " is not open"));
}

}  // namespace

BankStore::BankStore(std::shared_ptr<const Bank> bank, std::shared_ptr<TaughtLog> taught)
    : shape_(bank->manifest().shape), taught_(std::move(taught)) {
  Bind(*bank);
  newest_ = std::move(bank);
}

void BankStore::Bind(const Bank& bank) {
  // Refused or not: the log does not know ids of a bank that is not bound to it.
  if (taught_ != nullptr) (void)taught_->Bind(bank.manifest());
}

void BankStore::Swap(std::shared_ptr<const Bank> bank) {
  M3_CHECK(bank->manifest().shape == shape_);
  Bind(*bank);
  MutexLock lock(mutex_);
  before_ = std::exchange(newest_, std::move(bank));
}

uint64_t BankStore::epoch() const { return bank()->manifest().epoch; }

std::shared_ptr<const Bank> BankStore::bank() const {
  MutexLock lock(mutex_);
  return newest_;
}

std::shared_ptr<const Bank> BankStore::BankOf(uint64_t epoch) const {
  MutexLock lock(mutex_);
  if (newest_->manifest().epoch == epoch) return newest_;
  if (before_ != nullptr && before_->manifest().epoch == epoch) return before_;
  return nullptr;
}

absl::StatusOr<RecordPlace> BankStore::Find(const MemoryKey& key) const {
  if (key.id >= kFirstTaughtId) {
    if (taught_ == nullptr) return NotOpen(key);
    return taught_->Place(key);
  }
  if (taught_ != nullptr && taught_->IsDeleted(key)) {
    return absl::NotFoundError(absl::StrCat("memory ", key.id, " was deleted"));
  }
  const std::shared_ptr<const Bank> bank = BankOf(key.epoch);
  if (bank == nullptr) return NotOpen(key);
  absl::StatusOr<RecordPlace> place = bank->Place(key.id);
  // A cold reference may have been given its memory since the bank was built.
  if (absl::IsFailedPrecondition(place.status()) && taught_ != nullptr) {
    absl::StatusOr<RecordPlace> encoded = taught_->Place(key);
    if (encoded.ok()) return encoded;
  }
  return place;
}

absl::StatusOr<ReferenceText> BankStore::Text(const MemoryKey& key) const {
  if (key.id >= kFirstTaughtId) {
    if (taught_ == nullptr) return NotOpen(key);
    return taught_->Text(key.id);
  }
  if (taught_ != nullptr && taught_->IsDeleted(key)) {
    return absl::NotFoundError(absl::StrCat("memory ", key.id, " was deleted"));
  }
  const std::shared_ptr<const Bank> bank = BankOf(key.epoch);
  if (bank == nullptr) return NotOpen(key);
  return bank->Text(key.id);
}

absl::StatusOr<std::optional<MemoryId>> BankStore::FindText(std::string_view text) const {
  if (taught_ != nullptr) {
    if (const std::optional<MemoryId> id = taught_->Find(text); id.has_value()) return id;
  }
  const std::shared_ptr<const Bank> newest = bank();
  M3_ASSIGN_OR_RETURN(const std::optional<MemoryId> id, newest->Find(text));
  const bool is_there =
      id.has_value() &&
      (taught_ == nullptr || !taught_->IsDeleted({.epoch = newest->manifest().epoch, .id = *id}));
  return is_there ? id : std::nullopt;
}

}  // namespace memory3
