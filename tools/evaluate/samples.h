// Free questions, answered by the running service with and without memory, for people to read.
#ifndef MEMORY3_TOOLS_EVALUATE_SAMPLES_H_
#define MEMORY3_TOOLS_EVALUATE_SAMPLES_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/evaluate/prompt.h"
#include "tools/evaluate/service_client.h"

namespace memory3 {

struct SamplePrompt {
  std::string category;  // may be empty
  std::string text;
};

// MT-bench's layout: a .jsonl file of objects with "turns", a list of texts, and "category". Only
// first turns are taken. InvalidArgument naming file and line.
absl::StatusOr<std::vector<SamplePrompt>> ReadSamplePrompts(const std::filesystem::path& file);

// Asks all and shows them as markdown.
absl::StatusOr<std::string> ShowSamples(absl::Span<const SamplePrompt> samples,
                                        const PromptMaker& prompts, ServiceClient& client);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_SAMPLES_H_
