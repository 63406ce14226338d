// The sidecar is killed and started again, again and again, while answers are being written: none
// of them fails, strict ones are the same to the token, memory is back within a second, and the
// metrics tell the story.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <optional>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/integration/instrumented.h"
#include "tests/integration/logged_process.h"
#include "tests/integration/memory_server.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

constexpr int kRestarts = 20;
constexpr absl::Duration kBack = absl::Seconds(kInstrumented ? 20 : 1);
constexpr int kClients = 3;
constexpr int kStrictAnswers = 4;

// The program, as an operator runs it.
class SidecarProcess {
 public:
  explicit SidecarProcess(const MemoryFolder& folder)
      : command_({M3_BINARY_DIR "/bin/memory3-retrieval", "--bank=" + folder.bank().string(),
                  "--taught=" + folder.taught().string(),
                  "--listen_address=" + folder.sidecar_address(),
                  "--metrics_address=", "--log_format=json"}) {}
  void Start() {
    process_.emplace(command_);
    ASSERT_TRUE(process_->AwaitLog("serving bank").has_value()) << process_->log();
  }
  void Kill() {
    process_->Signal(SIGKILL);
    process_->Wait(absl::Seconds(30));
  }

 private:
  const std::vector<std::string> command_;
  std::optional<LoggedProcess> process_;
};

v1::ChatRequest StrictRequest(int number) {
  v1::ChatRequest request = PromptRequest("ccc number", 100, number);
  request.set_memory_policy(v1::MEMORY_POLICY_STRICT);
  return request;
}

// Clients that ask one thing after the other until the object goes.
class Load {
 public:
  explicit Load(TestServer& server) {
    for (int i = 0; i < kClients; ++i) {
      clients_.emplace_back([this, &server, i] {
        for (int turn = 0; !stopping_; ++turn) {
          v1::ChatRequest request = PromptRequest("hhh number", 100, 10 * turn + i);
          request.set_memory_policy(v1::MEMORY_POLICY_DEADLINE);
          Count(Chat(server.chat(), request));
        }
      });
    }
    for (int i = 0; i < kStrictAnswers; ++i) {
      expected_.push_back(Chat(server.chat(), StrictRequest(i)).token_ids());
    }
    clients_.emplace_back([this, &server] {
      for (int turn = 0; !stopping_; ++turn) {
        const ChatAnswer answer = Chat(server.chat(), StrictRequest(turn % kStrictAnswers));
        Count(answer);
        different_ += answer.token_ids() != expected_[turn % kStrictAnswers];
      }
    });
  }
  ~Load() { Stop(); }
  void Stop() {
    stopping_ = true;
    for (std::thread& client : clients_) client.join();
    clients_.clear();
  }
  int answered() const { return answered_; }
  int failed() const { return failed_; }
  int different() const { return different_; }

 private:
  void Count(const ChatAnswer& answer) { ++(answer.status.ok() ? answered_ : failed_); }

  std::vector<std::vector<int32_t>> expected_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> answered_ = 0, failed_ = 0, different_ = 0;
  std::vector<std::thread> clients_;
};

TEST(ServerMemoryRestartTest, NoAnswerFailsAndMemoryIsBackWithinASecond) {
  const MemoryFolder folder;
  SidecarProcess sidecar(folder);
  sidecar.Start();
  TestServer server(folder.server_options());
  const std::string found = "memory3_retrieval_calls_total{code=\"OK\"}";
  const std::string missing = "memory3_retrieval_calls_total{code=\"UNAVAILABLE\"}";
  Load load(server);
  ASSERT_TRUE(Eventually([&] { return server.Sample(found) > 0; }));
  for (int i = 0; i < kRestarts; ++i) {
    sidecar.Kill();
    ASSERT_TRUE(Eventually([&] { return server.Sample("memory3_retrieval_circuit_open") == 1; }));
    const double calls = server.Sample(found);
    sidecar.Start();
    const absl::Time back = absl::Now();
    ASSERT_TRUE(Eventually([&] { return server.Sample(found) > calls; }));
    EXPECT_LT(absl::Now() - back, kBack) << "restart " << i;
    EXPECT_EQ(server.Sample("memory3_ready"), 1);
  }
  load.Stop();
  EXPECT_EQ(load.failed(), 0);
  EXPECT_EQ(load.different(), 0);
  EXPECT_GT(load.answered(), 0);
  std::map<std::string, double> samples = server.Scrape();
  EXPECT_EQ(samples["memory3_retrieval_circuit_open"], 0);
  EXPECT_GE(samples["memory3_retrieval_circuit_opened_total"], kRestarts);
  EXPECT_GT(samples["memory3_retrieval_circuit_refusals_total"], 0);
  EXPECT_GT(samples[missing], 0);
  EXPECT_GT(samples["memory3_memory_chunks_total{outcome=\"ok\"}"], 0);
  EXPECT_GT(samples["memory3_memory_chunks_total{outcome=\"late\"}"] +
                samples["memory3_memory_chunks_total{outcome=\"degraded\"}"],
            0);
  EXPECT_TRUE(server.BecomesIdle());
}

}  // namespace
}  // namespace memory3
