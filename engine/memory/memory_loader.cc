#include "engine/memory/memory_loader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/mutex.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/host_cache.h"

namespace memory3 {
namespace {

constexpr int kMaxAttempts = 2;  // reads of one load

struct Waiter {
  MemoryLoader::Done done;
  absl::Duration start;
};

// One record on its way. Belongs to one thread at a time: to the caller that found it missing, then
// to the reader's; `waiters` and `keep` to the loader's lock.
struct Flight {
  MemoryKey key;
  RecordPlace place;
  std::shared_ptr<uint8_t> buffer;
  int attempts = 0;
  std::vector<Waiter> waiters;
  bool keep = true;  // put into the cache at the end
};

std::string Name(const MemoryKey& key) {
  return absl::StrCat("memory ", key.id, " of epoch ", key.epoch);
}

absl::Status TooManyLoads(const char* what) {
  return absl::ResourceExhaustedError(absl::StrCat("memory loads: ", what));
}

}  // namespace

int LoaderBuffers(const MemoryLoaderOptions& options, int64_t record_bytes) {
  constexpr int64_t kMost = 1 << 30;
  return static_cast<int>(
      std::min(kMost, options.max_loads + options.host_cache_bytes / record_bytes));
}

class MemoryLoader::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(const MemoryLoaderOptions& options, const MemoryStore& store, MemoryReader& reader,
       Clock* clock);

  void Load(const MemoryKey& key, Done done);
  void Insert(const MemoryKey& key, SharedMemory memory);
  void Forget(const MemoryKey& key);
  MemoryLoaderCounters counters() const;
  void WaitUntilIdle();

 private:
  using SharedFlight = std::shared_ptr<Flight>;

  // How a load ends that needs no new flight; nothing when it waits for one. `*flight` is set when
  // it is a new one, which the caller has to start.
  std::optional<absl::StatusOr<SharedMemory>> EndAtOnce(const MemoryKey& key, Waiter& waiter,
                                                        SharedFlight* flight);
  void Start(const SharedFlight& flight);
  absl::Status Prepare(Flight& flight);
  void Read(const SharedFlight& flight);
  void OnRead(const SharedFlight& flight, absl::Status status);
  absl::Status Verify(const Flight& flight);
  SharedMemory MakeTensor(Flight& flight) const;
  void End(const SharedFlight& flight, absl::StatusOr<SharedMemory> result);
  void Answer(const MemoryKey& key, Waiter& waiter, absl::StatusOr<SharedMemory> result,
              MemoryTier tier) const;
  absl::Span<uint8_t> BytesOf(const Flight& flight) const {
    return {flight.buffer.get(), static_cast<size_t>(buffers_->record_bytes())};
  }

  const int max_loads_;
  const MemoryStore& store_;
  MemoryReader& reader_;
  const RealClock real_clock_;
  const Clock& clock_;
  const MemoryShape shape_;
  const std::shared_ptr<RecordBuffers> buffers_;

  mutable Mutex mutex_;
  CondVar idle_;
  HostCache cache_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<MemoryKey, SharedFlight> flights_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<MemoryKey> quarantine_ ABSL_GUARDED_BY(mutex_);
  MemoryLoaderCounters counters_ ABSL_GUARDED_BY(mutex_);
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;  // flights some of whose waiters know no end yet
};

MemoryLoader::Impl::Impl(const MemoryLoaderOptions& options, const MemoryStore& store,
                         MemoryReader& reader, Clock* clock)
    : max_loads_(options.max_loads),
      store_(store),
      reader_(reader),
      clock_(clock == nullptr ? static_cast<const Clock&>(real_clock_) : *clock),
      shape_(store.shape()),
      buffers_(options.buffers != nullptr
                   ? options.buffers
                   : RecordBuffers::Create(RecordBytes(shape_),
                                           LoaderBuffers(options, RecordBytes(shape_)))),
      cache_(options.host_cache_bytes) {
  M3_CHECK(buffers_->record_bytes() == RecordBytes(shape_));
}

