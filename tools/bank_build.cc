// memory3-bank build: texts to a bank.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/device_runner.h"
#include "engine/memory/bank_builder.h"
#include "engine/memory/reference_prefix.h"
#include "engine/model/fingerprint.h"
#include "engine/model/memory_config.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "engine/text/tokenizer.h"
#include "retrieval/index/build_index.h"
#include "retrieval/index/retrieval_index.h"
#include "tools/bank_commands.h"

ABSL_FLAG(std::string, model_dir, "",
          "build: Hugging Face folder of the model that will read the bank.");
ABSL_FLAG(std::string, input, "",
          "build: a .txt, .md or .jsonl file, or a folder of them. A line of .jsonl is an object "
          "with text and optionally id, title and source.");
ABSL_FLAG(std::string, out, "", "build: folder of the bank; must not exist.");
ABSL_FLAG(uint64_t, epoch, 1, "build: version of the bank; a server swaps to a larger one.");
ABSL_FLAG(
    bool, cold, false,
    "build: texts and index only; a memory is encoded when its reference is first retrieved.");
ABSL_FLAG(int64_t, records_per_file, 0,
          "build: memories in one file, the unit that a killed build goes on from; 0: 64 MiB's, "
          "and at most 128 files.");
ABSL_FLAG(bool, restart, false,
          "build: throw away an unfinished build of other inputs or options.");
ABSL_FLAG(std::string, memory_config, "",
          "build: JSON object that overrides config.json's memory3, e.g. '{\"kept_tokens\": 16}'.");
ABSL_FLAG(std::string, device, "auto",
          "build: where references are encoded: cpu, cuda, or auto: cuda where it can be had.");
ABSL_FLAG(std::string, dtype, "bf16", "build: weights while encoding: bf16 as served, or f32.");
ABSL_FLAG(int, threads, 0, "build: compute threads of the CPU; 0: one per core.");
ABSL_FLAG(std::string, embedder, "lexical", "build: lexical, or transformer with --embedder_dir.");
ABSL_FLAG(int, embedder_dimensions, 1024, "build: of the lexical embedder's vectors.");
ABSL_DECLARE_FLAG(std::string, embedder_dir);

namespace memory3 {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(2);

// "encode 1200 of 5000, 61/s, 62 s left", at most every kBetweenLines.
class ProgressPrinter {
 public:
  void operator()(std::string_view stage, int64_t done, int64_t total) {
    const absl::Time now = absl::Now();
    if (stage == "encode") encoding_ = now - (stage == stage_ ? began_ : now);
    if (stage != stage_) {
      stage_ = std::string(stage);
      began_ = now;
      done_before_ = done;
    } else if (now - printed_ < kBetweenLines && done < total) {
      return;
    }
    printed_ = now;
    const double rate = static_cast<double>(done - done_before_) /
                        std::max(1e-9, absl::ToDoubleSeconds(now - began_));
    std::string line = absl::StrFormat("%s %d of %d", stage_, done, total);
    if (done > done_before_ && now > began_) {
      absl::StrAppendFormat(&line, ", %.1f/s, %.0f s left", rate,
                            static_cast<double>(total - done) / rate);
    }
    std::fprintf(stderr, "%s\n", line.c_str());
  }

  // From the stage's first call to its last.
  absl::Duration encoding() const { return encoding_; }

 private:
  absl::Duration encoding_;
  std::string stage_;
  absl::Time began_, printed_ = absl::InfinitePast();
  int64_t done_before_ = 0;
};

absl::StatusOr<DType> DTypeFromFlag() {
  const std::string name = absl::GetFlag(FLAGS_dtype);
  if (name == "bf16") return DType::kBF16;
  if (name == "f32") return DType::kF32;
  return absl::InvalidArgumentError(absl::StrCat("--dtype: must be bf16 or f32, got ", name));
}

absl::StatusOr<IndexBuildOptions> IndexOptionsFromFlags() {
  IndexBuildOptions options;
  const std::string kind = absl::GetFlag(FLAGS_embedder);
  if (kind == "transformer") {
    options.embedder.kind = EmbedderKind::kTransformer;
    options.embedder.model_dir = absl::GetFlag(FLAGS_embedder_dir);
    if (options.embedder.model_dir.empty()) {
      return absl::InvalidArgumentError(
          "--embedder_dir: must be given with --embedder=transformer");
    }
  } else if (kind != "lexical") {
    return absl::InvalidArgumentError(
        absl::StrCat("--embedder: must be lexical or transformer, got ", kind));
  }
  options.embedder.lexical_dimensions = absl::GetFlag(FLAGS_embedder_dimensions);
  return options;
}

struct Encoder {
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Runner> runner;
  std::string fingerprint;
};

absl::StatusOr<Encoder> LoadEncoder(const std::string& folder) {
  Encoder encoder;
  DeviceRunnerOptions options;
  M3_ASSIGN_OR_RETURN(options.device, ParseDevice(absl::GetFlag(FLAGS_device)));
  M3_ASSIGN_OR_RETURN(options.dtype, DTypeFromFlag());
  M3_ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(folder));
  RunnerMemoryOptions memory;
  M3_ASSIGN_OR_RETURN(memory.config,
                      LoadMemoryConfig(folder, absl::GetFlag(FLAGS_memory_config), config));
  M3_ASSIGN_OR_RETURN(encoder.tokenizer, LoadTokenizer(folder));
  M3_ASSIGN_OR_RETURN(memory.prefix_ids,
                      ReferencePrefixIds(memory.config, config, *encoder.tokenizer));
  memory.slots = memory.config.memories_per_chunk;
  M3_ASSIGN_OR_RETURN(const ModelWeights weights, ModelWeights::Open(folder, config));
  encoder.fingerprint = ModelFingerprint(config, memory.config, memory.prefix_ids, weights);
  options.threads = absl::GetFlag(FLAGS_threads);
  options.max_sequences = 1;
  options.kv_cache_bytes = int64_t{16} << 20;
  options.memory = std::move(memory);
  M3_ASSIGN_OR_RETURN(encoder.runner, CreateDeviceRunner(config, weights, options));
  return encoder;
}

}  // namespace

