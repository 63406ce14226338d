// memory3-evaluate: what explicit memory does for the answers of a model.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/base/flag_help.h"
#include "engine/base/status_macros.h"
#include "tools/evaluate/fact_nll.h"
#include "tools/evaluate/nll_table.h"
#include "tools/evaluate/report.h"
#include "tools/evaluate/samples.h"
#include "tools/evaluate/service_settings.h"
#include "tools/evaluate/static_settings.h"

ABSL_FLAG(std::string, model_dir, "", "Hugging Face model folder. Required.");
ABSL_FLAG(std::string, encyclopaedia, "",
          ".jsonl of articles: id, title, text; what the bank was built from. Required.");
ABSL_FLAG(std::string, questions_file, "",
          ".jsonl of questions: entity_id, split, question, answer. Required.");
ABSL_FLAG(int, questions, 1000, "Questions of each split and seed.");
ABSL_FLAG(std::string, language, "", "Only questions of this language; empty: of all.");
ABSL_FLAG(std::vector<std::string>, seeds, std::vector<std::string>({"1"}),
          "Of the choice of questions and distractors; each asks anew.");
ABSL_FLAG(std::string, target, "",
          "A running memory3-server with the encyclopaedia's bank: also asks it, and shows answers "
          "to --prompts. Empty: only references chosen beforehand.");
ABSL_FLAG(double, wait_ready, 60, "Seconds to wait for --target to be serving.");
ABSL_FLAG(int, streams, 16, "Requests to --target under way at the same time.");
ABSL_FLAG(std::string, prompts, "",
          ".jsonl in MT-bench's layout (turns, category): answered by --target as samples.");
ABSL_FLAG(std::string, match, "exact",
          "When an answer is right: exact (it is the value), or contains (it holds the value).");
ABSL_FLAG(int, max_tokens, 32, "Longest answer.");
ABSL_FLAG(int, nll_texts, 300, "Held-out entities whose facts are scored; 0: none.");
ABSL_FLAG(int, batch, 16, "Questions that run together.");
ABSL_FLAG(std::string, memory_config, "",
          "JSON object that overrides config.json's memory3, e.g. '{\"kept_tokens\": 128}'.");
ABSL_FLAG(std::string, dtype, "bf16", "Weights, KV cache and memories: bf16 as served, or f32.");
ABSL_FLAG(int, threads, 0, "Compute threads; 0: one per core.");
ABSL_FLAG(std::string, answers, "", "File that gets every answer, a JSON object per line.");

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(memory3-evaluate --model_dir=DIR --encyclopaedia=FILE --questions_file=FILE [--target=ADDRESS]

Asks a model about entities of its training text (train), entities that are in the bank only
(held_out) and entities that are nowhere (absent), and prints as markdown how often it is right and
how often it says that it does not know, with 95 % intervals (Wilson):

  - without memory; with the right memory alone, with it and four others, with five others; with the
    same references as text in the prompt: references chosen beforehand, in this process;
  - with --target through a running service: without memory, with what it retrieves, and with the
    texts of just that in the prompt;
  - the likelihood of held-out facts with the right, a wrong and no memory, and with the article in
    the context, which is what a memory could reach.

  memory3-evaluate --model_dir=models/demo --encyclopaedia=encyclopaedia.jsonl \
      --questions_file=questions.jsonl --questions=200
)";

// Five references of 128 tokens and a question fit; a larger context only takes memory.
constexpr int kMaxContext = 2048;
constexpr int kMaxBatch = 256;

absl::StatusOr<std::vector<uint64_t>> Seeds() {
  std::vector<uint64_t> seeds;
  for (const std::string& text : absl::GetFlag(FLAGS_seeds)) {
    if (!absl::SimpleAtoi(text, &seeds.emplace_back())) {
      return absl::InvalidArgumentError(absl::StrCat("--seeds: \"", text, "\" is no seed"));
    }
  }
  if (seeds.empty()) return absl::InvalidArgumentError("--seeds: must name one");
  return seeds;
}

absl::StatusOr<AnswerMatch> MatchFromFlag() {
  const std::string name = absl::GetFlag(FLAGS_match);
  if (name == "exact") return AnswerMatch::kExact;
  if (name == "contains") return AnswerMatch::kContains;
  return absl::InvalidArgumentError(
      absl::StrCat("--match: must be exact or contains, got \"", name, "\""));
}

