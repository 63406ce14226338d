// An engine with explicit memory of real parts: the CPU runner, records on a disk, a reader, the
// loader. Only the retriever is scripted.
#ifndef MEMORY3_TESTS_INTEGRATION_MEMORY_ENGINE_H_
#define MEMORY3_TESTS_INTEGRATION_MEMORY_ENGINE_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/memory_store.h"
#include "engine/memory/reader_factory.h"
#include "tests/integration/cpu_engine.h"
#include "tests/unit/engine/scripted_retriever.h"
#include "tests/unit/memory/faulty_reader.h"
#include "tests/unit/memory/reader_testing.h"

namespace memory3 {

inline SynthShape MemoryByteShape() {
  SynthShape shape = ByteShape();
  shape.context = 256;
  return shape;
}

inline CpuRunnerOptions MemoryRunnerOptions(DType dtype, int slots, int max_sequences) {
  CpuRunnerOptions options = {
      .dtype = dtype, .threads = 2, .max_sequences = max_sequences, .max_batch_rows = 128};
  RunnerMemoryOptions memory;
  memory.config.layers = {0};
  memory.config.reference_tokens = 32;
  memory.config.kept_tokens = 4;
  memory.config.memories_per_chunk = 3;
  memory.config.chunk_tokens = 16;
  memory.prefix_ids = {'R', ':'};
  memory.slots = slots;
  options.memory = std::move(memory);
  return options;
}

// Memories of `count` random references, encoded by the model and written to one file.
class EncodedBank final : public MemoryStore {
 public:
  EncodedBank(const SynthShape& shape, DType dtype, MemoryId count) {
    const ByteTokenizer tokenizer;
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        CreateCpuEngine(shape, MemoryRunnerOptions(dtype, 3, 1), {}, tokenizer);
    M3_CHECK(engine.ok());
    shape_ = (*engine)->runner_info().memory.shape;
    std::mt19937 random(7);
    std::vector<std::vector<int32_t>> references(count);
    for (std::vector<int32_t>& reference : references) {
      reference.resize(1 + random() % 32);
      for (int32_t& id : reference) id = static_cast<int32_t>(random() % 256);
    }
    std::promise<std::vector<std::shared_ptr<const MemoryTensor>>> made;
    M3_CHECK((*engine)
                 ->EncodeReferences(references,
                                    [&made](auto memories) {
                                      M3_CHECK(memories.ok());
                                      made.set_value(*std::move(memories));
                                    })
                 .ok());
    Write(made.get_future().get());
  }

  const MemoryShape& shape() const override { return shape_; }
  uint64_t epoch() const override { return kTestEpoch; }
  bool IsOpen(uint64_t epoch) const override { return epoch == kTestEpoch; }
  absl::StatusOr<RecordPlace> Find(const MemoryKey& key) const override {
    if (key.epoch != kTestEpoch || key.id >= places_.size()) {
      return absl::NotFoundError("no such memory");
    }
    return places_[key.id];
  }
  const std::shared_ptr<const RecordFile>& file() const { return places_.front().file; }
  MemoryId size() const { return places_.size(); }

 private:
  void Write(const std::vector<std::shared_ptr<const MemoryTensor>>& memories) {
    const std::filesystem::path path = folder_.path() / "records";
    std::ofstream out(path, std::ios::binary);
    for (const std::shared_ptr<const MemoryTensor>& memory : memories) {
      out.write(reinterpret_cast<const char*>(memory->bytes.data()),
                static_cast<std::streamsize>(memory->bytes.size()));
    }
    out.close();
    absl::StatusOr<std::shared_ptr<const RecordFile>> file =
        RecordFile::Open(path, /*direct=*/true);
    M3_CHECK(out.good() && file.ok());
    for (size_t id = 0; id < memories.size(); ++id) {
      const MemoryTensor& memory = *memories[id];
      places_.push_back({.file = *file,
                         .offset = static_cast<int64_t>(id) * RecordBytes(shape_),
                         .tokens = memory.tokens,
                         .checksum = RecordChecksum(id, memory.tokens, memory.bytes)});
    }
  }

  const TempFolder folder_;
  MemoryShape shape_;
  std::vector<RecordPlace> places_;
};

// What may be different around a request without a word of its answer changing.
struct MemorySurroundings {
  ReaderKind reader = ReaderKind::kPread;
  int64_t host_cache_bytes = 0;
  int slots = 24;
  int max_sequences = 4;
  int max_batch_tokens = 128;
  int chunks_held = 2;
  int max_delay_us = 0;  // of reads and retrievals
  bool retriever_fails_at_times = false;
};

struct MemoryEngine {
  MemoryEngine(const SynthShape& shape, DType dtype, const EncodedBank& bank,
               const MemorySurroundings& around, int lead_tokens)
      : retriever(bank.size(), 3, around.max_delay_us) {
    absl::StatusOr<MemoryReaderChoice> choice =
        CreateMemoryReader({.kind = around.reader}, bank.file());
    M3_CHECK(choice.ok());
    device = std::move(choice->reader);
    reader = std::make_unique<FaultyReader>(
        *device, [delay = around.max_delay_us](int64_t number, int64_t) {
          ReadFault fault;
          if (delay > 0) fault.delay = absl::Microseconds(number * 7919 % delay);
          return fault;
        });
    loader = std::make_unique<MemoryLoader>(
        MemoryLoaderOptions{.host_cache_bytes = around.host_cache_bytes}, bank, *reader, nullptr);
    if (around.retriever_fails_at_times) {
      retriever.SetChange(
          [calls = 0](RetrievalAnswer right) mutable -> absl::StatusOr<RetrievalAnswer> {
            if (calls++ % 3 == 1) return absl::UnavailableError("the sidecar is restarting");
            return right;
          });
    }
    EngineOptions options = {.max_batch_tokens = around.max_batch_tokens};
    options.memory = EngineMemory{.retriever = &retriever,
                                  .store = &bank,
                                  .loader = loader.get(),
                                  .lead_tokens = lead_tokens,
                                  .chunks_held = around.chunks_held};
    absl::StatusOr<std::unique_ptr<Engine>> created = CreateCpuEngine(
        shape, MemoryRunnerOptions(dtype, around.slots, around.max_sequences), options, tokenizer);
    M3_CHECK(created.ok());
    engine = *std::move(created);
  }

  const ByteTokenizer tokenizer;
  ScriptedRetriever retriever;
  std::unique_ptr<MemoryReader> device;
  std::unique_ptr<FaultyReader> reader;
  std::unique_ptr<MemoryLoader> loader;
  std::unique_ptr<Engine> engine;  // destroyed first
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_MEMORY_ENGINE_H_
