// The same questions, asked of a running service that retrieves by itself.
#ifndef MEMORY3_TOOLS_EVALUATE_SERVICE_SETTINGS_H_
#define MEMORY3_TOOLS_EVALUATE_SERVICE_SETTINGS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tools/evaluate/drawing.h"
#include "tools/evaluate/judge.h"
#include "tools/evaluate/prompt.h"
#include "tools/evaluate/service_client.h"

namespace memory3 {

class ServiceSettings {
 public:
  // All must outlive the object.
  ServiceSettings(ServiceClient& client, const World& world, const PromptMaker& prompts,
                  const Judge& judge)
      : client_(client), world_(world), prompts_(prompts), judge_(judge) {}

  // Asks every question without memory, with the memories that the service retrieves, and with the
  // texts of just these in the prompt; appends the records. `done` hears, from any thread, of the
  // questions that are through in the setting under way.
  absl::Status Ask(uint64_t seed, absl::Span<const DrawnQuestion> drawn,
                   const std::function<void(int)>& done, std::vector<Record>* records);

 private:
  absl::StatusOr<std::vector<ServiceAnswer>> AskAll(
      absl::Span<const DrawnQuestion> drawn, bool use_memory,
      absl::Span<const std::vector<std::string>> references, const std::function<void(int)>& done);

  ServiceClient& client_;
  const World& world_;
  const PromptMaker& prompts_;
  const Judge& judge_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_SERVICE_SETTINGS_H_
