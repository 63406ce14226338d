#include "server/served_memory.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/record_size.h"
#include "engine/memory/reader_factory.h"
#include "engine/memory/record_buffers.h"

namespace memory3 {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Seconds(1);
// Registered with io_uring: as many as are read at once.
constexpr int kFixedBuffers = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<ServedMemory>> ServedMemory::Open(const MemoryOptions& options,
                                                                 const Model& model) {
  std::unique_ptr<ServedMemory> memory(new ServedMemory(options, model));
  M3_RETURN_IF_ERROR(memory->Start());
  return memory;
}

absl::Status ServedMemory::Start() {
  M3_ASSIGN_OR_RETURN(std::shared_ptr<const Bank> bank,
                      OpenFittingBank(options_.bank, model_.fingerprint, model_.shape));
  if (!options_.taught_dir.empty()) {
    M3_ASSIGN_OR_RETURN(taught_,
                        TaughtLog::Open(options_.taught_dir, model_.fingerprint, model_.shape));
    M3_RETURN_IF_ERROR(taught_->Bind(bank->manifest()));
  }
  std::shared_ptr<const RecordFile> probe;
  if (const absl::StatusOr<RecordPlace> first = bank->Place(0); first.ok()) probe = first->file;
  store_ = std::make_unique<BankStore>(std::move(bank), taught_);

  MemoryLoaderOptions loader;
  loader.host_cache_bytes = options_.host_cache_bytes;
  const int64_t record_bytes = RecordBytes(model_.shape);
  loader.buffers =
      RecordBuffers::Create(record_bytes, LoaderBuffers(loader, record_bytes), kFixedBuffers);
  MemoryReaderOptions reader;
  reader.kind = options_.reader;
  reader.direct = options_.direct;
  reader.buffers = loader.buffers;
  M3_ASSIGN_OR_RETURN(MemoryReaderChoice choice, CreateMemoryReader(reader, probe));
  reader_ = std::move(choice.reader);
  reader_summary_ = std::move(choice.summary);
  loader_ = std::make_unique<MemoryLoader>(loader, *store_, *reader_, nullptr);
  retrieval_ = std::make_unique<RetrievalClient>(
      options_.retrieval_target, model_.memories_per_chunk, std::random_device{}(), nullptr);
  return absl::OkStatus();
}

ServedMemory::~ServedMemory() {
  stopping_.store(true);
  stop_watching_.Set();
  if (watcher_.joinable()) watcher_.join();
}

EngineMemory ServedMemory::ForEngine() {
  return {.retriever = retrieval_.get(),
          .store = store_.get(),
          .loader = loader_.get(),
          .cold = this,
          .lead_tokens = options_.lead_tokens,
          .retrieval_timeout = options_.retrieval_timeout,
          .boundary_deadline = options_.boundary_deadline,
          .strict_timeout = options_.strict_timeout,
          .backoff_seed = std::random_device{}()};
}

void ServedMemory::WatchBank(Logger& log) {
  watcher_ = std::thread([this, &log] {
    BankWatcher watcher(options_.bank, model_.fingerprint, *store_, taught_.get(), bank_watch_,
                        clock_, log);
    while (!stopping_.load()) {
      stop_watching_.WaitFor(kBetweenLooks);
      if (!stopping_.load()) watcher.Look();
    }
  });
}

void ServedMemory::Tokens(const MemoryKey& key, TokensDone done) {
  // Shared, because the queue may refuse the task and then takes nothing.
  auto callback = std::make_shared<TokensDone>(std::move(done));
  const bool queued = disk_work_.TryPush([this, key, callback] {
    const absl::StatusOr<ReferenceText> reference = store_->Text(key);
    if (!reference.ok()) return (*callback)(reference.status());
    std::vector<int32_t> ids = model_.tokenizer->Encode(
        reference->text, {.add_special_tokens = false, .parse_special_tokens = false});
    ids.resize(std::min(ids.size(), static_cast<size_t>(model_.reference_tokens)));
    (*callback)(std::move(ids));
  });
  if (!queued) (*callback)(absl::ResourceExhaustedError("too many references wait to be read"));
}

void ServedMemory::Keep(const MemoryKey& key, std::shared_ptr<const MemoryTensor> memory) {
  loader_->Insert(key, memory);
  if (taught_ == nullptr) return;
  // When the queue is full, or the disk, the reference is encoded again some other time.
  [[maybe_unused]] const bool queued = disk_work_.TryPush(
      [this, key, memory] { (void)taught_->Encode(key, memory->tokens, memory->bytes); });
}

}  // namespace memory3
