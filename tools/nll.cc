// memory3-nll: what a memory is worth to a model, in nats per token.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/flag_help.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "tools/evaluate/nll_table.h"
#include "tools/memory_subject.h"
#include "tools/nll_scorer.h"

ABSL_FLAG(std::string, model_dir, "", "Hugging Face model folder. Required.");
ABSL_FLAG(std::string, texts, "", "File of texts with --separator between them. Required.");
ABSL_FLAG(std::string, separator, "<|endoftext|>", "What stands between two texts.");
ABSL_FLAG(int, count, 200, "Texts to use: the first so many that are long enough.");
ABSL_FLAG(int, tokens, 128,
          "Tokens of the second part, at most; a text needs one token of it at least.");
ABSL_FLAG(std::string, memory_config, "",
          "JSON object that overrides config.json's memory3, e.g. '{\"kept_tokens\": 128}'.");
ABSL_FLAG(std::string, device, "cpu", "cpu, cuda, or auto: cuda where it can be had.");
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

Each line shows the mean over the texts and its difference to "none" with the standard error; the
last one, which part of the context's gain the right memory reaches.

  memory3-nll --model_dir=models/demo --texts=stories.txt --count=200
)";

constexpr int64_t kMaxTextBytes = int64_t{1} << 30;
constexpr MemorySlot kRight = 0, kWrong = 1;

struct Story {
  std::vector<int32_t> first, second;  // second starts with BOS
};

absl::StatusOr<MemorySubject> LoadSubject() {
  return LoadMemorySubject({.model_dir = absl::GetFlag(FLAGS_model_dir),
                            .memory_config = absl::GetFlag(FLAGS_memory_config),
                            .device = absl::GetFlag(FLAGS_device),
                            .dtype = absl::GetFlag(FLAGS_dtype),
                            .threads = absl::GetFlag(FLAGS_threads),
                            .memory_slots = 2});
}

absl::StatusOr<std::vector<Story>> ReadStories(const MemorySubject& subject) {
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

absl::Status ScoreStory(const Story& story, const Story& other, Runner& runner, NllScorer& scorer,
                        NllScores* scores) {
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  const absl::Span<const int32_t> references[] = {story.first, other.first};
  M3_RETURN_IF_ERROR(runner.EncodeReferences(references, &memories));
  M3_RETURN_IF_ERROR(runner.FillSlot(kRight, memories[0]));
  M3_RETURN_IF_ERROR(runner.FillSlot(kWrong, memories[1]));
  const auto add = [&](const NllScorer::Text& scored, std::vector<double>* values) -> absl::Status {
    M3_ASSIGN_OR_RETURN(values->emplace_back(), scorer.Score(scored));
    return absl::OkStatus();
  };
  NllScorer::Text text = {.tokens = story.second};
  M3_RETURN_IF_ERROR(add(text, &scores->plain));
  text.use_memory = true;
  M3_RETURN_IF_ERROR(add(text, &scores->none));
  text.memories = {&kRight, 1};
  M3_RETURN_IF_ERROR(add(text, &scores->right));
  text.memories = {&kWrong, 1};
  M3_RETURN_IF_ERROR(add(text, &scores->wrong));
  std::vector<int32_t> whole = {story.second.front()};
  whole.insert(whole.end(), story.first.begin(), story.first.end());
  whole.insert(whole.end(), story.second.begin() + 1, story.second.end());
  return add({.tokens = whole, .first_scored = static_cast<int>(story.first.size()) + 1},
             &scores->context);
}

absl::Status Run(size_t words) {
  if (words > 1) return absl::InvalidArgumentError("takes flags only; see --help");
  M3_ASSIGN_OR_RETURN(const MemorySubject subject, LoadSubject());
  M3_ASSIGN_OR_RETURN(const std::vector<Story> stories, ReadStories(subject));
  NllScorer scorer(*subject.runner);
  NllScores scores;
  for (size_t i = 0; i < stories.size(); ++i) {
    M3_RETURN_IF_ERROR(ScoreStory(stories[i], stories[(i + 1) % stories.size()], *subject.runner,
                                  scorer, &scores));
  }
  const MemoryShape& shape = subject.runner->info().memory.shape;
  std::printf("- memories: %s: %d bytes each\n- first parts of %d tokens\n\n%s",
              Describe(shape).c_str(), static_cast<int>(shape.bytes()),
              subject.memory.reference_tokens, NllTable(scores).c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"tools/nll.cc"}})) return 0;
  const size_t words = memory3::ParseFlagsOrExit(argc, argv).size();
  return memory3::EndProgram("memory3-nll", memory3::Run(words));
}
