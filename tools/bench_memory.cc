// memory3-bench memory: what explicit memory costs a batch, every memory read from disk.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/record_size.h"
#include "engine/memory/memory_loader.h"
#include "engine/memory/reader_factory.h"
#include "engine/memory/record_buffers.h"
#include "tools/bench_commands.h"
#include "tools/bench_flags.h"
#include "tools/bench_subject.h"
#include "tools/bench_workload.h"
#include "tools/engine_load.h"
#include "tools/synthetic_bank.h"

ABSL_FLAG(std::string, scratch_dir, "/tmp",
          "Folder on the disk to measure; a file of records is made there and removed again.");
ABSL_FLAG(std::vector<std::string>, lead_tokens, std::vector<std::string>({"0", "8"}),
          "Tokens before a boundary at which the query leaves; a row for each.");
ABSL_FLAG(bool, text_in_prompt, true,
          "Also a row with five references as text in every prompt instead of memories.");

namespace memory3 {
namespace {

// Enough tokens to touch every buffer and wake every thread before measuring.
constexpr int kWarmUpTokens = 4;
constexpr int kFixedBuffers = 64;

struct MemoryParts {
  std::unique_ptr<SyntheticBank> bank;
  std::unique_ptr<RoundRobinRetriever> retriever;
  std::unique_ptr<MemoryReader> reader;
  std::unique_ptr<MemoryLoader> loader;  // last: reads the bank through the reader
  std::string reader_line;
};

// Reads for one run of `sequences`: every prompt chunk's memories and every later answer chunk's.
int MemoriesOfRun(const RunnerMemoryInfo& info, int sequences) {
  const auto chunks = [&](int tokens) {
    return (tokens + info.chunk_tokens - 1) / info.chunk_tokens;
  };
  return sequences * info.memories_per_chunk *
         (chunks(absl::GetFlag(FLAGS_prompt)) + chunks(absl::GetFlag(FLAGS_generate)));
}

absl::StatusOr<MemoryParts> MakeMemoryParts(Runner& runner, int sequences) {
  MemoryParts parts;
  const RunnerMemoryInfo& info = runner.info().memory;
  // Twice a run's, and more than there are slots: what is named again has left the device.
  const int records = 2 * std::max(MemoriesOfRun(info, sequences), info.slots);
  M3_ASSIGN_OR_RETURN(parts.bank, SyntheticBank::Create(runner, absl::GetFlag(FLAGS_scratch_dir),
                                                        records, absl::GetFlag(FLAGS_seed)));
  parts.retriever = std::make_unique<RoundRobinRetriever>(records, info.memories_per_chunk);
  MemoryLoaderOptions loader = {.host_cache_bytes = 0};
  const int64_t record_bytes = RecordBytes(parts.bank->shape());
  loader.buffers =
      RecordBuffers::Create(record_bytes, LoaderBuffers(loader, record_bytes), kFixedBuffers);
  MemoryReaderOptions reader;
  reader.buffers = loader.buffers;
  M3_ASSIGN_OR_RETURN(const RecordPlace first, parts.bank->Find({SyntheticBank::kEpoch, 0}));
  M3_ASSIGN_OR_RETURN(MemoryReaderChoice choice, CreateMemoryReader(reader, first.file));
  parts.reader = std::move(choice.reader);
  parts.reader_line = std::move(choice.summary);
  parts.loader = std::make_unique<MemoryLoader>(loader, *parts.bank, *parts.reader, nullptr);
  return parts;
}

struct Setting {
  std::string name;
  int prompt = 0;
  MemoryRequest memory;
};

// Each run of the settings follows one of the others: a machine with neighbours changes from minute
// to minute, and only what was measured side by side can be divided.
std::vector<LoadSummary> Measure(Engine& engine, int batch, absl::Span<const Setting> settings) {
  const int generate = absl::GetFlag(FLAGS_generate);
  const uint64_t seed = absl::GetFlag(FLAGS_seed);
  const auto run = [&](const Setting& setting, int tokens) {
    return RunEngineLoad(engine, UniformWorkload(batch, setting.prompt, tokens), seed,
                         setting.memory);
  };
  for (const Setting& setting : settings) run(setting, std::min(generate, kWarmUpTokens));
  std::vector<std::vector<LoadSummary>> runs(settings.size());
  for (int repeat = 0; repeat < absl::GetFlag(FLAGS_repeat); ++repeat) {
    for (size_t i = 0; i < settings.size(); ++i) {
      runs[i].push_back(Summarize(run(settings[i], generate)));
    }
  }
  std::vector<LoadSummary> medians;
  for (std::vector<LoadSummary>& of_setting : runs) medians.push_back(MedianOf(of_setting));
  return medians;
}

void AddRow(int batch, int lead, const Setting& setting, const LoadSummary& summary,
            const LoadSummary& plain, Table* table) {
  table->AddRow({Cell(int64_t{batch}), Cell(setting.name),
                 setting.memory.enabled ? Cell(int64_t{lead}) : Cell(),
                 Cell(summary.output_tokens_per_second, 1),
                 Cell(summary.output_tokens_per_second / plain.output_tokens_per_second, 3),
                 Cell(summary.ttft.At(50) * 1e3, 1), Cell(summary.itl.At(50) * 1e3, 2),
                 Cell(summary.itl.At(99) * 1e3, 2),
                 setting.memory.enabled ? Cell(100 * summary.memory_wait_share, 2) : Cell(),
                 Cell(DescribeErrors(summary))});
}

// Every batch size with one engine, whose lead is fixed.
absl::Status MeasureLead(int lead, absl::Span<const int> batches, BenchReport* report) {
  const int sequences = *std::max_element(batches.begin(), batches.end());
  const int prompt = absl::GetFlag(FLAGS_prompt);
  M3_ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(absl::GetFlag(FLAGS_model_dir)));
  M3_ASSIGN_OR_RETURN(
      const MemoryConfig memory,
      LoadMemoryConfig(absl::GetFlag(FLAGS_model_dir), absl::GetFlag(FLAGS_memory_config), config));
  const int references = memory.memories_per_chunk * memory.reference_tokens;
  // With memory a context begins after the prefix and one reference; as text it holds all five.
  const int context =
      std::min(config.max_context, prompt + absl::GetFlag(FLAGS_generate) + references);
  M3_ASSIGN_OR_RETURN(
      BenchSubject subject,
      LoadBenchSubject(sequences, context, 2 * memory.memories_per_chunk * sequences));
  M3_ASSIGN_OR_RETURN(MemoryParts parts, MakeMemoryParts(*subject.runner, sequences));
  M3_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                      StartBenchEngine(subject, sequences, context,
                                       EngineMemory{.retriever = parts.retriever.get(),
                                                    .store = parts.bank.get(),
                                                    .loader = parts.loader.get(),
                                                    .lead_tokens = lead}));
  std::vector<Setting> settings = {
      {"no memory", prompt, {}},
      {"memory", prompt, {.enabled = true, .policy = MemoryPolicy::kStrict, .details = true}}};
  if (absl::GetFlag(FLAGS_text_in_prompt)) {
    settings.push_back({"text in prompt", prompt + references, {}});
  }
  for (const int batch : batches) {
    const uint64_t loads = parts.loader->counters().disk_loads;
    const std::vector<LoadSummary> summaries = Measure(*engine, batch, settings);
    for (size_t i = 0; i < settings.size(); ++i) {
      AddRow(batch, lead, settings[i], summaries[i], summaries.front(), &report->table);
    }
    report->notes.emplace_back(absl::StrCat("batch ", batch, ", lead ", lead),
                               absl::StrFormat("%d memories read from disk, %d from the host cache",
                                               parts.loader->counters().disk_loads - loads,
                                               parts.loader->counters().host_hits));
  }
  report->notes.emplace_back("runner", engine->runner_info().device);
  report->notes.emplace_back("memories",
                             absl::StrCat(Describe(parts.bank->shape()), ": ",
                                          RecordBytes(parts.bank->shape()), " bytes each"));
  report->notes.emplace_back("reader", parts.reader_line);
  return absl::OkStatus();
}

}  // namespace

