// What a request is checked against and completed with: the served model as the fronts see it.
#ifndef MEMORY3_SERVER_REQUEST_CONTEXT_H_
#define MEMORY3_SERVER_REQUEST_CONTEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/generation.h"
#include "engine/runner/sampling_params.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"
#include "server/special_token_index.h"

namespace memory3 {

inline constexpr int kMaxMessages = 1024;
inline constexpr int kMaxUserBytes = 128;

struct RequestLimits {
  int max_context_tokens = 0;  // prompt and answer together
  int max_completion_tokens = 0;
  int max_concurrent_sequences = 0;
  int max_queued_requests = 0;
  int64_t max_queued_prompt_tokens = 0;
  int max_request_bytes = 0;
};

// Explicit memory as served; absent: a plain decoder only.
struct MemoryContext {
  MemoryPolicy default_policy = MemoryPolicy::kDeadline;
  int position_offset = 0;  // tokens of the context that memory takes (RunnerMemoryInfo)
  bool used_by_default = true;
};

// Views: whoever makes one keeps what it points to alive.
struct RequestContext {
  std::vector<std::string> model_names;  // the first is the one in answers
  const Tokenizer* tokenizer = nullptr;
  const ChatTemplate* chat_template = nullptr;  // null: the model has none
  const SpecialTokenIndex* special_tokens = nullptr;
  int vocab = 0;
  int32_t bos_token = 0;
  RequestLimits limits;
  SamplingParams defaults;
  std::optional<MemoryContext> memory;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_REQUEST_CONTEXT_H_
