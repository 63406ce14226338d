#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"
#include "engine/sampling/sampler.h"

namespace memory3 {
namespace {

constexpr float kMaxPenalty = 2.0f;
constexpr float kMaxBias = 100.0f;

template <typename T>
absl::Status OutOfRange(std::string_view field, absl::string_view range, T got) {
  return FieldError(field, absl::StrCat("must be ", range, ", got ", got));
}

absl::Status ValidateToken(std::string_view field, int32_t token, int vocab) {
  if (token >= 0 && token < vocab) return absl::OkStatus();
  return OutOfRange(field, absl::StrCat("a token id in [0, ", vocab, ")"), token);
}

absl::Status ValidateBias(const SamplingParams& params, int vocab) {
  if (params.logit_bias.size() > kMaxLogitBias) {
    return FieldError("logit_bias", absl::StrCat("must have at most ", kMaxLogitBias,
                                                 " entries, got ", params.logit_bias.size()));
  }
  std::vector<int32_t> tokens;
  for (const auto& [token, bias] : params.logit_bias) {
    M3_RETURN_IF_ERROR(ValidateToken("logit_bias", token, vocab));
    if (!(std::abs(bias) <= kMaxBias)) {
      return FieldError("logit_bias",
                        absl::StrCat("of token ", token, " must be in [-100, 100], got ", bias));
    }
    tokens.push_back(token);
  }
  std::sort(tokens.begin(), tokens.end());
  const auto repeated = std::adjacent_find(tokens.begin(), tokens.end());
  if (repeated == tokens.end()) return absl::OkStatus();
  return FieldError("logit_bias", absl::StrCat("names token ", *repeated, " twice"));
}

}  // namespace

// The comparisons are written so that NaN fails them.
absl::Status Validate(const SamplingParams& params, int vocab) {
  if (!(params.temperature >= 0 && params.temperature <= kMaxTemperature)) {
    return OutOfRange("temperature", absl::StrCat("in [0, ", kMaxTemperature, "]"),
                      params.temperature);
  }
  if (params.top_k < 0) return OutOfRange("top_k", "0 (all) or more", params.top_k);
  if (!(params.top_p > 0 && params.top_p <= 1)) {
    return OutOfRange("top_p", "in (0, 1]", params.top_p);
  }
  if (!(params.min_p >= 0 && params.min_p <= 1)) {
    return OutOfRange("min_p", "in [0, 1]", params.min_p);
  }
  if (!(params.repetition_penalty > 0 && std::isfinite(params.repetition_penalty))) {
    return OutOfRange("repetition_penalty", "above 0 and finite", params.repetition_penalty);
  }
  if (!(std::abs(params.presence_penalty) <= kMaxPenalty)) {
    return OutOfRange("presence_penalty", "in [-2, 2]", params.presence_penalty);
  }
  if (!(std::abs(params.frequency_penalty) <= kMaxPenalty)) {
    return OutOfRange("frequency_penalty", "in [-2, 2]", params.frequency_penalty);
  }
  M3_RETURN_IF_ERROR(ValidateBias(params, vocab));
  if (params.min_tokens < 0) return OutOfRange("min_tokens", "0 or more", params.min_tokens);
  for (const int32_t token : params.suppressed_until_min) {
    M3_RETURN_IF_ERROR(ValidateToken("suppressed_until_min", token, vocab));
  }
  if (params.top_logprobs < -1 || params.top_logprobs > kMaxTopLogprobs) {
    return OutOfRange("top_logprobs", absl::StrCat("in [-1, ", kMaxTopLogprobs, "]"),
                      params.top_logprobs);
  }
  return absl::OkStatus();
}

}  // namespace memory3
