// What the gRPC programs of this folder share: connecting, waiting for a server, and errors in
// words.
#ifndef MEMORY3_TOOLS_RPC_CLIENT_H_
#define MEMORY3_TOOLS_RPC_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace memory3 {

// target: "host:port", "unix:/path" or any other gRPC name; plain text. Connects at the first call.
std::shared_ptr<grpc::Channel> ConnectTo(const std::string& target);

// Asks the standard health service until it says SERVING. DeadlineExceeded after `timeout`, with
// what was heard last. Tries at least once.
absl::Status WaitUntilServing(const std::shared_ptr<grpc::Channel>& channel,
                              absl::Duration timeout);

// "INVALID_ARGUMENT", as gRPC spells it.
std::string CodeName(grpc::StatusCode code);

// The status for people: code and message, then a line per field violation and the time to wait
// before a retry where the server sent them. No newline at the end.
std::string Describe(const grpc::Status& status);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_RPC_CLIENT_H_
