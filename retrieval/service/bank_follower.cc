#include "retrieval/service/bank_follower.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/manifest.h"

namespace memory3 {
namespace {

constexpr size_t kEmbedBatch = 64;

absl::StatusOr<std::string> ReadManifest(const std::filesystem::path& dir) {
  return ReadFile(dir / kManifestFile, kMaxManifestBytes);
}

}  // namespace

BankFollower::BankFollower(const RetrievalOptions& options, RetrievalMetrics& metrics, Logger& log)
    : options_(options), metrics_(metrics), log_(log), reader_(options.taught) {}

std::shared_ptr<const Snapshot> BankFollower::snapshot() const {
  MutexLock lock(mutex_);
  return snapshot_;
}

void BankFollower::Publish(std::shared_ptr<const Snapshot> snapshot) {
  MutexLock lock(mutex_);
  snapshot_.swap(snapshot);
  // The old one, perhaps gigabytes, goes with the parameter, after the lock.
}

absl::Status BankFollower::Poll(bool again) {
  MutexLock lock(poll_mutex_);
  const std::shared_ptr<const Snapshot> current = snapshot();
  absl::StatusOr<std::shared_ptr<Snapshot>> next = NextBank(current.get(), again);
  const bool new_bank = next.ok() && *next != nullptr;
  if (!new_bank && current == nullptr) return next.status();
  const Snapshot& base = new_bank ? **next : *current;
  const absl::StatusOr<bool> news = ReadLog(base.model_fingerprint);
  if (!news.ok()) {
    metrics_.OnLogError();
    WarnOnce("the taught references cannot be followed", news.status());
  }
  if (new_bank || (news.ok() && *news)) {
    if (new_bank) {
      for (auto& [id, reference] : taught_) {
        reference = std::make_shared<TaughtReference>(TaughtReference{id, reference->text, {}});
      }
    }
    M3_RETURN_IF_ERROR(EmbedTaught(base.index->embedder()));
    auto snapshot = std::make_shared<Snapshot>(base);
    ApplyLog(*snapshot);
    if (new_bank) metrics_.OnSwap();  // first: whoever meets the bank finds it counted
    Publish(std::move(snapshot));
  }
  if (new_bank) {
    log_.Info("serving bank", {{"epoch", base.epoch},
                               {"references", base.index->count()},
                               {"embedder", base.index->embedder().name()},
                               {"graph", base.index->has_graph() ? "yes" : "no"}});
  }
  if (next.ok() && news.ok()) warnings_.Forget();
  return next.ok() ? news.status() : next.status();
}

absl::StatusOr<std::shared_ptr<Snapshot>> BankFollower::NextBank(const Snapshot* current,
                                                                 bool again) {
  // A link is followed once, so that all files are of one bank while it is turned to another.
  std::error_code error;
  const std::filesystem::path dir = std::filesystem::canonical(options_.bank, error);
  absl::StatusOr<std::string> read =
      error ? absl::NotFoundError(absl::StrCat(options_.bank.string(), ": ", error.message()))
            : ReadManifest(dir);
  if (!read.ok()) {
    WarnOnce("there is no bank", read.status());
    return read.status();
  }
  std::string manifest = *std::move(read);
  if (current != nullptr && current->manifest == manifest) {
    refused_.Clear();
    return std::shared_ptr<Snapshot>();
  }
  const absl::Duration now = clock_.Steady();
  if (!again && !refused_.IsDue(manifest, now)) return refused_.why();
  absl::StatusOr<std::shared_ptr<Snapshot>> opened = OpenBank(dir, manifest);
  if (opened.ok() && current != nullptr && (*opened)->epoch == current->epoch) {
    opened = absl::FailedPreconditionError(
        absl::StrCat(dir.string(), ": is another bank with the epoch ", current->epoch,
                     " of the one that is served; ids would be mixed up"));
  }
  if (opened.ok()) {
    refused_.Clear();
    return opened;
  }
  metrics_.OnBankRefused();
  if (refused_.Refuse(std::move(manifest), opened.status(), now)) {
    log_.Warning("the bank is refused", {{"error", opened.status().message()}});
  }
  return opened;
}

absl::StatusOr<std::shared_ptr<Snapshot>> BankFollower::OpenBank(const std::filesystem::path& dir,
                                                                 std::string manifest) const {
  const std::string source = (dir / kManifestFile).string();
  M3_ASSIGN_OR_RETURN(const BankManifest bank, ParseManifest(manifest, source));
  auto snapshot = std::make_shared<Snapshot>();
  M3_ASSIGN_OR_RETURN(snapshot->index, RetrievalIndex::Open(dir / kIndexFolder, options_.index));
  const RetrievalIndex& index = *snapshot->index;
  if (index.count() != bank.count || index.embedder().name() != bank.embedder) {
    return absl::DataLossError(absl::StrCat(source, ": says ", bank.count, " references and ",
                                            bank.embedder, ", but the index has ", index.count(),
                                            " and ", index.embedder().name()));
  }
  // The folder may have been replaced while the index was read from it.
  const absl::StatusOr<std::string> now = ReadManifest(dir);
  if (!now.ok() || *now != manifest) {
    return absl::AbortedError(absl::StrCat(dir.string(), ": changed while it was opened"));
  }
  snapshot->manifest = std::move(manifest);
  snapshot->epoch = bank.epoch;
  snapshot->model_fingerprint = bank.model_fingerprint;
  return snapshot;
}

absl::StatusOr<bool> BankFollower::ReadLog(const std::string& model_fingerprint) {
  if (options_.taught.empty()) return false;
  std::vector<TaughtEntry> entries;
  // Entries before a fault are good.
  const absl::Status status = reader_.Poll(&entries);
  for (TaughtEntry& entry : entries) {
    ++log_entries_;
    const MemoryId id = entry.key.id;
    if (entry.kind == TaughtEntry::Kind::kAdd) {
      taught_[id] = std::make_shared<TaughtReference>(
          TaughtReference{id, RetrievalText(entry.reference), {}});
    } else if (entry.kind == TaughtEntry::Kind::kDelete) {
      if (taught_.erase(id) == 0) deleted_.insert(entry.key);
    }
  }
  M3_RETURN_IF_ERROR(status);
  const std::string& taught_for = reader_.model_fingerprint();
  if (!taught_for.empty() && taught_for != model_fingerprint) {
    return absl::FailedPreconditionError(absl::StrCat(options_.taught.string(),
                                                      ": was taught to the model ", taught_for,
                                                      ", but the bank is of ", model_fingerprint));
  }
  return !entries.empty();
}

absl::Status BankFollower::EmbedTaught(const Embedder& embedder) {
  const auto width = static_cast<size_t>(embedder.dimensions());
  std::vector<std::shared_ptr<const TaughtReference>*> missing;
  for (auto& [id, reference] : taught_) {
    if (reference->vector.empty()) missing.push_back(&reference);
  }
  for (size_t begin = 0; begin < missing.size(); begin += kEmbedBatch) {
    const size_t count = std::min(kEmbedBatch, missing.size() - begin);
    std::vector<std::string_view> texts;
    for (size_t i = 0; i < count; ++i) texts.push_back((*missing[begin + i])->text);
    std::vector<float> vectors(count * width);
    M3_RETURN_IF_ERROR(embedder.Embed(texts, absl::MakeSpan(vectors)));
    for (size_t i = 0; i < count; ++i) {
      TaughtReference embedded = **missing[begin + i];
      embedded.vector.assign(vectors.begin() + static_cast<ptrdiff_t>(i * width),
                             vectors.begin() + static_cast<ptrdiff_t>((i + 1) * width));
      *missing[begin + i] = std::make_shared<TaughtReference>(std::move(embedded));
    }
  }
  return absl::OkStatus();
}

void BankFollower::ApplyLog(Snapshot& snapshot) {
  snapshot.taught.clear();
  snapshot.deleted.clear();
  snapshot.log_entries = log_entries_;
  if (!reader_.model_fingerprint().empty() &&
      reader_.model_fingerprint() != snapshot.model_fingerprint) {
    return;
  }
  for (const auto& [id, reference] : taught_) snapshot.taught.push_back(reference);
  for (const MemoryKey& key : deleted_) {
    if (key.epoch == snapshot.epoch && key.id < static_cast<uint64_t>(snapshot.index->count())) {
      snapshot.deleted.insert(key.id);
    }
  }
}

void BankFollower::WarnOnce(const char* what, const absl::Status& status) {
  if (!warnings_.IsNew(absl::StrCat(what, status.ToString()))) return;
  log_.Warning(what, {{"error", status.message()}});
}

}  // namespace memory3
