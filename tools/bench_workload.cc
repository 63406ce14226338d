#include "tools/bench_workload.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/parse_json.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

// A number that a double and an int can hold alike; longer traces and prompts do not exist.
constexpr double kLargest = 1e9;

// The member as a number in [0, kLargest], or an error that names it.
absl::StatusOr<double> Number(const nlohmann::json& line, const char* name) {
  const auto member = line.find(name);
  if (member == line.end() || !member->is_number()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" must be a number"));
  }
  const double value = member->get<double>();
  if (!(value >= 0 && value <= kLargest)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is out of range: ", value));
  }
  return value;
}

int Scaled(double tokens, double scale) {
  return static_cast<int>(std::clamp(std::round(tokens * scale), 1.0, kLargest));
}

absl::StatusOr<PlannedRequest> ParseLine(const std::string& text, const TraceOptions& options) {
  M3_ASSIGN_OR_RETURN(const nlohmann::json line, ParseJson(text, "line"));
  if (!line.is_object()) return absl::InvalidArgumentError("not a JSON object");
  M3_ASSIGN_OR_RETURN(const double timestamp, Number(line, "timestamp"));
  M3_ASSIGN_OR_RETURN(const double input, Number(line, "input_length"));
  M3_ASSIGN_OR_RETURN(const double output, Number(line, "output_length"));
  PlannedRequest request;
  request.arrival = absl::Milliseconds(timestamp / options.speed);
  request.prompt_tokens = Scaled(input, options.length_scale);
  request.generate_tokens = Scaled(output, options.length_scale);
  return request;
}

// True when the request had to be made shorter.
bool CutToLimits(const TraceOptions& options, PlannedRequest* request) {
  const PlannedRequest before = *request;
  if (options.max_generate_tokens > 0) {
    request->generate_tokens = std::min(request->generate_tokens, options.max_generate_tokens);
  }
  if (options.max_context_tokens > 0) {
    request->generate_tokens = std::min(request->generate_tokens, options.max_context_tokens / 2);
    request->prompt_tokens =
        std::min(request->prompt_tokens, options.max_context_tokens - request->generate_tokens);
  }
  return before.prompt_tokens != request->prompt_tokens ||
         before.generate_tokens != request->generate_tokens;
}

}  // namespace

std::vector<PlannedRequest> UniformWorkload(int count, int prompt_tokens, int generate_tokens) {
  return std::vector<PlannedRequest>(count, {absl::ZeroDuration(), prompt_tokens, generate_tokens});
}

std::vector<int32_t> RandomPrompt(uint64_t seed, int index, int tokens, int vocab) {
  std::seed_seq sequence{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                         static_cast<uint32_t>(index)};
  std::mt19937_64 random(sequence);
  std::uniform_int_distribution<int32_t> any_token(0, vocab - 1);
  std::vector<int32_t> prompt(tokens);
  for (int32_t& token : prompt) token = any_token(random);
  return prompt;
}

absl::StatusOr<Trace> LoadTrace(const std::filesystem::path& file, const TraceOptions& options) {
  std::ifstream in(file);
  if (!in) return absl::NotFoundError(absl::StrCat(file.string(), ": cannot be read"));
  Trace trace;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    if (text.empty()) continue;
    absl::StatusOr<PlannedRequest> request = ParseLine(text, options);
    if (!request.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.string(), ":", number, ": ", request.status().message()));
    }
    if (CutToLimits(options, &*request)) ++trace.cut;
    trace.requests.push_back(*request);
    if (static_cast<int>(trace.requests.size()) == options.max_requests) break;
  }
  if (trace.requests.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), ": no requests"));
  }
  std::stable_sort(
      trace.requests.begin(), trace.requests.end(),
      [](const PlannedRequest& a, const PlannedRequest& b) { return a.arrival < b.arrival; });
  return trace;
}

}  // namespace memory3