void MemoryLoader::Impl::Load(const MemoryKey& key, Done done) {
  Waiter waiter = {std::move(done), clock_.Steady()};
  SharedFlight flight;
  if (auto result = EndAtOnce(key, waiter, &flight)) {
    const MemoryTier tier = result->ok() ? MemoryTier::kHost : MemoryTier::kDisk;
    Answer(key, waiter, *std::move(result), tier);
  } else if (flight != nullptr) {
    Start(flight);
  }
}

std::optional<absl::StatusOr<SharedMemory>> MemoryLoader::Impl::EndAtOnce(const MemoryKey& key,
                                                                          Waiter& waiter,
                                                                          SharedFlight* flight) {
  MutexLock lock(mutex_);
  if (SharedMemory memory = cache_.Get(key)) {
    ++counters_.host_hits;
    return memory;
  }
  if (quarantine_.contains(key)) {
    ++counters_.quarantine_hits;
    return absl::DataLossError(absl::StrCat(Name(key), ": its record is damaged (quarantined)"));
  }
  if (const auto found = flights_.find(key); found != flights_.end()) {
    ++counters_.shared_loads;
    found->second->waiters.push_back(std::move(waiter));
    return std::nullopt;
  }
  if (counters_.in_flight >= max_loads_) {
    ++counters_.rejected;
    return TooManyLoads("too many are in flight");
  }
  // Registered before the store is asked, so that nobody else asks for the same.
  *flight = std::make_shared<Flight>();
  (*flight)->key = key;
  (*flight)->waiters.push_back(std::move(waiter));
  flights_[key] = *flight;
  ++counters_.in_flight;
  ++unanswered_;
  return std::nullopt;
}

void MemoryLoader::Impl::Start(const SharedFlight& flight) {
  if (absl::Status status = Prepare(*flight); !status.ok()) return End(flight, std::move(status));
  Read(flight);
}

absl::Status MemoryLoader::Impl::Prepare(Flight& flight) {
  absl::StatusOr<RecordPlace> place = store_.Find(flight.key);
  if (!place.ok()) return place.status();
  if (place->tokens < 0 || place->tokens > shape_.kept_tokens) {
    return absl::DataLossError(absl::StrCat(Name(flight.key), ": ", place->tokens,
                                            " tokens, more than ", shape_.kept_tokens));
  }
  flight.place = *std::move(place);
  flight.buffer = buffers_->Take();
  return flight.buffer == nullptr ? TooManyLoads("every buffer is in use") : absl::OkStatus();
}

void MemoryLoader::Impl::Read(const SharedFlight& flight) {
  ++flight->attempts;
  absl::Status queued =
      reader_.Read({.file = flight->place.file,
                    .offset = flight->place.offset,
                    .bytes = BytesOf(*flight),
                    .done = [self = shared_from_this(), flight](absl::Status status) {
                      self->OnRead(flight, std::move(status));
                    }});
  if (!queued.ok()) End(flight, std::move(queued));
}

void MemoryLoader::Impl::OnRead(const SharedFlight& flight, absl::Status status) {
  if (status.ok()) {
    status = Verify(*flight);
  } else {
    MutexLock lock(mutex_);
    ++counters_.read_errors;
  }
  if (status.ok()) return End(flight, MakeTensor(*flight));
  // Cancelled: the reader shuts down, there is no second chance.
  if (flight->attempts < kMaxAttempts && !absl::IsCancelled(status)) return Read(flight);
  if (absl::IsDataLoss(status)) {
    MutexLock lock(mutex_);
    if (flight->keep && quarantine_.size() < kMaxQuarantinedRecords) {
      counters_.quarantined += quarantine_.insert(flight->key).second;
    }
  }
  End(flight, std::move(status));
}

