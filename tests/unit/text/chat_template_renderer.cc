// Renders chat templates for the comparison with Jinja2 (chat_template_jinja2_test.py). Reads one
// JSON request per line: {"template", "messages", "add_generation_prompt", "bos_token", ...};
// answers one JSON object per line: {"text"} or {"error"}.
#include <iostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/text/chat_template.h"
#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

using nlohmann::json;

// 2024-07-26 12:00:00, as the Python side has it.
absl::Time FixedNow() {
  return absl::FromCivil(absl::CivilSecond(2024, 7, 26, 12, 0, 0), absl::LocalTimeZone());
}

json Answer(const json& request) {
  absl::StatusOr<ChatTemplate> chat = ChatTemplate::Parse(
      request["template"].get<std::string>(),
      {.bos_token = request["bos_token"], .eos_token = request["eos_token"]}, FixedNow);
  if (!chat.ok()) return {{"error", "Parse: " + std::string(chat.status().message())}};
  std::vector<ChatMessage> messages;
  for (const json& message : request["messages"]) {
    messages.push_back({.role = message["role"], .content = message["content"]});
  }
  const absl::StatusOr<std::string> text =
      chat->Render(messages, request["add_generation_prompt"].get<bool>());
  if (!text.ok()) return {{"error", "Render: " + std::string(text.status().message())}};
  return {{"text", *text}};
}

}  // namespace
}  // namespace memory3

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << memory3::Answer(nlohmann::json::parse(line)).dump() << "\n";
  }
}
