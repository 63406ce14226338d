// What a load run measured, and the figures computed from it. The in-process and the gRPC benches
// fill in the same samples, so their figures mean the same and can be compared.
#ifndef MEMORY3_TOOLS_LOAD_SAMPLES_H_
#define MEMORY3_TOOLS_LOAD_SAMPLES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "tools/percentiles.h"

namespace memory3 {

// Tokens that reached the reader together.
struct TokenArrival {
  absl::Time time;
  int tokens = 0;
};

struct RequestSample {
  absl::Time start;  // the request was about to be sent
  int prompt_tokens = 0;
  std::vector<TokenArrival> arrivals;  // in order
  std::vector<int32_t> answer;         // token ids, where the load sees them
  absl::Duration memory_wait;          // stood still at boundaries of the answer, where known
  std::string error;                   // empty: finished; otherwise the status code's name

  int tokens() const;
  absl::Time first() const { return arrivals.front().time; }  // arrivals must not be empty
  absl::Time last() const { return arrivals.back().time; }
};

struct LoadSummary {
  int finished = 0;
  std::map<std::string, int> errors;  // by status code
  int64_t output_tokens = 0;          // of the finished requests
  // From the first start to the last token of all.
  absl::Duration wall;
  double output_tokens_per_second = 0;  // output_tokens / wall
  // Prompt tokens per second from the first start until every request had its first token; only
  // where all had started before any had one.
  std::optional<double> prompt_tokens_per_second;
  // Tokens per second while all requests were decoding: from the last first token to the first last
  // token. Only where there was such a time.
  std::optional<double> decode_tokens_per_second;
  // Tokens a sequence has in its context in the middle of that time, prompt included, on average.
  double mean_decode_context = 0;
  // Of the time from first to last tokens, the share the answers stood still waiting for memories.
  double memory_wait_share = 0;
  Percentiles ttft{{}};  // seconds from a request's start to its first token
  Percentiles itl{{}};   // seconds between successive tokens; k that come together share their gap
};

// Failed requests count as errors and enter no other figure.
LoadSummary Summarize(absl::Span<const RequestSample> samples);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_LOAD_SAMPLES_H_
