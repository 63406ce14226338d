// memory3-bench engine: the engine alone, against what the machine could do.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/device_ceiling.h"
#include "engine/device_runner.h"
#include "engine/engine.h"
#include "tools/bench_commands.h"
#include "tools/bench_flags.h"
#include "tools/bench_subject.h"
#include "tools/bench_workload.h"
#include "tools/engine_load.h"
#include "tools/machine_ceiling.h"
#include "tools/model_cost.h"

namespace memory3 {
namespace {

// Enough tokens to touch every buffer and wake every thread before measuring.
constexpr int kWarmUpTokens = 4;
constexpr absl::Duration kReadTime = absl::Milliseconds(300);
constexpr int kBytesPerGb = 1'000'000'000;

// Decode steps per second that reading the weights once, and every sequence's keys and values once,
// would allow.
double StepRoofline(const RunnerInfo& info, double read_bytes_per_second, int batch,
                    double context) {
  const double bytes = static_cast<double>(info.weight_bytes_per_step) +
                       batch * context * static_cast<double>(info.kv_bytes_per_token);
  return read_bytes_per_second / bytes;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// What the runner's device can do, measured when asked.
class Yardstick {
 public:
  explicit Yardstick(Device device) : device_(device) {
    if (device == Device::kCpu) read_.emplace(absl::GetFlag(FLAGS_threads));
  }
  absl::StatusOr<MachineCeiling> Ceiling() const {
    if (device_ == Device::kCpu) return MeasureMachineCeiling(absl::GetFlag(FLAGS_threads));
    M3_ASSIGN_OR_RETURN(const DeviceCeiling ceiling, MeasureDeviceCeiling());
    return MachineCeiling{ceiling.bytes_per_second, ceiling.bf16_flops_per_second};
  }
  // Of memory, at this moment. A device has no neighbours: what it can do is what it does.
  double ReadBytesPerSecond(const MachineCeiling& ceiling) {
    return read_.has_value() ? read_->BytesPerSecond(kReadTime) : ceiling.read_bytes_per_second;
  }

 private:
  const Device device_;
  std::optional<SustainedRead> read_;
};

// Whether requests get the same tokens in every batch: request i is the same in all of them.
class AnswersSoFar {
 public:
  // Of the requests that another batch has answered before, "same of all"; keeps the others'.
  std::string Compare(absl::Span<const RequestSample> samples) {
    size_t known = 0, same = 0;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (!samples[i].error.empty()) continue;
      const auto [answer, is_new] = answers_.emplace(i, samples[i].answer);
      if (is_new) continue;
      ++known;
      if (answer->second == samples[i].answer) ++same;
    }
    return known == 0 ? "–" : absl::StrCat(same, " of ", known);
  }

 private:
  std::map<size_t, std::vector<int32_t>> answers_;
};

struct Measured {
  LoadSummary summary;
  std::string same_tokens;  // of the first run
  std::optional<double> roofline_share;
  double read_bytes_per_second = 0;  // beside the runs
};

// Every run stands between two looks at what memory gives at that moment, and is compared with
// them: on a machine with neighbours the bandwidth of one minute says little about the next.
Measured Measure(Engine& engine, int batch, const MachineCeiling& ceiling, Yardstick& yardstick,
                 AnswersSoFar& answers) {
  const int prompt = absl::GetFlag(FLAGS_prompt);
  const int generate = absl::GetFlag(FLAGS_generate);
  const uint64_t seed = absl::GetFlag(FLAGS_seed);
  RunEngineLoad(engine, UniformWorkload(batch, prompt, std::min(generate, kWarmUpTokens)), seed);
  std::vector<double> shares;
  std::vector<double> bandwidths;
  Measured measured;
  double before = yardstick.ReadBytesPerSecond(ceiling);
  measured.summary = MedianRun([&] {
    std::vector<RequestSample> samples =
        RunEngineLoad(engine, UniformWorkload(batch, prompt, generate), seed);
    const double after = yardstick.ReadBytesPerSecond(ceiling);
    bandwidths.push_back((before + after) / 2);
    before = after;
    if (measured.same_tokens.empty()) measured.same_tokens = answers.Compare(samples);
    const LoadSummary run = Summarize(samples);
    if (run.decode_tokens_per_second.has_value()) {
      shares.push_back(
          *run.decode_tokens_per_second / batch /
          StepRoofline(engine.runner_info(), bandwidths.back(), batch, run.mean_decode_context));
    }
    return samples;
  });
  if (!shares.empty()) measured.roofline_share = Median(shares);
  measured.read_bytes_per_second = Median(bandwidths);
  return measured;
}

MachineCeiling BetterOf(const MachineCeiling& a, const MachineCeiling& b) {
  return {std::max(a.read_bytes_per_second, b.read_bytes_per_second),
          std::max(a.bf16_flops_per_second, b.bf16_flops_per_second)};
}

void AddRow(const BenchSubject& subject, const MachineCeiling& ceiling, int batch,
            const Measured& measured, Table* table) {
  const LoadSummary& summary = measured.summary;
  Cell roofline;
  if (measured.roofline_share.has_value()) roofline = Cell(100 * *measured.roofline_share, 1);
  Cell peak;
  if (summary.prompt_tokens_per_second.has_value() && subject.dtype == DType::kBF16) {
    const double flops = *summary.prompt_tokens_per_second *
                         FlopsPerPromptToken(subject.config, absl::GetFlag(FLAGS_prompt) / 2.0);
    peak = Cell(100 * flops / ceiling.bf16_flops_per_second, 1);
  }
  std::vector<Cell> row = {Cell(int64_t{batch})};
  for (Cell& cell : LoadCells(summary)) row.push_back(std::move(cell));
  row.emplace_back(measured.read_bytes_per_second / kBytesPerGb, 1);
  row.push_back(std::move(roofline));
  row.push_back(std::move(peak));
  row.emplace_back(measured.same_tokens);
  row.emplace_back(DescribeErrors(summary));
  table->AddRow(std::move(row));
}

void AddNotes(const BenchSubject& subject, const RunnerInfo& info, const MachineCeiling& ceiling,
              BenchReport* report) {
  const ModelConfig& config = subject.config;
  report->notes = {
      {"model",
       absl::StrFormat("%s: %s, %d layers, hidden %d, heads %d/%d of %d, MLP %d, vocabulary %d",
                       absl::GetFlag(FLAGS_model_dir), config.architecture, config.layers,
                       config.hidden, config.heads, config.kv_heads, config.head_dim, config.mlp,
                       config.vocab)},
      {"runner",
       absl::StrFormat("%s; %.3g GB of weights, %.3g GB read per step, %d KV bytes per token",
                       info.device, info.weight_bytes * 1.0 / kBytesPerGb,
                       info.weight_bytes_per_step * 1.0 / kBytesPerGb, info.kv_bytes_per_token)},
      {"workload", absl::StrFormat("prompt %d, generate %d, all sequences together",
                                   absl::GetFlag(FLAGS_prompt), absl::GetFlag(FLAGS_generate))},
      {"machine's ceiling, the better of before and after",
       absl::StrFormat("%.1f GB/s read, %.0f GFLOP/s in bf16",
                       ceiling.read_bytes_per_second / kBytesPerGb,
                       ceiling.bf16_flops_per_second / kBytesPerGb)}};
  report->figures = {{"read_bytes_per_second", ceiling.read_bytes_per_second},
                     {"bf16_flops_per_second", ceiling.bf16_flops_per_second},
                     {"weight_bytes", static_cast<double>(info.weight_bytes)},
                     {"weight_bytes_per_step", static_cast<double>(info.weight_bytes_per_step)},
                     {"kv_bytes_per_token", static_cast<double>(info.kv_bytes_per_token)}};
}

}  // namespace

absl::Status BenchEngine(BenchReport* report) {
  M3_RETURN_IF_ERROR(CheckSharedFlags());
  M3_ASSIGN_OR_RETURN(const std::vector<int> batches,
                      PositiveNumbers("batch", absl::GetFlag(FLAGS_batch)));
  const int sequences = *std::max_element(batches.begin(), batches.end());
  const int context = absl::GetFlag(FLAGS_prompt) + absl::GetFlag(FLAGS_generate);
  M3_ASSIGN_OR_RETURN(BenchSubject subject, LoadBenchSubject(sequences, context, 0));
  M3_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                      StartBenchEngine(subject, sequences, context, std::nullopt));
  Yardstick yardstick(subject.device);
  M3_ASSIGN_OR_RETURN(MachineCeiling ceiling, yardstick.Ceiling());
  std::vector<Measured> measured;
  AnswersSoFar answers;
  for (const int batch : batches) {
    measured.push_back(Measure(*engine, batch, ceiling, yardstick, answers));
  }
  // What the machine reached at either end is what it can do; noise only takes away.
  M3_ASSIGN_OR_RETURN(const MachineCeiling after, yardstick.Ceiling());
  ceiling = BetterOf(ceiling, after);
  AddNotes(subject, engine->runner_info(), ceiling, report);

  std::vector<std::string> columns = {"batch"};
  for (std::string& column : LoadColumns()) columns.push_back(std::move(column));
  columns.insert(columns.end(),
                 {"read GB/s", "roofline %", "bf16 peak %", "same tokens", "errors"});
  report->table = Table(std::move(columns));
  for (size_t i = 0; i < batches.size(); ++i) {
    AddRow(subject, ceiling, batches[i], measured[i], &report->table);
  }
  report->explanations = LoadExplanations();
  report->explanations.push_back(
      "read GB/s: read bandwidth right before and after each run, on average; the median of runs.");
  report->explanations.push_back(
      "roofline %: decode steps/s ÷ (that bandwidth ÷ bytes of weights, keys and values a step "
      "reads); the median of runs.");
  report->explanations.push_back(
      "bf16 peak %: arithmetic of the prompts ÷ the machine's bf16 peak.");
  report->explanations.push_back(
      "same tokens: of the requests that a row above has too, those with the same answer.");
  return absl::OkStatus();
}

}  // namespace memory3
