#include "server/retrieval_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <future>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/unit/server/scripted_retrieval_server.h"

namespace memory3 {
namespace {

constexpr int kLimit = 2;
constexpr absl::Duration kPlenty = absl::Seconds(30);

class RetrievalClientTest : public testing::Test {
 protected:
  std::future<absl::StatusOr<RetrievalAnswer>> Ask(std::vector<std::string> queries,
                                                   absl::Duration timeout = kPlenty) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<RetrievalAnswer>>>();
    client_->Retrieve(
        std::move(queries), timeout,
        [promise](absl::StatusOr<RetrievalAnswer> answer) { promise->set_value(answer); });
    return promise->get_future();
  }
  absl::Status Outcome(absl::Duration timeout = kPlenty) {
    return Ask({"1"}, timeout).get().status();
  }
  // How long it takes until a call works again.
  absl::Duration UntilItWorks() {
    const absl::Time begin = absl::Now();
    while (!Outcome().ok() && absl::Now() - begin < kPlenty) absl::SleepFor(absl::Milliseconds(5));
    return absl::Now() - begin;
  }

  ScriptedRetrievalServer server_{
      absl::StrCat("unix:", testing::TempDir(), "/m3_retrieval_", getpid())};
  std::unique_ptr<RetrievalClient> client_ =
      std::make_unique<RetrievalClient>(server_.address(), kLimit, /*seed=*/1, nullptr);
};

TEST_F(RetrievalClientTest, CarriesQueriesAndAnswersInOrder) {
  server_.Start();
  const absl::StatusOr<RetrievalAnswer> answer = Ask({"7", "40"}).get();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->epoch, 4u);
  ASSERT_EQ(answer->results.size(), 2u);
  ASSERT_EQ(answer->results[1].size(), static_cast<size_t>(kLimit));
  EXPECT_EQ(answer->results[0][0].id, 7u);
  EXPECT_EQ(answer->results[1][1].id, 41u);
  EXPECT_EQ(answer->results[1][1].score, 0.5f);
  EXPECT_TRUE(client_->Refresh(kPlenty).ok());
  EXPECT_EQ(server_.service.refreshes, 1);
}

TEST_F(RetrievalClientTest, ASilentSidecarCostsTheTimeoutOnly) {
  server_.Start();
  server_.service.hang = true;
  EXPECT_EQ(Outcome(absl::Milliseconds(50)).code(), absl::StatusCode::kDeadlineExceeded);
  server_.service.hang = false;
}

TEST_F(RetrievalClientTest, AMissingSidecarIsUnavailableAndSoonNotAskedAtAll) {
  for (int i = 0; i < CircuitBreaker::kFailuresToOpen; ++i) {
    EXPECT_EQ(Outcome().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_TRUE(client_->breaker().open());
  EXPECT_FALSE(client_->Refresh(absl::Seconds(1)).ok());
}

TEST_F(RetrievalClientTest, FindsARestartedSidecarWithinASecond) {
  server_.Start();
  ASSERT_TRUE(Outcome().ok());
  for (int i = 0; i < 3; ++i) {
    server_.Stop();
    const absl::Time end = absl::Now() + absl::Milliseconds(300);
    while (absl::Now() < end || !client_->breaker().open()) (void)Outcome();
    server_.Start();
    EXPECT_LT(UntilItWorks(), absl::Seconds(1));
    EXPECT_FALSE(client_->breaker().open());
  }
}

TEST_F(RetrievalClientTest, ErrorsOpenTheCircuitAndAnAnswerClosesIt) {
  server_.Start();
  server_.service.fail_calls = CircuitBreaker::kFailuresToOpen;
  for (int i = 0; i < CircuitBreaker::kFailuresToOpen; ++i) EXPECT_FALSE(Outcome().ok());
  EXPECT_TRUE(client_->breaker().open());
  const int asked = server_.service.calls;
  EXPECT_EQ(Outcome().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_.service.calls, asked);
  EXPECT_LT(UntilItWorks(), absl::Seconds(1));
}

TEST_F(RetrievalClientTest, BoundsTheCallsInFlightAndEndsThemWhenItGoes) {
  server_.Start();
  server_.service.hang = true;
  std::vector<std::future<absl::StatusOr<RetrievalAnswer>>> waiting;
  for (int i = 0; i < RetrievalClient::kMaxCalls; ++i) waiting.push_back(Ask({"1"}));
  EXPECT_EQ(Outcome().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(client_->breaker().open());
  client_.reset();
  for (auto& answer : waiting) EXPECT_FALSE(answer.get().ok());
  server_.service.hang = false;
}

}  // namespace
}  // namespace memory3