absl::Status MemoryLoader::Impl::Verify(const Flight& flight) {
  const absl::Span<const uint8_t> bytes = BytesOf(flight);
  const bool good =
      RecordChecksum(flight.key.id, flight.place.tokens, bytes) == flight.place.checksum;
  MutexLock lock(mutex_);
  counters_.disk_bytes += bytes.size();
  if (good) return absl::OkStatus();
  ++counters_.checksum_errors;
  return absl::DataLossError(absl::StrCat(Name(flight.key), ": wrong checksum in ",
                                          flight.place.file->path().native(), " at offset ",
                                          flight.place.offset));
}

SharedMemory MemoryLoader::Impl::MakeTensor(Flight& flight) const {
  auto tensor = std::make_shared<MemoryTensor>();
  tensor->shape = shape_;
  tensor->tokens = flight.place.tokens;
  tensor->bytes = BytesOf(flight);
  tensor->owner = std::move(flight.buffer);
  return tensor;
}

void MemoryLoader::Impl::End(const SharedFlight& flight, absl::StatusOr<SharedMemory> result) {
  std::vector<Waiter> waiters;
  std::vector<SharedMemory> evicted;
  {
    MutexLock lock(mutex_);
    // Not after Forget: then the entry may be a younger flight's.
    if (flight->keep) flights_.erase(flight->key);
    waiters.swap(flight->waiters);
    --counters_.in_flight;
    if (result.ok()) {
      ++counters_.disk_loads;
      if (flight->keep) cache_.Put(flight->key, *result, &evicted);
    } else if (absl::IsResourceExhausted(result.status())) {
      ++counters_.rejected;
    }
  }
  flight->buffer.reset();
  evicted.clear();
  for (Waiter& waiter : waiters) Answer(flight->key, waiter, result, MemoryTier::kDisk);
  waiters.clear();  // what the callbacks hold goes before the loader's owner is let go
  MutexLock lock(mutex_);
  if (--unanswered_ == 0) idle_.SignalAll();
}

void MemoryLoader::Impl::Answer(const MemoryKey& key, Waiter& waiter,
                                absl::StatusOr<SharedMemory> result, MemoryTier tier) const {
  waiter.done({.key = key,
               .tensor = std::move(result),
               .tier = tier,
               .load_time = clock_.Steady() - waiter.start});
}

void MemoryLoader::Impl::Insert(const MemoryKey& key, SharedMemory memory) {
  M3_CHECK(memory != nullptr && memory->shape == shape_);
  std::vector<SharedMemory> evicted;  // outlives the lock
  MutexLock lock(mutex_);
  cache_.Put(key, std::move(memory), &evicted);
}

void MemoryLoader::Impl::Forget(const MemoryKey& key) {
  SharedMemory removed;  // outlives the lock
  MutexLock lock(mutex_);
  removed = cache_.Remove(key);
  quarantine_.erase(key);
  const auto found = flights_.find(key);
  if (found == flights_.end()) return;
  found->second->keep = false;
  flights_.erase(found);
}

MemoryLoaderCounters MemoryLoader::Impl::counters() const {
  MutexLock lock(mutex_);
  MemoryLoaderCounters counters = counters_;
  counters.host_cache_bytes = cache_.bytes();
  return counters;
}

void MemoryLoader::Impl::WaitUntilIdle() {
  MutexLock lock(mutex_);
  while (unanswered_ > 0) idle_.Wait(mutex_);
}

MemoryLoader::MemoryLoader(const MemoryLoaderOptions& options, const MemoryStore& store,
                           MemoryReader& reader, Clock* clock)
    : impl_(std::make_shared<Impl>(options, store, reader, clock)) {}

MemoryLoader::~MemoryLoader() { impl_->WaitUntilIdle(); }

void MemoryLoader::Load(const MemoryKey& key, Done done) { impl_->Load(key, std::move(done)); }

void MemoryLoader::Insert(const MemoryKey& key, std::shared_ptr<const MemoryTensor> tensor) {
  impl_->Insert(key, std::move(tensor));
}

void MemoryLoader::Forget(const MemoryKey& key) { impl_->Forget(key); }

MemoryLoaderCounters MemoryLoader::counters() const { return impl_->counters(); }

}  // namespace memory3