absl::Status BenchMemory(BenchReport* report) {
  M3_RETURN_IF_ERROR(CheckSharedFlags());
  M3_ASSIGN_OR_RETURN(const std::vector<int> batches,
                      PositiveNumbers("batch", absl::GetFlag(FLAGS_batch)));
  report->table = Table({"batch", "setting", "lead", "output tok/s", "÷ no memory", "TTFT p50 ms",
                         "ITL p50 ms", "ITL p99 ms", "wait %", "errors"});
  for (const std::string& text : absl::GetFlag(FLAGS_lead_tokens)) {
    int lead = 0;
    if (!absl::SimpleAtoi(text, &lead) || lead < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--lead_tokens: \"", text, "\" is not a number of tokens"));
    }
    M3_RETURN_IF_ERROR(MeasureLead(lead, batches, report));
  }
  report->explanations = {
      "memory: every prompt chunk and every later answer chunk attends to five memories that were "
      "read from disk for it (strict policy, no host cache, no memory named twice in a run).",
      "text in prompt: the same number of references as text, in front of every prompt.",
      "output tok/s: generated tokens ÷ time from the first request to the last token, prompts "
      "included. wait %: of the time between first and last tokens, stood still at boundaries.",
      "TTFT: request to first token. ITL: token to token. Medians of runs, settings in turn."};
  return absl::OkStatus();
}

}  // namespace memory3