absl::Status CheckFlags() {
  const auto in_range = [](const char* name, int value, int min, int max) -> absl::Status {
    if (value >= min && value <= max) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, ": must be in [", min, ", ", max, "], got ", value));
  };
  M3_RETURN_IF_ERROR(in_range("questions", absl::GetFlag(FLAGS_questions), 1, 1 << 20));
  M3_RETURN_IF_ERROR(in_range("max_tokens", absl::GetFlag(FLAGS_max_tokens), 1, kMaxContext / 2));
  M3_RETURN_IF_ERROR(in_range("nll_texts", absl::GetFlag(FLAGS_nll_texts), 0, 1 << 20));
  M3_RETURN_IF_ERROR(in_range("streams", absl::GetFlag(FLAGS_streams), 1, 256));
  M3_RETURN_IF_ERROR(in_range("batch", absl::GetFlag(FLAGS_batch), 1, kMaxBatch));
  for (const auto& [name, value] :
       {std::pair<const char*, std::string>{"encyclopaedia", absl::GetFlag(FLAGS_encyclopaedia)},
        {"questions_file", absl::GetFlag(FLAGS_questions_file)}}) {
    if (value.empty()) return absl::InvalidArgumentError(absl::StrCat("--", name, ": missing"));
  }
  if (!absl::GetFlag(FLAGS_prompts).empty() && absl::GetFlag(FLAGS_target).empty()) {
    return absl::InvalidArgumentError("--prompts: needs --target");
  }
  return absl::OkStatus();
}

// "held_out, seed 1, chosen references: 320 of 1000", on one line of a terminal.
std::function<void(int)> Progress(Split split, uint64_t seed, const char* part, size_t total) {
  return [=](int done) {
    if (done % 100 != 0 && done != static_cast<int>(total)) return;
    std::fprintf(stderr, "%s, seed %d, %s: %d of %d\n", SplitName(split), static_cast<int>(seed),
                 part, done, static_cast<int>(total));
  };
}

// Everything that one run needs, in the order of construction.
struct Evaluation {
  World world;
  MemorySubject subject;
  std::optional<PromptMaker> prompts;
  std::optional<Judge> judge;
  std::unique_ptr<GreedyBatch> batch;
  std::unique_ptr<ServiceClient> client;  // null: no --target
  std::vector<Record> records;
  double guessing = 0;  // of held-out entities, over all seeds
};

absl::Status Load(Evaluation* evaluation) {
  Evaluation& all = *evaluation;
  M3_ASSIGN_OR_RETURN(all.world, ReadWorld(absl::GetFlag(FLAGS_encyclopaedia),
                                           absl::GetFlag(FLAGS_questions_file)));
  if (const std::string language = absl::GetFlag(FLAGS_language); !language.empty()) {
    std::erase_if(all.world.questions,
                  [&](const Question& question) { return question.language != language; });
    if (all.world.questions.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--language: no question is of \"", language, "\""));
    }
  }
  if (all.world.articles.size() <= kWrongReferences) {
    return absl::InvalidArgumentError(absl::StrCat(
        absl::GetFlag(FLAGS_encyclopaedia), ": needs more than ", kWrongReferences, " articles"));
  }
  M3_ASSIGN_OR_RETURN(const AnswerMatch match, MatchFromFlag());
  all.judge.emplace(all.world, match);
  const int batch = absl::GetFlag(FLAGS_batch);
  M3_ASSIGN_OR_RETURN(all.subject,
                      LoadMemorySubject({.model_dir = absl::GetFlag(FLAGS_model_dir),
                                         .memory_config = absl::GetFlag(FLAGS_memory_config),
                                         .dtype = absl::GetFlag(FLAGS_dtype),
                                         .threads = absl::GetFlag(FLAGS_threads),
                                         .max_sequences = batch,
                                         .max_context = kMaxContext,
                                         .memory_slots = batch * kSlotsPerQuestion}));
  M3_ASSIGN_OR_RETURN(all.prompts,
                      PromptMaker::Create(absl::GetFlag(FLAGS_model_dir), *all.subject.tokenizer,
                                          all.subject.config.bos_token));
  const bool one_line = match == AnswerMatch::kExact;
  all.batch = std::make_unique<GreedyBatch>(
      *all.subject.runner, *all.subject.tokenizer,
      GreedyOptions{absl::GetFlag(FLAGS_max_tokens), one_line, all.subject.config.eos_tokens});
  if (absl::GetFlag(FLAGS_target).empty()) return absl::OkStatus();
  M3_ASSIGN_OR_RETURN(
      all.client, ServiceClient::Connect(
                      absl::GetFlag(FLAGS_target), absl::Seconds(absl::GetFlag(FLAGS_wait_ready)),
                      {absl::GetFlag(FLAGS_streams), absl::GetFlag(FLAGS_max_tokens), one_line}));
  return absl::OkStatus();
}

