// memory3-server as a program: flags, exit statuses, files it reads and writes, signals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "tests/integration/chat_client.h"
#include "tests/integration/http_get.h"
#include "tests/integration/server_process.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"
#include "tests/unit/tools/child_process.h"

namespace memory3 {
namespace {

using testing::HasSubstr;

constexpr int kLongAnswer = 12000;  // many seconds
constexpr absl::Duration kExitTime = absl::Seconds(30);

std::string ModelFlag(const std::filesystem::path& folder) {
  return "--model_dir=" + folder.string();
}

std::unique_ptr<v1::ChatService::Stub> ChatStub(const ServerProcess& server) {
  return v1::ChatService::NewStub(Connect(server.grpc_port()));
}

// Files for one test, gone with it.
class ServerProgramTest : public testing::Test {
 protected:
  ServerProgramTest() {
    std::string pattern = testing::TempDir() + "/m3_program_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~ServerProgramTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  // A copy of the model that a test may spoil.
  std::filesystem::path CopyOfModel() const {
    std::filesystem::copy(QuickModel(), folder_ / "model");
    return folder_ / "model";
  }

  std::filesystem::path folder_;
};

TEST_F(ServerProgramTest, TermLetsStreamsEnd) {
  ServerProcess server({ModelFlag(LongModel()), "--shutdown_grace=10m"});  // however slow we are
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  const auto chat = ChatStub(server);
  ChatStream running(*chat, PromptRequest("a", 1500));
  ASSERT_TRUE(running.Read().has_value());
  server.Signal(SIGTERM);
  ASSERT_TRUE(server.AwaitLog("draining").has_value());
  EXPECT_TRUE(Eventually([&] {
    return Chat(*chat, PromptRequest("b", 5)).status.error_code() == grpc::StatusCode::UNAVAILABLE;
  }));
  EXPECT_EQ(HttpGet(server.metrics_port(), "/readyz").code, 503);
  EXPECT_EQ(HttpGet(server.metrics_port(), "/healthz").code, 200);
  const ChatAnswer answer = running.ReadAll();
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_TRUE(answer.chunks.back().has_usage());
  EXPECT_EQ(answer.chunks.back().usage().completion_tokens(), 1500);
  EXPECT_EQ(server.Wait(kExitTime), 0) << server.log();
}

TEST_F(ServerProgramTest, GraceEndsLongStreamsWithUnavailable) {
  for (const int number : {SIGTERM, SIGINT}) {
    ServerProcess server({ModelFlag(LongModel()), "--shutdown_grace=300ms"});
    ASSERT_TRUE(server.AwaitReady()) << server.log();
    const auto chat = ChatStub(server);
    ChatStream running(*chat, PromptRequest("a", kLongAnswer));
    ASSERT_TRUE(running.Read().has_value());
    server.Signal(number);
    const ChatAnswer answer = running.ReadAll();
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE)
        << answer.status.error_message();
    EXPECT_TRUE(RetryInfoOf(answer.status).has_value());
    EXPECT_EQ(server.Wait(kExitTime), 0) << server.log();
  }
}

TEST_F(ServerProgramTest, SecondSignalExitsAtOnce) {
  ServerProcess server({ModelFlag(LongModel()), "--shutdown_grace=10m"});
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  const auto chat = ChatStub(server);
  ChatStream running(*chat, PromptRequest("a", kLongAnswer));
  ASSERT_TRUE(running.Read().has_value());
  server.Signal(SIGTERM);
  ASSERT_TRUE(server.AwaitLog("draining").has_value());
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(kExitTime), 1);
  EXPECT_THAT(server.log(), HasSubstr("second signal"));
  EXPECT_EQ(running.ReadAll().status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServerProgramTest, IdleServerStopsWithoutWaiting) {
  ServerProcess server({ModelFlag(QuickModel()), "--shutdown_grace=10m"});
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  const auto channel = Connect(server.grpc_port());
  ASSERT_TRUE(Chat(*v1::ChatService::NewStub(channel), PromptRequest("a", 5)).status.ok());
  server.Signal(SIGTERM);  // the client stays connected
  EXPECT_EQ(server.Wait(kExitTime), 0) << server.log();
}

// Whether the signal meets the loading or the moment after it.
TEST_F(ServerProgramTest, TermWhileLoadingEndsItToo) {
  ServerProcess server({ModelFlag(LongModel())});
  ASSERT_TRUE(server.AwaitLog("loading").has_value());
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(kExitTime), 0) << server.log();
}

TEST_F(ServerProgramTest, OneLineSaysWhatIsServed) {
  ServerProcess server({ModelFlag(QuickModel()), "--max_sequences=7", "--max_batch_tokens=33"});
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  const nlohmann::json ready = *server.AwaitLog("ready");
  EXPECT_EQ(ready.value("model", ""), "synth");
  EXPECT_EQ(ready.value("architecture", ""), "LlamaForCausalLM");
  EXPECT_NE(ready.value("device", ""), "");
  EXPECT_EQ(ready.value("max_context", 0), 512);
  EXPECT_EQ(ready.value("max_sequences", 0), 7);
  EXPECT_EQ(ready.value("max_batch_tokens", 0), 33);
  EXPECT_GT(ready.value("kv_cache_tokens", 0), 512);
  EXPECT_EQ(HttpGet(ready.value("metrics_port", 0), "/readyz").code, 200);
  EXPECT_NE(ready.value("grpc_port", 0), 0);
}

TEST_F(ServerProgramTest, WrongFlagsAreNamed) {
  const std::string model = ModelFlag(QuickModel());
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{}, "--model_dir"},
      {{model, "--threads=-1"}, "--threads"},
      {{model, "--threads=many"}, "threads"},
      {{model, "--dtype=int8"}, "--dtype"},
      {{model, "--device=tpu"}, "--device"},
      {{model, "--kv_cache_bytes=lots"}, "kv_cache_bytes"},
      {{model, "--shutdown_grace=0s"}, "--shutdown_grace"},
      {{model, "--default_temperature=-2"}, "--default_temperature"},
      {{model, "--no_such_flag=1"}, "no_such_flag"},
      {{model, "--flagfile=" + (folder_ / "absent").string()}, "absent"},
      {{model, "--flagfile=" + Write("flags", "--dtype=int8\n").string()}, "--dtype"},
      {{model, "word"}, "flags only"},
  };
  for (const auto& [flags, name] : wrong) {
    const FinishedProgram done = RunProgram(ServerCommand(flags), "");
    EXPECT_EQ(done.status, 2) << name;
    EXPECT_THAT(done.err, HasSubstr(name));
  }
}

