// An engine with explicit memory on a FakeRunner, a scripted retriever and a bank in memory behind
// the real loader; and what such an engine must say, worked out one token at a time without it.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_MEMORY_HARNESS_H_
#define MEMORY3_TESTS_UNIT_ENGINE_MEMORY_HARNESS_H_

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/memory/memory_loader.h"
#include "engine/text/utf8.h"
#include "tests/unit/engine/engine_harness.h"
#include "tests/unit/engine/scripted_retriever.h"
#include "tests/unit/engine/test_bank.h"

namespace memory3 {

inline RunnerInfo MemoryRunnerInfo(int chunk_tokens = 4) {
  RunnerInfo info = SmallRunnerInfo();
  info.max_context = 400;
  info.kv_blocks = 400;
  info.memory = {.shape = TestMemoryShape(),
                 .slots = 16,
                 .memories_per_chunk = 2,
                 .chunk_tokens = chunk_tokens,
                 .reference_tokens = 8,
                 .prefix_tokens = 2,
                 .position_offset = 10,
                 .max_references_per_encode = 2};
  return info;
}

struct MemoryHarnessOptions {
  RunnerInfo info = MemoryRunnerInfo();
  EngineMemory memory = {};
  EngineOptions engine = {};
  MemoryId bank_size = 40;
  int64_t host_cache_bytes = 0;
  int max_delay_us = 0;  // of retrievals and reads; 0: at once
  uint32_t seed = 1;
  bool gated = false;
  EngineObserver* observer = nullptr;
  bool real_clock = false;
  std::function<ColdReferences*(MemoryLoader&)> cold;
};

inline GenerationRequest MemoryRequestFor(std::vector<int32_t> prompt, int max_tokens,
                                          MemoryPolicy policy = MemoryPolicy::kStrict) {
  GenerationRequest request = MakeRequest(std::move(prompt), max_tokens);
  request.ignore_eos = true;
  request.memory = {.enabled = true, .policy = policy, .details = true};
  return request;
}

// A prompt of `size` tokens that tells itself from others by `seed`.
inline std::vector<int32_t> PromptOf(int size, uint32_t seed = 0) {
  std::vector<int32_t> prompt;
  for (int i = 0; i < size; ++i) prompt.push_back('a' + (i * 7 + seed * 11 + i * i % 5) % 26);
  return prompt;
}

// Waits for another thread to bring something about.
inline bool Await(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return false;
}

struct MemoryHarness {
  explicit MemoryHarness(MemoryHarnessOptions harness_options = {})
      : options(std::move(harness_options)),
        bank(options.bank_size, options.max_delay_us, options.seed),
        retriever(options.bank_size, options.info.memory.memories_per_chunk, options.max_delay_us,
                  options.seed + 1),
        loader({.host_cache_bytes = options.host_cache_bytes}, bank, bank, nullptr) {
    auto owned = std::make_unique<FakeRunner>(options.info);
    runner = owned.get();
    if (options.gated) {
      runner->before_run = [this](const Batch&) {
        gate.Pass();
        return absl::OkStatus();
      };
    }
    options.engine.memory = options.memory;
    options.engine.memory->retriever = &retriever;
    options.engine.memory->store = &bank;
    options.engine.memory->loader = &loader;
    if (options.cold) options.engine.memory->cold = options.cold(loader);
    absl::StatusOr<std::unique_ptr<Engine>> created =
        Engine::Create(options.engine, std::move(owned), tokenizer, options.observer,
                       options.real_clock ? nullptr : &clock);
    M3_CHECK(created.ok());
    engine = *std::move(created);
  }
  ~MemoryHarness() {
    gate.Open();
    // The loader waits for its reads.
    bank.courier.StopHolding();
  }

  Generation Submit(GenerationRequest request) {
    absl::StatusOr<Generation> generation = engine->Submit(std::move(request));
    M3_CHECK(generation.ok());
    return *std::move(generation);
  }
  bool AwaitWaiting(int sequences) {
    return Await([&] { return engine->Snapshot().waiting_for_memory == sequences; });
  }
  bool AllFree() const {
    const EngineSnapshot snapshot = engine->Snapshot();
    return snapshot.kv_blocks_used == 0 && snapshot.running == 0 && snapshot.queued == 0 &&
           snapshot.waiting_for_memory == 0 && snapshot.memory_slots_used == 0 &&
           runner->open_slots() == 0;
  }

