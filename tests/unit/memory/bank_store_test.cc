#include "engine/memory/bank_store.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/unit/memory/reader_testing.h"
#include "tests/unit/memory/small_bank.h"

namespace memory3 {
namespace {

class BankStoreTest : public testing::Test {
 protected:
  std::shared_ptr<const Bank> MakeBank(uint64_t epoch, bool cold = false) {
    const std::filesystem::path dir = folder_.path() / std::to_string(epoch);
    WriteSmallBank(dir, {.epoch = epoch, .seed = epoch, .cold = cold});
    auto bank = Bank::Open(dir);
    EXPECT_TRUE(bank.ok()) << bank.status();
    return bank.ok() ? *bank : nullptr;
  }
  std::shared_ptr<TaughtLog> OpenLog() {
    auto log = TaughtLog::Open(folder_.path() / "taught", kSmallFingerprint, kSmallShape);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  const TempFolder folder_;
};

absl::Span<const uint8_t> Span(const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

TEST_F(BankStoreTest, KeepsTheBankBeforeTheNewestOne) {
  BankStore store(MakeBank(1), nullptr);
  EXPECT_EQ(store.epoch(), 1);
  EXPECT_EQ(store.shape(), kSmallShape);
  store.Swap(MakeBank(2));
  EXPECT_EQ(store.epoch(), 2);
  for (const uint64_t epoch : {1, 2}) {
    EXPECT_TRUE(store.Find({epoch, 4}).ok()) << epoch;
    EXPECT_EQ(*store.Text({epoch, 4}), SmallReference(4, epoch));
  }
  store.Swap(MakeBank(3));
  EXPECT_EQ(store.Find({1, 4}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store.Find({2, 4}).ok());
  EXPECT_EQ(store.Find({3, 5}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store.Find({9, 0}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store.Find({3, kFirstTaughtId}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BankStoreTest, FindsTextsOfTheNewestBankAndTaughtOnesUntilTheyAreDeleted) {
  const std::shared_ptr<TaughtLog> taught = OpenLog();
  BankStore store(MakeBank(1), taught);
  using Found = std::optional<MemoryId>;
  const auto find = [&store](const ReferenceText& reference) {
    const auto found = store.FindText(reference.text);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.value_or(std::nullopt);
  };
  EXPECT_EQ(find(SmallReference(3)), Found(3));
  const ReferenceText fresh = SmallReference(77);
  EXPECT_EQ(find(fresh), std::nullopt);
  const auto first = taught->Add(fresh, 1, Span(RandomRecord(1)));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(find(fresh), Found(*first));
  ASSERT_TRUE(taught->Delete({1, *first}).ok());
  EXPECT_EQ(find(fresh), std::nullopt);
  const auto second = taught->Add(fresh, 1, Span(RandomRecord(1)));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(find(fresh), Found(*second));
  ASSERT_TRUE(taught->Delete({1, 3}).ok());
  EXPECT_EQ(find(SmallReference(3)), std::nullopt);

  store.Swap(MakeBank(2));
  EXPECT_EQ(find(SmallReference(4, 1)), std::nullopt) << "a text of the bank before";
  EXPECT_EQ(find(SmallReference(3, 2)), Found(3)) << "deleted from the bank before alone";
  EXPECT_EQ(find(fresh), Found(*second));
}

TEST_F(BankStoreTest, FindsWhatWasTaughtAndHidesWhatWasDeleted) {
  const std::shared_ptr<TaughtLog> log = OpenLog();
  BankStore store(MakeBank(1, /*cold=*/true), log);
  const auto id = log->Add(SmallReference(8), 3, Span(RandomRecord(8)));
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_TRUE(store.Find({1, *id}).ok());
  EXPECT_EQ(*store.Text({1, *id}), SmallReference(8));

  EXPECT_EQ(store.Find({1, 2}).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(log->Encode({1, 2}, 5, Span(RandomRecord(9))).ok());
  ASSERT_TRUE(store.Find({1, 2}).ok());
  EXPECT_EQ(store.Find({1, 2})->tokens, 5);

  ASSERT_TRUE(log->Delete({1, 2}).ok());
  ASSERT_TRUE(log->Delete({1, *id}).ok());
  for (const MemoryId deleted : {MemoryId{2}, *id}) {
    EXPECT_EQ(store.Find({1, deleted}).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(store.Text({1, deleted}).status().code(), absl::StatusCode::kNotFound);
  }
  // Another bank's reference 2 is another text.
  store.Swap(MakeBank(2));
  EXPECT_TRUE(store.Find({2, 2}).ok());
}

}  // namespace
}  // namespace memory3
