#include "tools/chat_session.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace memory3 {
namespace {

constexpr char kCommands[] =
    "/reset         forget the conversation\n"
    "/system TEXT   set the system message (empty: none) and forget the conversation\n"
    "/help          this list\n"
    "/quit          end (also Ctrl-D; Ctrl-C cancels a running answer, and ends at the prompt)\n";

void AddMessage(v1::ChatRequest* request, v1::Role role, std::string content) {
  v1::Message* message = request->add_messages();
  message->set_role(role);
  message->set_content(std::move(content));
}

}  // namespace

ChatSession::ChatSession(v1::ChatRequest base, std::string system, bool raw, Ask ask)
    : request_(std::move(base)), system_(std::move(system)), raw_(raw), ask_(std::move(ask)) {
  Reset();
}

void ChatSession::Reset() {
  request_.clear_messages();
  if (!system_.empty() && !raw_) AddMessage(&request_, v1::ROLE_SYSTEM, system_);
}

void ChatSession::Run(std::istream& in, std::ostream& out) {
  std::string line;
  for (;;) {
    out << "> " << std::flush;
    if (!std::getline(in, line)) {
      out << "\n";
      return;
    }
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    if (line[0] == '/') {
      if (!HandleCommand(absl::StripAsciiWhitespace(line), out)) return;
    } else {
      HandleQuestion(line);
    }
  }
}

bool ChatSession::HandleCommand(absl::string_view line, std::ostream& out) {
  if (line == "/quit" || line == "/exit") return false;
  if (line == "/reset") {
    Reset();
  } else if (absl::ConsumePrefix(&line, "/system") && (line.empty() || line[0] == ' ')) {
    system_ = std::string(absl::StripAsciiWhitespace(line));
    Reset();
  } else {
    out << kCommands;
  }
  return true;
}

void ChatSession::HandleQuestion(const std::string& line) {
  if (raw_) {
    v1::ChatRequest request = request_;
    request.set_prompt(line);
    ask_(request);
    return;
  }
  AddMessage(&request_, v1::ROLE_USER, line);
  Answer answer = ask_(request_);
  // Roles must go on alternating: a question without any answer is forgotten, one that was answered
  // in part stays.
  if (answer.text.empty()) {
    request_.mutable_messages()->RemoveLast();
  } else {
    AddMessage(&request_, v1::ROLE_ASSISTANT, std::move(answer.text));
  }
}

}  // namespace memory3
