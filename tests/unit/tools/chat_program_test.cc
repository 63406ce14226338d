// memory3-chat as its users meet it: a child process, pipes or a terminal, and a server that
// answers by script.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/tools/child_process.h"
#include "tests/unit/tools/scripted_chat_server.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;

constexpr char kCtrlC[] = "\x03";
constexpr char kCtrlD[] = "\x04";

class ChatProgramTest : public ::testing::Test {
 protected:
  ChatProgramTest() {
    server_.service.answer = {"Once", " upon"};
    server_.models.model.set_name("scripted");
    server_.models.model.set_has_chat_template(true);
  }

  std::vector<std::string> Command(const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {M3_BINARY_DIR "/bin/memory3-chat",
                                        "--target=" + server_.target()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }
  FinishedProgram Chat(const std::vector<std::string>& arguments, const std::string& input = "") {
    return RunProgram(Command(arguments), input);
  }

  ScriptedChatServer server_;
};

TEST_F(ChatProgramTest, WordsAreOneQuestion) {
  const FinishedProgram chat = Chat({"--system=Be brief.", "why", "is", "it?"});
  EXPECT_EQ(chat.status, 0) << chat.err;
  EXPECT_EQ(chat.out, "Once upon\n");
  const v1::ChatRequest request = server_.service.last_request();
  ASSERT_EQ(request.messages_size(), 2);
  EXPECT_EQ(request.messages(0).role(), v1::ROLE_SYSTEM);
  EXPECT_EQ(request.messages(1).role(), v1::ROLE_USER);
  EXPECT_EQ(request.messages(1).content(), "why is it?");
}

TEST_F(ChatProgramTest, StandardInputIsTheQuestionOrTheText) {
  EXPECT_EQ(Chat({}, "two\nlines").status, 0);
  EXPECT_EQ(server_.service.last_request().messages(0).content(), "two\nlines");
  EXPECT_EQ(Chat({"--raw"}, "There was").status, 0);
  EXPECT_EQ(server_.service.last_request().prompt(), "There was");
  EXPECT_EQ(Chat({"--prompt=x"}).status, 0);
  EXPECT_EQ(server_.service.last_request().prompt(), "x");
}

TEST_F(ChatProgramTest, ErrorsArePlainAndEndWithOne) {
  server_.service.status = grpc::Status(grpc::StatusCode::NOT_FOUND, "no model \"x\"");
  const FinishedProgram chat = Chat({"--model=x", "hello"});
  EXPECT_EQ(chat.status, 1);
  EXPECT_THAT(chat.err, HasSubstr("memory3-chat: NOT_FOUND: no model \"x\"\n"));
  EXPECT_EQ(Chat({"--target=unix:/does/not/exist", "a"}).status, 1);  // no server
}

TEST_F(ChatProgramTest, WhatWasAskedWronglyEndsWithTwo) {
  EXPECT_EQ(Chat({}).status, 2);                            // nothing to ask
  EXPECT_EQ(Chat({"--prompt=a", "b"}).status, 2);           // two questions
  EXPECT_EQ(Chat({"--prompt=a", "--system=b"}).status, 2);  // no messages to join
  EXPECT_EQ(Chat({"--no_such_flag", "a"}).status, 2);
}

TEST_F(ChatProgramTest, ShowsTheMemoriesBehindAnAnswerOnStandardError) {
  v1::MemoryChunk chunk;
  chunk.add_memories()->set_memory_id(4);
  server_.service.memory_chunks = {chunk};
  server_.bank.references[4].set_text("The sky scatters blue.");
  const FinishedProgram chat = Chat({"--show_memory", "--memory_policy=strict", "why?"});
  EXPECT_EQ(chat.status, 0) << chat.err;
  EXPECT_EQ(chat.out, "Once upon\n");
  EXPECT_THAT(chat.err, HasSubstr("The sky scatters blue."));
  EXPECT_TRUE(server_.service.last_request().memory_details());
  EXPECT_EQ(server_.service.last_request().memory_policy(), v1::MEMORY_POLICY_STRICT);
}

TEST_F(ChatProgramTest, ListsModelsAndHelps) {
  const FinishedProgram list = Chat({"--wait_ready=60", "--list_models"});
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("scripted"));
  const FinishedProgram help = Chat({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, HasSubstr("--temperature"));
}

TEST_F(ChatProgramTest, CtrlCCancelsAnAnswerAndTheConversationGoesOn) {
  TerminalProgram chat(Command({}));
  chat.ReadUntil("> ");
  chat.Type("first\n");
  EXPECT_THAT(chat.ReadUntil("\n> "), HasSubstr("Once upon"));

  server_.service.hang = true;
  chat.Type("second\n");
  chat.ReadUntil(" upon");
  chat.Type(kCtrlC);
  EXPECT_THAT(chat.ReadUntil("\n> "), HasSubstr("[cancelled]"));

  server_.service.hang = false;
  chat.Type("third\n");
  EXPECT_THAT(chat.ReadUntil("\n> "), HasSubstr("Once upon"));
  // What was said before Ctrl-C stays in the conversation.
  EXPECT_EQ(server_.service.last_request().messages_size(), 5);
  chat.Type(kCtrlD);
  EXPECT_EQ(chat.Wait(), 0);
}

TEST_F(ChatProgramTest, CtrlCAtThePromptEnds) {
  TerminalProgram chat(Command({}));
  chat.ReadUntil("> ");
  chat.Type(kCtrlC);
  EXPECT_EQ(chat.Wait(), 130);
}

TEST_F(ChatProgramTest, AModelWithoutTemplateNeedsRaw) {
  server_.models.model.set_has_chat_template(false);
  TerminalProgram refused(Command({}));
  EXPECT_THAT(refused.ReadUntil("\n"), HasSubstr("--raw"));
  EXPECT_EQ(refused.Wait(), 1);
  TerminalProgram raw(Command({"--raw"}));
  raw.ReadUntil("> ");
  raw.Type("/quit\n");
  EXPECT_EQ(raw.Wait(), 0);
}

}  // namespace
}  // namespace memory3