  MemoryHarnessOptions options;
  ManualClock clock;
  ByteTokenizer tokenizer;
  StepGate gate;
  TestBank bank;
  ScriptedRetriever retriever;
  MemoryLoader loader;
  FakeRunner* runner = nullptr;
  std::unique_ptr<Engine> engine;  // destroyed first
};

// What a request with memory must give: tokens, and the memories that every row sees.
struct ExpectedAnswer {
  std::vector<int32_t> tokens;
  std::vector<std::vector<MemoryId>> memories_of_row;
  std::vector<std::vector<MemoryId>> memories_of_chunk;
};

// What the parts around the loop do, as functions.
struct LoopParts {
  std::function<std::vector<RetrievedMemory>(std::string)> ids_for;  // the retriever
  std::function<bool(MemoryId)> can_load = [](MemoryId) { return true; };
  std::function<uint64_t(MemoryId)> seed_of = [](MemoryId id) { return id; };  // of MakeTestMemory
};

// The rules of the loop said once more, plainly: one row at a time, every set looked up on the
// spot.
inline ExpectedAnswer AnswerOf(const GenerationRequest& request, RunnerInfo info, int lead,
                               const LoopParts& parts) {
  const int chunk = info.memory.chunk_tokens;
  const int prompt = static_cast<int>(request.prompt.size());
  info.max_sequences = 1;
  info.memory.slots = info.memory.memories_per_chunk;
  FakeRunner runner(info);
  const ByteTokenizer tokenizer;
  std::vector<int32_t> context = request.prompt;
  ExpectedAnswer expected;
  std::vector<MemoryId> set;
  const auto retrieve = [&](int begin, int end) {
    const std::vector<int32_t> ids(context.begin() + std::max(0, begin), context.begin() + end);
    std::vector<MemoryId> chosen;
    for (const RetrievedMemory& memory :
         parts.ids_for(ReplaceInvalidUtf8(tokenizer.Decode(ids, true)))) {
      const bool is_new = std::count(chosen.begin(), chosen.end(), memory.id) == 0;
      if (is_new && static_cast<int>(chosen.size()) < info.memory.memories_per_chunk) {
        chosen.push_back(memory.id);
      }
    }
    std::erase_if(chosen, [&](MemoryId id) { return !parts.can_load(id); });
    for (MemoryId& id : chosen) id = parts.seed_of(id);
    set = chosen;
    expected.memories_of_chunk.push_back(set);
  };
  std::vector<KvBlockId> blocks;
  for (int i = 0; i * info.kv_block_tokens < prompt + request.max_tokens; ++i) blocks.push_back(i);
  runner.BeginSequence(0, request.sampling, request.prompt);
  for (int row = 0; row < prompt + request.max_tokens - 1; ++row) {
    if (row < prompt && row % chunk == 0) {
      if (row + chunk <= prompt)
        retrieve(row, row + chunk);
      else
        retrieve(prompt - chunk, prompt);
    } else if (row > prompt && (row - prompt) % chunk == 0) {
      // Row of generated token t = row - prompt, asked for when token t - 1 - lead was newest.
      retrieve(row - lead - chunk, row - lead);
    }
    std::vector<MemorySlot> slots;
    for (size_t i = 0; i < set.size(); ++i) {
      slots.push_back(static_cast<MemorySlot>(i));
      M3_CHECK(runner.FillSlot(slots.back(), MakeTestMemory(info.memory.shape, set[i])).ok());
    }
    expected.memories_of_row.push_back(set);
    const RowMemories memories{.first_row = 0, .slots = slots};
    Batch batch;
    batch.sequences.push_back({.slot = 0,
                               .tokens = absl::MakeConstSpan(&context[row], 1),
                               .first_position = row,
                               .block_table = blocks,
                               .sample = row >= prompt - 1,
                               .use_memory = true,
                               .memories = absl::MakeConstSpan(&memories, 1)});
    StepOutput output;
    M3_CHECK(runner.Run(batch, &output).ok());
    if (row < prompt - 1) continue;
    context.push_back(output.sampled[0].token);
    expected.tokens.push_back(output.sampled[0].token);
  }
  M3_CHECK(runner.violations().empty());
  return expected;
}

inline LoopParts PartsOf(const MemoryHarness& harness) {
  return {.ids_for = [&options = harness.options](const std::string& text) {
    return IdsFor(text, options.bank_size, options.info.memory.memories_per_chunk);
  }};
}
inline ExpectedAnswer AnswerOf(const GenerationRequest& request, const MemoryHarness& harness) {
  return AnswerOf(request, harness.options.info, harness.options.memory.lead_tokens,
                  PartsOf(harness));
}

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_MEMORY_HARNESS_H_
