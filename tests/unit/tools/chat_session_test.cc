#include "tools/chat_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"

namespace memory3 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Runs a session on `input`; every question is answered with `answers` in turn ("" once they are
// used up). Returns what each request said: "system: S|user: U" or "prompt: P".
struct Transcript {
  std::vector<std::string> requests;
  std::string output;
};

std::string Summary(const v1::ChatRequest& request) {
  if (request.has_prompt()) return absl::StrCat("prompt: ", request.prompt());
  std::string text;
  for (const v1::Message& message : request.messages()) {
    const char* role = message.role() == v1::ROLE_SYSTEM ? "system"
                       : message.role() == v1::ROLE_USER ? "user"
                                                         : "assistant";
    absl::StrAppend(&text, text.empty() ? "" : "|", role, ": ", message.content());
  }
  return text;
}

Transcript Converse(const std::string& input, std::vector<std::string> answers,
                    const std::string& system = "", bool raw = false) {
  Transcript transcript;
  size_t next = 0;
  ChatSession session({}, system, raw, [&](const v1::ChatRequest& request) {
    transcript.requests.push_back(Summary(request));
    Answer answer;
    if (next < answers.size()) answer.text = answers[next++];
    return answer;
  });
  std::istringstream in(input);
  std::ostringstream out;
  session.Run(in, out);
  transcript.output = out.str();
  return transcript;
}

TEST(ChatSessionTest, HistoryGrows) {
  EXPECT_THAT(Converse("one\ntwo\n", {"1", "2"}, "be brief").requests,
              ElementsAre("system: be brief|user: one",
                          "system: be brief|user: one|assistant: 1|user: two"));
}

TEST(ChatSessionTest, AQuestionWithoutAnswerIsForgotten) {
  EXPECT_THAT(Converse("one\ntwo\n", {"", "2"}).requests, ElementsAre("user: one", "user: two"));
}

TEST(ChatSessionTest, ResetAndSystem) {
  EXPECT_THAT(
      Converse("one\n/reset\ntwo\n/system kind\nthree\n/system\nfour\n", {"1", "2", "3"}).requests,
      ElementsAre("user: one", "user: two", "system: kind|user: three", "user: four"));
}

TEST(ChatSessionTest, QuitEndsBeforeTheRest) {
  EXPECT_THAT(Converse("/quit\none\n", {}).requests, IsEmpty());
}

TEST(ChatSessionTest, UnknownCommandsAndHelpListTheCommands) {
  for (const char* line : {"/help\n", "/systematic\n", "/unknown\n"}) {
    const Transcript transcript = Converse(line, {});
    EXPECT_THAT(transcript.requests, IsEmpty()) << line;
    EXPECT_THAT(transcript.output, HasSubstr("/reset")) << line;
  }
}

TEST(ChatSessionTest, EmptyLinesAreSkipped) {
  EXPECT_THAT(Converse("\n   \n", {}).requests, IsEmpty());
}

TEST(ChatSessionTest, RawLinesHaveNoHistory) {
  EXPECT_THAT(Converse("once\ntwice\n", {"a", "b"}, "", true).requests,
              ElementsAre("prompt: once", "prompt: twice"));
}

}  // namespace
}  // namespace memory3
