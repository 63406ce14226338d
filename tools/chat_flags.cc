#include "tools/chat_flags.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/optional.h"
#include "engine/base/status_macros.h"

ABSL_FLAG(std::string, model, "", "Model to ask; empty: the one served.");
ABSL_FLAG(
    absl::optional<int32_t>, max_tokens, absl::nullopt,
    "Most tokens of the answer. Default: what the context leaves, within the server's limit.");
ABSL_FLAG(absl::optional<int32_t>, min_tokens, absl::nullopt,
          "Least tokens of the answer: no end-of-text before.");
ABSL_FLAG(absl::optional<float>, temperature, absl::nullopt,
          "Randomness, 0 to 100; 0 always takes the most probable token.");
ABSL_FLAG(absl::optional<int32_t>, top_k, absl::nullopt,
          "Choose among the k most probable tokens only; 0: all.");
ABSL_FLAG(absl::optional<float>, top_p, absl::nullopt,
          "Choose among the most probable tokens that together reach this probability; (0, 1].");
ABSL_FLAG(absl::optional<float>, min_p, absl::nullopt,
          "Leave out tokens less probable than this share of the most probable one; [0, 1].");
ABSL_FLAG(absl::optional<float>, repetition_penalty, absl::nullopt,
          "Above 1 makes tokens of the prompt and the answer less probable.");
ABSL_FLAG(absl::optional<float>, presence_penalty, absl::nullopt,
          "Subtracted from the logits of tokens that the answer has used; [-2, 2].");
ABSL_FLAG(absl::optional<float>, frequency_penalty, absl::nullopt,
          "Subtracted once per use in the answer; [-2, 2].");
ABSL_FLAG(std::vector<std::string>, logit_bias, {},
          "Token ids and what to add to their logits: 17:-100,25:2.5.");
ABSL_FLAG(absl::optional<uint64_t>, seed, absl::nullopt,
          "The same seed and request give the same answer. Default: drawn by the server.");
ABSL_FLAG(std::vector<std::string>, stop, {},
          "Strings that end the answer, separated by commas; they are not part of it. C escapes "
          "work: \\n is a line break, \\x2c a comma.");
ABSL_FLAG(std::vector<std::string>, stop_token_ids, {}, "Token ids that end the answer.");
ABSL_FLAG(bool, ignore_eos, false, "Go on past the model's own end-of-text.");
ABSL_FLAG(bool, logprobs, false, "Show the log probability of every token, on standard error.");
ABSL_FLAG(absl::optional<int32_t>, top_logprobs, absl::nullopt,
          "Show that many alternatives at every position too, 0 to 20; implies --logprobs.");
ABSL_FLAG(std::string, user, "", "Who asks, for the server's log.");
ABSL_FLAG(bool, no_memory, false, "Ask the plain decoder, without explicit memory.");
ABSL_FLAG(
    std::string, memory_policy, "",
    "What an answer does when memories are not there in time: strict waits, deadline goes on; off "
    "asks for none. Default: the server's.");
ABSL_FLAG(bool, memory_required, false,
          "Rather an error than an answer in which a chunk lacks its memories.");
ABSL_FLAG(bool, show_memory, false,
          "After each answer: the memories of every chunk, with the reference texts, on standard "
          "error.");

namespace memory3 {
namespace {

// Calls set(value) when the flag was given.
template <typename T, typename Set>
void IfGiven(const absl::Flag<absl::optional<T>>& flag, Set set) {
  const absl::optional<T> value = absl::GetFlag(flag);
  if (value.has_value()) set(*value);
}

absl::Status AddLogitBias(const std::string& item, v1::ChatRequest* request) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(item, absl::MaxSplits(':', 1));
  int32_t id = 0;
  float bias = 0;
  if (!absl::SimpleAtoi(parts.first, &id) || !absl::SimpleAtof(parts.second, &bias)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--logit_bias: \"", item, "\" is not ID:BIAS, like 17:-100"));
  }
  (*request->mutable_logit_bias())[id] = bias;
  return absl::OkStatus();
}

absl::Status SetMemory(v1::ChatRequest* request) {
  if (absl::GetFlag(FLAGS_no_memory)) request->set_use_memory(false);
  if (absl::GetFlag(FLAGS_memory_required)) request->set_memory_required(true);
  if (absl::GetFlag(FLAGS_show_memory)) request->set_memory_details(true);
  const std::string policy = absl::GetFlag(FLAGS_memory_policy);
  if (policy == "strict") {
    request->set_memory_policy(v1::MEMORY_POLICY_STRICT);
  } else if (policy == "deadline") {
    request->set_memory_policy(v1::MEMORY_POLICY_DEADLINE);
  } else if (policy == "off") {
    request->set_memory_policy(v1::MEMORY_POLICY_OFF);
  } else if (!policy.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--memory_policy: must be strict, deadline or off, got ", policy));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::ChatRequest> RequestFromFlags() {
  v1::ChatRequest request;
  request.set_model(absl::GetFlag(FLAGS_model));
  request.set_user(absl::GetFlag(FLAGS_user));
  IfGiven(FLAGS_max_tokens, [&](int32_t value) { request.set_max_tokens(value); });
  IfGiven(FLAGS_min_tokens, [&](int32_t value) { request.set_min_tokens(value); });
  IfGiven(FLAGS_temperature, [&](float value) { request.set_temperature(value); });
  IfGiven(FLAGS_top_k, [&](int32_t value) { request.set_top_k(value); });
  IfGiven(FLAGS_top_p, [&](float value) { request.set_top_p(value); });
  IfGiven(FLAGS_min_p, [&](float value) { request.set_min_p(value); });
  IfGiven(FLAGS_repetition_penalty, [&](float value) { request.set_repetition_penalty(value); });
  IfGiven(FLAGS_presence_penalty, [&](float value) { request.set_presence_penalty(value); });
  IfGiven(FLAGS_frequency_penalty, [&](float value) { request.set_frequency_penalty(value); });
  IfGiven(FLAGS_seed, [&](uint64_t value) { request.set_seed(value); });
  IfGiven(FLAGS_top_logprobs, [&](int32_t value) {
    request.set_logprobs(true);
    request.set_top_logprobs(value);
  });
  if (absl::GetFlag(FLAGS_logprobs)) request.set_logprobs(true);
  if (absl::GetFlag(FLAGS_ignore_eos)) request.set_ignore_eos(true);
  for (const std::string& text : absl::GetFlag(FLAGS_stop)) {
    std::string problem;
    if (!absl::CUnescape(text, request.add_stop(), &problem)) {
      return absl::InvalidArgumentError(absl::StrCat("--stop: ", problem));
    }
  }
  for (const std::string& text : absl::GetFlag(FLAGS_stop_token_ids)) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(text, &id)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--stop_token_ids: \"", text, "\" is not a number"));
    }
    request.add_stop_token_ids(id);
  }
  for (const std::string& item : absl::GetFlag(FLAGS_logit_bias)) {
    M3_RETURN_IF_ERROR(AddLogitBias(item, &request));
  }
  M3_RETURN_IF_ERROR(SetMemory(&request));
  return request;
}

}  // namespace memory3
