// The small parts of the memory loop: time between tries, and the way back to the engine thread.
#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "engine/memory_mailbox.h"
#include "engine/retry_backoff.h"
#include "gtest/gtest.h"

namespace memory3 {
namespace {

TEST(RetryBackoffTest, DoublesUpToALimitAndIsNeverThatOfItsNeighbour) {
  RetryBackoff backoff(1);
  RetryBackoff neighbour(2);
  absl::Duration full = RetryBackoff::kFirst;
  bool differs = false;
  for (int failures = 1; failures < 100; ++failures) {
    const absl::Duration wait = backoff.Next(failures);
    EXPECT_GE(wait, full / 2);
    EXPECT_LE(wait, full);
    differs |= wait != neighbour.Next(failures);
    full = std::min(2 * full, RetryBackoff::kLongest);
  }
  EXPECT_TRUE(differs);
}

TEST(MemoryMailboxTest, KeepsEverythingInOrderAndWakes) {
  WakeSignal wake;
  MemoryMailbox mailbox(wake);
  std::vector<MemoryMail> mail;
  EXPECT_FALSE(mailbox.Take(&mail));
  std::thread other([&mailbox] {
    for (CallTicket ticket = 0; ticket < 100; ++ticket) {
      mailbox.Post(RetrievalCameBack{.ticket = ticket, .answer = RetrievalAnswer()});
    }
  });
  other.join();
  wake.WaitFor(absl::InfiniteDuration());  // returns: the signal was set
  ASSERT_TRUE(mailbox.Take(&mail));
  ASSERT_EQ(mail.size(), 100u);
  for (CallTicket ticket = 0; ticket < 100; ++ticket) {
    EXPECT_EQ(std::get<RetrievalCameBack>(mail[ticket]).ticket, ticket);
  }
  EXPECT_FALSE(mailbox.Take(&mail));
}

TEST(MemoryMailboxTest, AfterTheEngineNothingIsTouched) {
  auto wake = std::make_unique<WakeSignal>();
  MemoryMailbox mailbox(*wake);
  mailbox.Close();
  wake.reset();
  mailbox.Post(RetrievalCameBack{.answer = RetrievalAnswer()});
  std::vector<MemoryMail> mail;
  EXPECT_FALSE(mailbox.Take(&mail));
}

}  // namespace
}  // namespace memory3
