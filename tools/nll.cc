// memory3-nll: what a memory is worth to a model, in nats per token.
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/flag_help.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/cpu/cpu_runner.h"
#include "engine/memory/reference_prefix.h"
#include "engine/model/memory_config.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "engine/text/tokenizer.h"
#include "tools/nll_scorer.h"
#include "tools/table.h"

ABSL_FLAG(std::string, model_dir, "", "Hugging Face model folder. Required.");
ABSL_FLAG(std::string, texts, "", "File of texts with --separator between them. Required.");
ABSL_FLAG(std::string, separator, "<|endoftext|>", "What stands between two texts.");
ABSL_FLAG(int, count, 200, "Texts to use: the first so many that are long enough.");
ABSL_FLAG(int, tokens, 128,
          "Tokens of the second part, at most; a text needs one token of it at least.");
ABSL_FLAG(std::string, memory_config, "",
          "JSON object that overrides config.json's memory3, e.g. '{\"kept_tokens\": 128}'.");
ABSL_FLAG(std::string, dtype, "f32", "Weights, KV cache and memories: bf16 or f32.");
ABSL_FLAG(int, threads, 0, "Compute threads; 0: one per core.");

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(memory3-nll --model_dir=DIR --texts=FILE [--count=200] [--memory_config=JSON]

Cuts every text after as many tokens as a reference may have. The first part becomes a memory, the
second is scored: how many nats does the model need per token of it

  plain     as a decoder without explicit memory
  none      with the reference prefix but no memory attached
  right     with the memory of its own first part
  wrong     with the memory of another text's first part
  context   as a plain decoder that has the first part in its context: what a memory could reach

Each line shows the mean over the texts and its difference to "none" with the standard error.

  memory3-nll --model_dir=models/demo --texts=stories.txt --count=200
)";

constexpr int64_t kMaxTextBytes = int64_t{1} << 30;
constexpr MemorySlot kRight = 0, kWrong = 1;

struct Story {
  std::vector<int32_t> first, second;  // second starts with BOS
};

struct Subject {
  ModelConfig config;
  MemoryConfig memory;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Runner> runner;
};

absl::StatusOr<DType> DTypeFromFlag() {
  const std::string name = absl::GetFlag(FLAGS_dtype);
  if (name == "bf16") return DType::kBF16;
  if (name == "f32") return DType::kF32;
  return absl::InvalidArgumentError(
      absl::StrCat("--dtype: must be bf16 or f32, got \"", name, "\""));
}

absl::StatusOr<Subject> LoadSubject() {
  const std::string folder = absl::GetFlag(FLAGS_model_dir);
  if (folder.empty()) return absl::InvalidArgumentError("--model_dir: must be given");
  Subject subject;
  M3_ASSIGN_OR_RETURN(const DType dtype, DTypeFromFlag());
  M3_ASSIGN_OR_RETURN(subject.config, LoadModelConfig(folder));
  M3_ASSIGN_OR_RETURN(subject.memory,
                      LoadMemoryConfig(folder, absl::GetFlag(FLAGS_memory_config), subject.config));
  M3_ASSIGN_OR_RETURN(subject.tokenizer, LoadTokenizer(folder));
  M3_ASSIGN_OR_RETURN(const ModelWeights weights, ModelWeights::Open(folder, subject.config));
  RunnerMemoryOptions memory;
  memory.config = subject.memory;
  memory.slots = std::max(subject.memory.memories_per_chunk, 2);
  memory.dtype = dtype;
  M3_ASSIGN_OR_RETURN(memory.prefix_ids,
                      ReferencePrefixIds(subject.memory, subject.config, *subject.tokenizer));
  CpuRunnerOptions options;
  options.dtype = dtype;
  options.threads = absl::GetFlag(FLAGS_threads);
  options.max_sequences = 1;
  options.memory = std::move(memory);
  M3_ASSIGN_OR_RETURN(subject.runner, CreateCpuRunner(subject.config, weights, options));
  return subject;
}