absl::Status BankBuild() {
  const std::string model_dir = absl::GetFlag(FLAGS_model_dir);
  if (model_dir.empty()) return absl::InvalidArgumentError("--model_dir: must be given");
  BankBuildOptions options;
  options.input = absl::GetFlag(FLAGS_input);
  options.out = absl::GetFlag(FLAGS_out);
  if (options.input.empty()) return absl::InvalidArgumentError("--input: must be given");
  if (options.out.empty()) return absl::InvalidArgumentError("--out: must be given");
  if (!options.out.has_filename()) options.out = options.out.parent_path();
  options.epoch = absl::GetFlag(FLAGS_epoch);
  if (options.epoch < 1 || options.epoch > static_cast<uint64_t>(INT64_MAX)) {
    return absl::InvalidArgumentError("--epoch: must be at least 1 and below 2^63");
  }
  options.cold = absl::GetFlag(FLAGS_cold);
  options.records_per_file = absl::GetFlag(FLAGS_records_per_file);
  if (options.records_per_file < 0 || options.records_per_file > kMaxReferences) {
    return absl::InvalidArgumentError(
        absl::StrCat("--records_per_file: must be in [0, ", kMaxReferences, "]"));
  }
  options.restart = absl::GetFlag(FLAGS_restart);
  M3_ASSIGN_OR_RETURN(IndexBuildOptions index, IndexOptionsFromFlags());
  options.index_options =
      absl::StrCat(absl::GetFlag(FLAGS_embedder), " ", absl::GetFlag(FLAGS_embedder_dimensions));
  M3_ASSIGN_OR_RETURN(const Encoder encoder, LoadEncoder(model_dir));
  options.model_fingerprint = encoder.fingerprint;
  options.encoder_options = absl::GetFlag(FLAGS_dtype);

  BankBuildHooks hooks;
  ProgressPrinter printer;
  hooks.progress = [&printer](std::string_view stage, int64_t done, int64_t total) {
    printer(stage, done, total);
  };
  index.progress = hooks.progress;
  hooks.build_index = [&](const TextsFile& texts,
                          const std::filesystem::path& folder) -> absl::StatusOr<std::string> {
    M3_RETURN_IF_ERROR(BuildRetrievalIndex(
        index, texts.count(),
        [&texts](int64_t id) -> absl::StatusOr<std::string> {
          M3_ASSIGN_OR_RETURN(const ReferenceText reference, texts.Read(id));
          return RetrievalText(reference);
        },
        folder));
    M3_ASSIGN_OR_RETURN(const auto opened,
                        RetrievalIndex::Open(folder, {.embedder = {index.embedder.model_dir}}));
    return std::string(opened->embedder().name());
  };
  const absl::Time began = absl::Now();
  BankBuilder builder(options, hooks, *encoder.runner, *encoder.tokenizer);
  M3_ASSIGN_OR_RETURN(const BankBuildResult result, builder.Build());
  std::printf("%s: %d references of %d documents, %d duplicates dropped, %d encoded, %.1f s\n",
              options.out.c_str(), static_cast<int>(result.manifest.count),
              static_cast<int>(result.documents), static_cast<int>(result.duplicates),
              static_cast<int>(result.encoded), absl::ToDoubleSeconds(absl::Now() - began));
  if (const double seconds = absl::ToDoubleSeconds(printer.encoding()); seconds > 0) {
    std::printf("encoding: %d references in %.2f s, %.1f references/s\n",
                static_cast<int>(result.encoded), seconds,
                static_cast<double>(result.encoded) / seconds);
  }
  return absl::OkStatus();
}

}  // namespace memory3
