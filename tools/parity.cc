// memory3-parity: does this engine compute what an independent reference computed?
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "engine/base/flag_help.h"
#include "engine/base/status_macros.h"
#include "engine/device_runner.h"
#include "engine/model/memory_config.h"
#include "tools/parity_case.h"
#include "tools/parity_run.h"

ABSL_FLAG(std::string, model_dir, "", "folder of the checkpoint (config.json, *.safetensors)");
ABSL_FLAG(std::string, case, "", "JSON file with token ids and the reference's answers");
ABSL_FLAG(std::string, backend, "cpu", "which runner to check: cpu or cuda");
ABSL_FLAG(bool, batch_invariant, false, "with --backend=cuda: as served with --batch_invariant");
ABSL_FLAG(int, skinny_rows, memory3::kMostSkinnyRows,
          "with --backend=cuda: rows up to which our own products are used instead of cuBLASLt's");
ABSL_FLAG(bool, graphs, true, "with --backend=cuda: decode steps as graphs");
ABSL_FLAG(bool, overlap, true,
          "with --backend=cuda: kernels start up while the one before still runs");
ABSL_FLAG(std::string, dtype, "bf16", "weights and KV cache: bf16 as served, or f32");
ABSL_FLAG(bool, attach_listed, false,
          "attach the case's kept tokens wherever the engine kept others; keys and values stay the "
          "engine's");

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(memory3-parity --model_dir=DIR --case=FILE [--backend=cpu|cuda] [--dtype=f32|bf16]
               [--attach_listed]

Runs one case of a reference implementation through the engine's runner: its references are encoded
to memories, then the prompt goes through in pieces, every chunk with its memories, then a greedy
continuation token by token from the KV cache. Prints the error of every listed row (of every
memory), which is the largest difference of a listed number divided by the largest listed one.

Passes (exit status 0) when every row is within 1e-4 in f32 (3e-2 in bf16) and, in f32, all keys and
values are too, all kept tokens are the same and all greedy ids are equal. Exit status 1: it
differs; 2: it could not be run.

In bf16 a head whose tokens weigh nearly the same may keep others than the reference, and in a very
small model that alone may move logits further than bf16 should: --attach_listed takes the choice
out of the comparison.

  memory3-parity --model_dir=models/tiny --case=golden/tiny-1.json --dtype=f32

Where the CPU passes and CUDA does not, --graphs=false, --overlap=false and --skinny_rows=0 tell
which part of the runner it is.
)";

constexpr double kF32Tolerance = 1e-4;
constexpr double kBf16Tolerance = 3e-2;

absl::StatusOr<DType> ParseDType(const std::string& name) {
  if (name == "f32") return DType::kF32;
  if (name == "bf16") return DType::kBF16;
  return absl::InvalidArgumentError(absl::StrCat("--dtype must be f32 or bf16, got ", name));
}

absl::StatusOr<std::unique_ptr<Runner>> MakeRunner(DType dtype, const ParityCase& parity,
                                                   bool keep_all_tokens) {
  DeviceRunnerOptions options;
  const std::string backend = absl::GetFlag(FLAGS_backend);
  if (backend != "cpu" && backend != "cuda") {
    return absl::InvalidArgumentError(absl::StrCat("--backend must be cpu or cuda, got ", backend));
  }
  M3_ASSIGN_OR_RETURN(options.device, ParseDevice(backend));
  const std::string model_dir = absl::GetFlag(FLAGS_model_dir);
  if (model_dir.empty()) return absl::InvalidArgumentError("--model_dir is required");
  M3_ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(model_dir));
  M3_ASSIGN_OR_RETURN(const ModelWeights weights, ModelWeights::Open(model_dir, config));
  options.dtype = dtype;
  options.batch_invariant = absl::GetFlag(FLAGS_batch_invariant);
  options.skinny_rows = absl::GetFlag(FLAGS_skinny_rows);
  options.graphs = absl::GetFlag(FLAGS_graphs);
  options.overlap = absl::GetFlag(FLAGS_overlap);
  options.max_sequences = 1;
  if (parity.memory_enabled) {
    RunnerMemoryOptions memory;
    M3_ASSIGN_OR_RETURN(memory.config, LoadMemoryConfig(model_dir, parity.memory_config, config));
    if (keep_all_tokens) memory.config.kept_tokens = memory.config.reference_tokens;
    memory.prefix_ids = parity.prefix_ids;
    memory.slots =
        std::max(memory.config.memories_per_chunk, static_cast<int>(parity.references.size()));
    memory.dtype = dtype;
    options.memory = std::move(memory);
  }
  return CreateDeviceRunner(config, weights, options);
}

absl::StatusOr<bool> Passes() {
  M3_ASSIGN_OR_RETURN(const DType dtype, ParseDType(absl::GetFlag(FLAGS_dtype)));
  if (absl::GetFlag(FLAGS_case).empty()) return absl::InvalidArgumentError("--case is required");
  M3_ASSIGN_OR_RETURN(const ParityCase parity, LoadParityCase(absl::GetFlag(FLAGS_case)));
  M3_ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner, MakeRunner(dtype, parity, false));
  M3_ASSIGN_OR_RETURN(const ParityResult result,
                      RunParityCase(parity, *runner, absl::GetFlag(FLAGS_attach_listed),
                                    [&] { return MakeRunner(dtype, parity, true); }));

  const double tolerance = dtype == DType::kF32 ? kF32Tolerance : kBf16Tolerance;
  std::printf("%s\n", runner->info().device.c_str());
  bool within = true;
  const bool exact = dtype == DType::kF32;
  for (const MemoryError& memory : result.memories) {
    const bool memory_within = memory.key_error <= tolerance && memory.value_error <= tolerance &&
                               (!exact || memory.heads_with_other_tokens == 0);
    std::printf(
        "memory %d: relative error of keys %.3g, of values %.3g; %d heads kept "
        "other tokens, %d tied%s\n",
        memory.reference, memory.key_error, memory.value_error, memory.heads_with_other_tokens,
        memory.ties, memory_within ? "" : "  TOO LARGE");
    within = within && (memory_within || !exact);
  }
  for (const RowError& row : result.rows) {
    const bool row_within = row.relative_error <= tolerance;  // false for NaN
    std::printf("row %d: relative error %.3g%s\n", row.row, row.relative_error,
                row_within ? "" : "  TOO LARGE");
    within = within && row_within;
  }
  const int listed = static_cast<int>(parity.greedy_ids.size());
  std::printf("greedy ids: the first %d of %d equal\n", result.equal_greedy_ids, listed);
  const bool passes = within && (!exact || result.equal_greedy_ids == listed);
  std::printf("%s (tolerance %.0e%s)\n", passes ? "PASS" : "FAIL", tolerance,
              exact ? ", all greedy ids" : "");
  return passes;
}

int Main(int argc, char** argv) {
  if (PrintHelpIfAsked(argc, argv, {kUsage, {"tools/parity.cc"}})) return 0;
  if (ParseFlagsOrExit(argc, argv).size() > 1) {
    std::fprintf(stderr, "memory3-parity: takes flags only; see --help\n");
    return 2;
  }
  const absl::StatusOr<bool> passes = Passes();
  if (!passes.ok()) {
    std::fprintf(stderr, "memory3-parity: %s\n", passes.status().ToString().c_str());
    return 2;
  }
  return *passes ? 0 : 1;
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) { return memory3::Main(argc, argv); }