absl::StatusOr<std::vector<Story>> ReadStories(const Subject& subject) {
  const std::string file = absl::GetFlag(FLAGS_texts);
  if (file.empty()) return absl::InvalidArgumentError("--texts: must be given");
  if (absl::GetFlag(FLAGS_separator).empty()) {
    return absl::InvalidArgumentError("--separator: must not be empty");
  }
  if (absl::GetFlag(FLAGS_tokens) < 1 || absl::GetFlag(FLAGS_count) < 2) {
    return absl::InvalidArgumentError("--tokens: must be positive; --count: must be at least 2");
  }
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxTextBytes));
  const auto wanted = static_cast<size_t>(absl::GetFlag(FLAGS_count));
  const auto split = static_cast<size_t>(subject.memory.reference_tokens);
  std::vector<Story> stories;
  for (const absl::string_view part : absl::StrSplit(text, absl::GetFlag(FLAGS_separator))) {
    if (stories.size() == wanted) break;
    const std::vector<int32_t> ids = subject.tokenizer->Encode(
        {part.data(), part.size()}, {.add_special_tokens = false, .parse_special_tokens = false});
    if (ids.size() <= split) continue;
    const size_t end = std::min(ids.size(), split + absl::GetFlag(FLAGS_tokens));
    Story& story = stories.emplace_back();
    story.first.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(split));
    story.second = {subject.config.bos_token};
    story.second.insert(story.second.end(), ids.begin() + static_cast<std::ptrdiff_t>(split),
                        ids.begin() + static_cast<std::ptrdiff_t>(end));
  }
  if (stories.size() >= 2) return stories;
  return absl::InvalidArgumentError(
      absl::StrCat(file, ": needs at least two texts of more than ", split, " tokens"));
}

// One story's nats per token in every setting, in the order of the table.
struct Scores {
  double plain, none, right, wrong, context;
};

absl::StatusOr<Scores> ScoreStory(const Story& story, const Story& other, Runner& runner,
                                  NllScorer& scorer) {
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  const absl::Span<const int32_t> references[] = {story.first, other.first};
  M3_RETURN_IF_ERROR(runner.EncodeReferences(references, &memories));
  M3_RETURN_IF_ERROR(runner.FillSlot(kRight, memories[0]));
  M3_RETURN_IF_ERROR(runner.FillSlot(kWrong, memories[1]));
  Scores scores;
  NllScorer::Text text = {.tokens = story.second};
  M3_ASSIGN_OR_RETURN(scores.plain, scorer.Score(text));
  text.use_memory = true;
  M3_ASSIGN_OR_RETURN(scores.none, scorer.Score(text));
  text.memories = {&kRight, 1};
  M3_ASSIGN_OR_RETURN(scores.right, scorer.Score(text));
  text.memories = {&kWrong, 1};
  M3_ASSIGN_OR_RETURN(scores.wrong, scorer.Score(text));
  std::vector<int32_t> whole = {story.second.front()};
  whole.insert(whole.end(), story.first.begin(), story.first.end());
  whole.insert(whole.end(), story.second.begin() + 1, story.second.end());
  M3_ASSIGN_OR_RETURN(
      scores.context,
      scorer.Score({.tokens = whole, .first_scored = static_cast<int>(story.first.size()) + 1}));
  return scores;
}

struct MeanError {
  double mean;
  double error;  // standard error of the mean
};

MeanError MeanOf(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  const auto n = static_cast<double>(values.size());
  return {mean, std::sqrt(squares / (n * (n - 1)))};
}

void AddRow(const char* name, double Scores::*setting, const std::vector<Scores>& scores,
            Table* table) {
  std::vector<double> values, differences;
  for (const Scores& story : scores) {
    values.push_back(story.*setting);
    differences.push_back(story.*setting - story.none);
  }
  const MeanError difference = MeanOf(differences);
  table->AddRow({Cell(std::string(name)), Cell(MeanOf(values).mean, 4), Cell(difference.mean, 4),
                 Cell(difference.error, 4)});
}

absl::Status Run() {
  M3_ASSIGN_OR_RETURN(const Subject subject, LoadSubject());
  M3_ASSIGN_OR_RETURN(const std::vector<Story> stories, ReadStories(subject));
  NllScorer scorer(*subject.runner);
  std::vector<Scores> scores;
  for (size_t i = 0; i < stories.size(); ++i) {
    M3_ASSIGN_OR_RETURN(
        scores.emplace_back(),
        ScoreStory(stories[i], stories[(i + 1) % stories.size()], *subject.runner, scorer));
  }
  Table table({"setting", "nats/token", "minus none", "standard error"});
  AddRow("plain", &Scores::plain, scores, &table);
  AddRow("none", &Scores::none, scores, &table);
  AddRow("right", &Scores::right, scores, &table);
  AddRow("wrong", &Scores::wrong, scores, &table);
  AddRow("context", &Scores::context, scores, &table);
  std::printf("- memories: %s\n- texts: %zu, first parts of %d tokens\n\n%s",
              Describe(subject.runner->info().memory.shape).c_str(), stories.size(),
              subject.memory.reference_tokens, table.ToMarkdown().c_str());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  if (PrintHelpIfAsked(argc, argv, {kUsage, {"tools/nll.cc"}})) return 0;
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "memory3-nll: %s\n", status.ToString().c_str());
  return 2;
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) { return memory3::Main(argc, argv); }