absl::Status AskAll(absl::Span<const uint64_t> seeds, Evaluation* evaluation) {
  Evaluation& all = *evaluation;
  StaticSettings chosen(all.subject, all.world, *all.prompts, *all.judge, *all.batch);
  for (const uint64_t seed : seeds) {
    for (const Split split : kSplits) {
      const std::vector<DrawnQuestion> drawn =
          DrawQuestions(all.world, split, absl::GetFlag(FLAGS_questions), seed);
      if (split == Split::kHeldOut) {
        all.guessing += AccuracyByGuessing(all.world, drawn) / static_cast<double>(seeds.size());
      }
      M3_RETURN_IF_ERROR(chosen.Ask(
          seed, drawn, Progress(split, seed, "chosen references", drawn.size()), &all.records));
      if (all.client == nullptr) continue;
      ServiceSettings retrieved(*all.client, all.world, *all.prompts, *all.judge);
      M3_RETURN_IF_ERROR(
          retrieved.Ask(seed, drawn, Progress(split, seed, "service", drawn.size()), &all.records));
    }
  }
  return absl::OkStatus();
}

void PrintHead(const Evaluation& all) {
  const std::string language = absl::GetFlag(FLAGS_language);
  const auto does_not_fit =
      std::count_if(all.records.begin(), all.records.end(),
                    [](const Record& record) { return !record.answer.has_value(); });
  std::printf(
      "- model: %s\n- memories: %s, %d bytes each, %d per chunk\n- runner: %s\n"
      "- encyclopaedia: %d articles; %d questions of each split and seed, seeds %s%s\n"
      "- an answer is right when it %s the value; always the most frequent value of the attribute: "
      "%.3f\n- prompts that did not fit the context, counted as wrong: %d\n",
      absl::GetFlag(FLAGS_model_dir).c_str(),
      Describe(all.subject.runner->info().memory.shape).c_str(),
      static_cast<int>(all.subject.runner->info().memory.shape.bytes()),
      all.subject.memory.memories_per_chunk, all.subject.runner->info().device.c_str(),
      static_cast<int>(all.world.articles.size()), absl::GetFlag(FLAGS_questions),
      absl::StrJoin(absl::GetFlag(FLAGS_seeds), ", ").c_str(),
      language.empty() ? "" : absl::StrCat("; in ", language, " only").c_str(),
      all.judge->match() == AnswerMatch::kExact ? "is" : "holds", all.guessing,
      static_cast<int>(does_not_fit));
}

void PrintSection(const char* title, const std::string& text) {
  if (!text.empty()) std::printf("\n## %s\n\n%s", title, text.c_str());
}

absl::Status WriteAnswers(const Evaluation& all) {
  const std::string file = absl::GetFlag(FLAGS_answers);
  if (file.empty()) return absl::OkStatus();
  std::ofstream out(file, std::ios::binary);
  out << ToJsonLines(all.world, all.records);
  out.close();
  if (out.fail()) return absl::FailedPreconditionError(absl::StrCat(file, ": cannot be written"));
  return absl::OkStatus();
}

absl::Status Run(size_t words) {
  if (words > 1) return absl::InvalidArgumentError("takes flags only; see --help");
  M3_RETURN_IF_ERROR(CheckFlags());
  M3_ASSIGN_OR_RETURN(const std::vector<uint64_t> seeds, Seeds());
  std::vector<SamplePrompt> samples;
  if (!absl::GetFlag(FLAGS_prompts).empty()) {
    M3_ASSIGN_OR_RETURN(samples, ReadSamplePrompts(absl::GetFlag(FLAGS_prompts)));
  }
  Evaluation all;
  M3_RETURN_IF_ERROR(Load(&all));
  M3_RETURN_IF_ERROR(AskAll(seeds, &all));
  M3_RETURN_IF_ERROR(WriteAnswers(all));
  PrintHead(all);
  PrintSection("Right answers", AccuracyTable(all.world, all.records));
  PrintSection("\"I do not know\"", UnknownTable(all.world, all.records));
  PrintSection("What the service retrieved", RetrievalTable(all.world, all.records));
  PrintSection("Held-out entities by seed", SeedTable(all.world, all.records));
  PrintSection("Held-out entities by kind", KindTable(all.world, all.records));
  if (absl::GetFlag(FLAGS_nll_texts) > 0) {
    M3_ASSIGN_OR_RETURN(const NllScores scores,
                        ScoreFacts(all.subject, all.world, Split::kHeldOut,
                                   absl::GetFlag(FLAGS_nll_texts), seeds.front()));
    PrintSection("Held-out facts", NllTable(scores));
  }
  if (!samples.empty()) {
    M3_ASSIGN_OR_RETURN(const std::string shown, ShowSamples(samples, *all.prompts, *all.client));
    PrintSection("Samples", shown);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv,
                                {memory3::kUsage, {"tools/evaluate/evaluate_main.cc"}})) {
    return 0;
  }
  const size_t words = memory3::ParseFlagsOrExit(argc, argv).size();
  return memory3::EndProgram("memory3-evaluate", memory3::Run(words));
}
