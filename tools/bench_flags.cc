#include "tools/bench_flags.h"

#include <algorithm>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

ABSL_FLAG(int, prompt, 128, "Tokens of each prompt, drawn at random.");
ABSL_FLAG(int, generate, 64, "Tokens of each answer: greedy, past any end-of-text.");
ABSL_FLAG(int, repeat, 1,
          "Measure each row that often and show the run with the median output tok/s.");
ABSL_FLAG(uint64_t, seed, 1, "Seed of the random prompts.");

namespace memory3 {
namespace {

// Far above any context; keeps sums of lengths inside an int.
constexpr int kMaxTokens = 1 << 28;
constexpr int kMaxRepeats = 1000;

absl::Status CheckRange(const char* flag, int value, int largest) {
  if (value >= 1 && value <= largest) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": must be in [1, ", largest, "], got ", value));
}

}  // namespace

absl::Status CheckSharedFlags() {
  M3_RETURN_IF_ERROR(CheckRange("prompt", absl::GetFlag(FLAGS_prompt), kMaxTokens));
  M3_RETURN_IF_ERROR(CheckRange("generate", absl::GetFlag(FLAGS_generate), kMaxTokens));
  return CheckRange("repeat", absl::GetFlag(FLAGS_repeat), kMaxRepeats);
}

absl::StatusOr<std::vector<int>> PositiveNumbers(const std::string& flag,
                                                 const std::vector<std::string>& values) {
  std::vector<int> numbers;
  for (const std::string& value : values) {
    int number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, ": \"", value, "\" is not a positive number"));
    }
    numbers.push_back(number);
  }
  if (numbers.empty()) return absl::InvalidArgumentError(absl::StrCat("--", flag, ": is empty"));
  return numbers;
}

LoadSummary MedianOf(std::vector<LoadSummary>& runs) {
  const auto middle = runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2);
  std::nth_element(runs.begin(), middle, runs.end(),
                   [](const LoadSummary& a, const LoadSummary& b) {
                     return a.output_tokens_per_second < b.output_tokens_per_second;
                   });
  return std::move(*middle);
}

LoadSummary MedianRun(const std::function<std::vector<RequestSample>()>& load) {
  std::vector<LoadSummary> runs;
  for (int i = 0; i < absl::GetFlag(FLAGS_repeat); ++i) runs.push_back(Summarize(load()));
  return MedianOf(runs);
}

}  // namespace memory3
