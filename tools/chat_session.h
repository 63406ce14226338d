// An interactive conversation: lines in, answers out, a history in between.
#ifndef MEMORY3_TOOLS_CHAT_SESSION_H_
#define MEMORY3_TOOLS_CHAT_SESSION_H_

#include <functional>
#include <istream>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "memory3/v1/chat.pb.h"
#include "tools/chat_answer.h"

namespace memory3 {

// Asks the server; prints the answer and whatever is to be said about it.
using Ask = std::function<Answer(const v1::ChatRequest&)>;

class ChatSession {
 public:
  // base: the request without messages. system: the system message, empty for none. raw: every line
  // is a prompt of its own, continued as it is; no history.
  ChatSession(v1::ChatRequest base, std::string system, bool raw, Ask ask);

  // Reads lines until /quit or the end of `in`. `out` gets the prompt sign and the answers to
  // commands.
  void Run(std::istream& in, std::ostream& out);

  // What the next question would be sent with, without it.
  const v1::ChatRequest& request() const { return request_; }

 private:
  // False: quit.
  bool HandleCommand(absl::string_view line, std::ostream& out);
  void HandleQuestion(const std::string& line);
  void Reset();

  v1::ChatRequest request_;
  std::string system_;
  const bool raw_;
  const Ask ask_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_CHAT_SESSION_H_
