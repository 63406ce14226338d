// The flags of memory3-chat that describe a request.
#ifndef MEMORY3_TOOLS_CHAT_FLAGS_H_
#define MEMORY3_TOOLS_CHAT_FLAGS_H_

#include "absl/status/statusor.h"
#include "memory3/v1/chat.pb.h"

namespace memory3 {

// A request with everything the flags say but the messages or the prompt. A flag that was not given
// leaves its field absent, so that the server's default holds. The server checks the values;
// InvalidArgument only for what cannot be written into a request (a malformed
// --logit_bias, an unknown --memory_policy).
absl::StatusOr<v1::ChatRequest> RequestFromFlags();

}  // namespace memory3

#endif  // MEMORY3_TOOLS_CHAT_FLAGS_H_
