// One answer of a chat server: asked for, printed while it arrives, and kept.
#ifndef MEMORY3_TOOLS_CHAT_ANSWER_H_
#define MEMORY3_TOOLS_CHAT_ANSWER_H_

#include <grpcpp/support/status.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "memory3/v1/chat.grpc.pb.h"
#include "tools/interrupts.h"

namespace memory3 {

struct Answer {
  std::string text;
  grpc::Status status;
  bool interrupted = false;  // by Ctrl-C; status is then CANCELLED
  v1::FinishReason finish_reason = v1::FINISH_REASON_UNSPECIFIED;
  v1::Usage usage;
  std::vector<v1::PositionLogprobs> logprobs;
  std::vector<v1::MemoryChunk> memory_chunks;  // with memory_details
  // As this side saw it, the network included.
  absl::Duration time_to_first_token;
  absl::Duration time_to_last_token;
};

// Streams the answer to `request`, handing every piece to `print` as it arrives. timeout: of the
// whole answer; InfiniteDuration for none.
Answer StreamAnswer(v1::ChatService::Stub& stub, const v1::ChatRequest& request,
                    absl::Duration timeout, Interrupts& interrupts,
                    const std::function<void(absl::string_view)>& print);

// "[12 + 64 tokens (stop), first after 35 ms (1 ms queued), then 120.3 tokens/s]"
std::string DescribeStats(const Answer& answer);

// A line per token: its log probability, its text and the alternatives.
std::string DescribeLogprobs(const std::vector<v1::PositionLogprobs>& logprobs);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_CHAT_ANSWER_H_