TEST_F(ServerProgramTest, ADeviceThatIsNotThereIsNamed) {
  const FinishedProgram done =
      RunProgram(ServerCommand({ModelFlag(QuickModel()), "--device=cuda"}), "");
  EXPECT_EQ(done.status, 1);  // the flag is fine, this build or machine is not
  EXPECT_THAT(done.err, HasSubstr("--device"));
}

TEST_F(ServerProgramTest, ModelsThatCannotBeServedAreNamedByFile) {
  const auto expect_refused = [](const std::filesystem::path& model, const std::string& file) {
    const FinishedProgram done = RunProgram(ServerCommand({ModelFlag(model)}), "");
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_THAT(done.err, HasSubstr(file));
  };
  expect_refused(folder_ / "nowhere", "nowhere/config.json");
  const std::filesystem::path model = CopyOfModel();
  const std::filesystem::path weights = model / "model.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) - 1);
  expect_refused(model, "model.safetensors");
  std::filesystem::remove(weights);
  expect_refused(model, ".safetensors");
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const char* name : {"tokenizer_config.json", "tokenizer.json", "config.json"}) {
    std::filesystem::copy(QuickModel(), model, std::filesystem::copy_options::overwrite_existing);
    Write("model/" + std::string(name), "{\"a\": " + deep + "}");
    expect_refused(model, std::string(name) + ": nested");
  }
}

TEST_F(ServerProgramTest, AddressesInUseAreNamed) {
  ServerProcess first({ModelFlag(QuickModel())});
  ASSERT_TRUE(first.AwaitReady()) << first.log();
  for (const auto& [flag, port] : {std::pair("--listen_address", first.grpc_port()),
                                   {"--metrics_address", first.metrics_port()}}) {
    const FinishedProgram done =
        RunProgram(ServerCommand({ModelFlag(QuickModel()),
                                  std::string(flag) + "=127.0.0.1:" + std::to_string(port)}),
                   "");
    EXPECT_EQ(done.status, 1);
    EXPECT_THAT(done.err, HasSubstr(flag));
  }
}

TEST_F(ServerProgramTest, PortFileHoldsThePort) {
  const std::filesystem::path file = folder_ / "port";
  ServerProcess server({ModelFlag(QuickModel()), "--port_file=" + file.string()});
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  int port = 0;
  std::ifstream(file) >> port;
  EXPECT_EQ(port, server.grpc_port());
  const auto chat = v1::ChatService::NewStub(Connect(port));
  EXPECT_TRUE(Chat(*chat, PromptRequest("a", 5)).status.ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "port.partial"));

  const FinishedProgram done = RunProgram(
      ServerCommand({ModelFlag(QuickModel()), "--port_file=" + (folder_ / "no/port").string()}),
      "");
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("--port_file"));
}

TEST_F(ServerProgramTest, FlagsComeFromFiles) {
  const std::filesystem::path flags =
      Write("flags", "# a model and its name\n" + ModelFlag(QuickModel()) +
                         "\n\n--served_model_name=named-in-a-file\n--max_completion_tokens=7\n");
  ServerProcess server({"--flagfile=" + flags.string()});
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  const ChatAnswer answer = Chat(*ChatStub(server), PromptRequest("a", 5));
  EXPECT_TRUE(answer.status.ok());
  EXPECT_EQ(answer.chunks.front().model(), "named-in-a-file");
  EXPECT_EQ(Chat(*ChatStub(server), PromptRequest("a", 8)).status.error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerProgramTest, ServesOnUnixSockets) {
  const std::string address = "unix:" + (folder_ / "socket").string();
  ServerProcess server({ModelFlag(QuickModel()), "--listen_address=" + address});
  ASSERT_TRUE(server.AwaitLog("ready").has_value()) << server.log();
  const auto chat =
      v1::ChatService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  EXPECT_TRUE(Chat(*chat, PromptRequest("a", 5)).status.ok());
}

TEST_F(ServerProgramTest, LogsNothingButLinesOfTheFormat) {
  ServerProcess server({ModelFlag(QuickModel())});
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  const auto chat = ChatStub(server);
  EXPECT_EQ(Chat(*chat, PromptRequest("\xC3", 5)).status.error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(server.AwaitLog("request").has_value());
  for (const absl::string_view line : absl::StrSplit(server.log(), '\n', absl::SkipEmpty())) {
    EXPECT_TRUE(nlohmann::json::accept(line.begin(), line.end())) << line;
  }
}

TEST_F(ServerProgramTest, ExplainsItself) {
  const FinishedProgram help = RunProgram({M3_BINARY_DIR "/bin/memory3-server", "--help"}, "");
  EXPECT_EQ(help.status, 0);
  for (const char* word : {"--model_dir", "--shutdown_grace", "--flagfile", "SIGTERM"})
    EXPECT_THAT(help.out, HasSubstr(word));
}

}  // namespace
}  // namespace memory3
