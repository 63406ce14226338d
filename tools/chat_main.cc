// memory3-chat: talks to a memory3-server from a terminal or a script.
#include <grpcpp/client_context.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "engine/base/flag_help.h"
#include "memory3/v1/chat.grpc.pb.h"
#include "memory3/v1/model.grpc.pb.h"
#include "tools/chat_answer.h"
#include "tools/chat_flags.h"
#include "tools/chat_memory.h"
#include "tools/chat_session.h"
#include "tools/interrupts.h"
#include "tools/rpc_client.h"

ABSL_FLAG(std::string, target, "127.0.0.1:8470", "Server: HOST:PORT or unix:/path.");
ABSL_FLAG(std::string, message, "", "The question, instead of words on the command line.");
ABSL_FLAG(absl::optional<std::string>, prompt, absl::nullopt,
          "Raw text to continue, without the chat template.");
ABSL_FLAG(bool, raw, false,
          "Treat the words, standard input or each line as raw text to continue, without the chat "
          "template.");
ABSL_FLAG(std::string, system, "", "System message at the head of the conversation.");
ABSL_FLAG(double, timeout, 0, "Seconds an answer may take; 0: any time.");
ABSL_FLAG(double, wait_ready, 0, "Wait up to that many seconds for the server to be serving.");
ABSL_FLAG(bool, stats, false,
          "After each answer: tokens, time to first token and tokens per second, on standard "
          "error.");
ABSL_FLAG(bool, list_models, false, "Show what is served, with its limits, and end.");

namespace memory3 {
namespace {

constexpr char kUsage[] = R"(usage: memory3-chat [flags] [WORD...]

Asks a memory3-server and prints the answer as it is written. Ctrl-C cancels the answer.

