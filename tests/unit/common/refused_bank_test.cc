#include "common/refused_bank.h"

#include "common/once_per_text.h"
#include "gtest/gtest.h"

namespace memory3 {
namespace {

TEST(OncePerTextTest, TellsEveryTextOnceUpToALimit) {
  OncePerText texts;
  EXPECT_TRUE(texts.IsNew("a"));
  EXPECT_TRUE(texts.IsNew("b"));
  EXPECT_FALSE(texts.IsNew("a"));
  texts.Forget();
  for (size_t i = 0; i < OncePerText::kMaxTexts; ++i) EXPECT_TRUE(texts.IsNew(std::to_string(i)));
  EXPECT_FALSE(texts.IsNew("one too many"));
}

TEST(RefusedBankTest, IsTriedAgainAfterPausesThatGrowUpToALimit) {
  RefusedBank refused;
  EXPECT_TRUE(refused.IsDue("one", absl::ZeroDuration()));
  absl::Duration now = absl::Seconds(100);
  absl::Duration wait = RefusedBank::kFirstWait;
  for (int tries = 0; tries < 20; ++tries) {
    const bool is_new = refused.Refuse("one", absl::DataLossError("damaged"), now);
    EXPECT_EQ(is_new, tries == 0);
    EXPECT_FALSE(refused.IsDue("one", now + wait - absl::Milliseconds(1)));
    EXPECT_TRUE(refused.IsDue("another", now));
    now += wait;
    EXPECT_TRUE(refused.IsDue("one", now));
    wait = std::min(2 * wait, RefusedBank::kLongestWait);
  }
  EXPECT_EQ(wait, RefusedBank::kLongestWait);
}

TEST(RefusedBankTest, AnotherErrorAndAnotherBankAreTold) {
  RefusedBank refused;
  const absl::Duration now;
  EXPECT_TRUE(refused.Refuse("one", absl::DataLossError("damaged"), now));
  EXPECT_TRUE(refused.Refuse("one", absl::NotFoundError("no such file"), now));
  EXPECT_FALSE(refused.Refuse("one", absl::DataLossError("damaged"), now));
  EXPECT_EQ(refused.why(), absl::DataLossError("damaged"));
  EXPECT_TRUE(refused.Refuse("two", absl::DataLossError("damaged"), now));
  // It starts with the first pause again.
  EXPECT_TRUE(refused.IsDue("two", now + RefusedBank::kFirstWait));
  refused.Clear();
  EXPECT_TRUE(refused.why().ok());
  EXPECT_TRUE(refused.IsDue("two", now));
}

}  // namespace
}  // namespace memory3
