// Asks a running memory3-server many questions at once, greedily.
#ifndef MEMORY3_TOOLS_EVALUATE_SERVICE_CLIENT_H_
#define MEMORY3_TOOLS_EVALUATE_SERVICE_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "memory3/v1/bank.grpc.pb.h"
#include "memory3/v1/chat.grpc.pb.h"
#include "tools/evaluate/prompt.h"

namespace memory3 {

struct ServiceQuestion {
  Prompt prompt;
  bool use_memory = false;
};

struct ServiceReference {
  uint64_t bank_epoch = 0;
  uint64_t memory_id = 0;
};

struct ServiceAnswer {
  std::optional<std::string> text;           // none: the prompt did not fit the context
  std::vector<ServiceReference> references;  // that the last chunk of the prompt saw, best first
};

struct ServiceOptions {
  int streams = 16;  // requests under way at the same time
  int max_tokens = 32;
  bool one_line = true;  // answers end before their first newline
};

// Not thread-safe; Ask uses threads of its own.
class ServiceClient {
 public:
  // Waits until the server is serving. DeadlineExceeded after `timeout`.
  static absl::StatusOr<std::unique_ptr<ServiceClient>> Connect(const std::string& target,
                                                                absl::Duration timeout,
                                                                const ServiceOptions& options);

  // One answer per question. The first error, except of prompts that do not fit. `done`, called
  // from any thread, hears how many are through.
  absl::StatusOr<std::vector<ServiceAnswer>> Ask(absl::Span<const ServiceQuestion> questions,
                                                 const std::function<void(int)>& done);

  struct ReferenceText {
    std::string text;
    std::string source_id;
  };
  // Each is fetched once. The pointer is good for the client's lifetime.
  absl::StatusOr<const ReferenceText*> Text(const ServiceReference& reference);

 private:
  ServiceClient(const std::shared_ptr<grpc::Channel>& channel, const ServiceOptions& options);
  absl::StatusOr<ServiceAnswer> AskOne(const ServiceQuestion& question);

  const ServiceOptions options_;
  const std::unique_ptr<v1::ChatService::Stub> chat_;
  const std::unique_ptr<v1::BankService::Stub> bank_;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, std::unique_ptr<ReferenceText>> texts_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_SERVICE_CLIENT_H_