  memory3-chat                                  a conversation; /help lists its commands
  memory3-chat Why is the sky blue?             one question
  memory3-chat --message "Why?" --system "Answer like a pirate."
  memory3-chat --prompt "Once upon a time"      raw text to continue, no chat template
  memory3-chat <question.txt                    the question from a file (with --raw: a raw text)
  memory3-chat --show_memory Who was Ada?       with the references each chunk of the answer saw
  memory3-chat --list_models                    what is served

Flags that say how to sample are sent only when given; the server's defaults hold for the others.
The answer goes to standard output, everything else to standard error. Exit status: 0 for a whole
answer, 1 for an error, 2 for a wrong flag or nothing to ask, 130 when cancelled.)";

const HelpPage kHelp = {kUsage, {"tools/chat_main.cc", "tools/chat_flags.cc"}};

int Fail(const std::string& problem) {
  std::fprintf(stderr, "memory3-chat: %s\n", problem.c_str());
  return 1;
}

int ListModels(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  const grpc::Status status =
      v1::ModelService::NewStub(channel)->ListModels(&context, {}, &response);
  if (!status.ok()) return Fail(Describe(status));
  for (const v1::Model& model : response.models()) std::cout << model.DebugString();
  return 0;
}

// Prints the answer as it comes, then what else is to be told about it.
Answer AskAndPrint(v1::ChatService::Stub& stub, ReferenceTexts& texts, Interrupts& interrupts,
                   const v1::ChatRequest& request) {
  const double seconds = absl::GetFlag(FLAGS_timeout);
  const absl::Duration timeout = seconds > 0 ? absl::Seconds(seconds) : absl::InfiniteDuration();
  Answer answer = StreamAnswer(stub, request, timeout, interrupts, [](absl::string_view piece) {
    std::cout.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    std::cout.flush();
  });
  std::cout << std::endl;
  if (!answer.logprobs.empty()) std::cerr << DescribeLogprobs(answer.logprobs);
  if (!answer.memory_chunks.empty()) std::cerr << DescribeMemories(answer.memory_chunks, texts);
  if (answer.interrupted) {
    std::cerr << "[cancelled]\n";
  } else if (!answer.status.ok()) {
    std::cerr << "memory3-chat: " << Describe(answer.status) << "\n";
  } else if (absl::GetFlag(FLAGS_stats)) {
    std::cerr << DescribeStats(answer) << "\n";
  }
  return answer;
}

int Converse(const std::shared_ptr<grpc::Channel>& channel, v1::ChatService::Stub& stub,
             ReferenceTexts& texts, Interrupts& interrupts, v1::ChatRequest request) {
  const bool raw = absl::GetFlag(FLAGS_raw);
  grpc::ClientContext context;
  v1::GetModelRequest get;
  get.set_name(request.model());
  v1::Model model;
  const grpc::Status status = v1::ModelService::NewStub(channel)->GetModel(&context, get, &model);
  if (!status.ok()) return Fail(Describe(status));
  if (!raw && !model.has_chat_template()) {
    return Fail(model.name() + " has no chat template; --raw continues each line as it is");
  }
  std::cerr << model.name() << ", context " << model.limits().max_context_tokens()
            << " tokens. /help lists the commands.\n";
  ChatSession session(
      std::move(request), absl::GetFlag(FLAGS_system), raw,
      [&](const v1::ChatRequest& next) { return AskAndPrint(stub, texts, interrupts, next); });
  session.Run(std::cin, std::cout);
  return 0;
}

// The text of a one-shot question; nullopt: have a conversation.
absl::StatusOr<absl::optional<std::string>> OneShotText(const std::vector<char*>& words) {
  const bool raw = absl::GetFlag(FLAGS_raw) || absl::GetFlag(FLAGS_prompt).has_value();
  if (raw && !absl::GetFlag(FLAGS_system).empty()) {
    return absl::InvalidArgumentError("--system belongs to a chat; a raw text has no messages");
  }
  const int given = (words.empty() ? 0 : 1) + (absl::GetFlag(FLAGS_message).empty() ? 0 : 1) +
                    (absl::GetFlag(FLAGS_prompt).has_value() ? 1 : 0);
  if (given > 1) {
    return absl::InvalidArgumentError("give one of --prompt, --message and words, not several");
  }
  if (absl::GetFlag(FLAGS_prompt).has_value()) return absl::GetFlag(FLAGS_prompt);
  if (!absl::GetFlag(FLAGS_message).empty())
    return absl::make_optional(absl::GetFlag(FLAGS_message));
  if (!words.empty()) return absl::make_optional(absl::StrJoin(words, " "));
  if (isatty(STDIN_FILENO)) return absl::optional<std::string>();
  std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  if (text.empty()) return absl::InvalidArgumentError("standard input is empty: nothing to ask");
  return absl::make_optional(std::move(text));
}

int Run(const std::vector<char*>& words) {
  Interrupts interrupts;  // before gRPC starts threads
  const bool list = absl::GetFlag(FLAGS_list_models);
  const absl::StatusOr<absl::optional<std::string>> text =
      list ? absl::optional<std::string>() : OneShotText(words);
  if (!text.ok()) return EndProgram("memory3-chat", text.status());
  absl::StatusOr<v1::ChatRequest> request = RequestFromFlags();
  if (!request.ok()) return EndProgram("memory3-chat", request.status());

  const std::shared_ptr<grpc::Channel> channel = ConnectTo(absl::GetFlag(FLAGS_target));
  if (const double seconds = absl::GetFlag(FLAGS_wait_ready); seconds > 0) {
    const absl::Status ready = WaitUntilServing(channel, absl::Seconds(seconds));
    if (!ready.ok()) return Fail(std::string(ready.message()));
  }
  if (list) return ListModels(channel);
  const std::unique_ptr<v1::ChatService::Stub> stub = v1::ChatService::NewStub(channel);
  ReferenceTexts texts(channel);
  if (!text->has_value()) {
    return Converse(channel, *stub, texts, interrupts, *std::move(request));
  }

  if (absl::GetFlag(FLAGS_raw) || absl::GetFlag(FLAGS_prompt).has_value()) {
    request->set_prompt(**text);
  } else {
    if (!absl::GetFlag(FLAGS_system).empty()) {
      v1::Message* system = request->add_messages();
      system->set_role(v1::ROLE_SYSTEM);
      system->set_content(absl::GetFlag(FLAGS_system));
    }
    v1::Message* user = request->add_messages();
    user->set_role(v1::ROLE_USER);
    user->set_content(**text);
  }
  const Answer answer = AskAndPrint(*stub, texts, interrupts, *request);
  if (answer.interrupted) return kInterruptedStatus;
  return answer.status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, memory3::kHelp)) return 0;
  const std::vector<char*> arguments = memory3::ParseFlagsOrExit(argc, argv);
  return memory3::Run({arguments.begin() + 1, arguments.end()});
}
