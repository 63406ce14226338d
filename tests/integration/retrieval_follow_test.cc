// A newer bank takes the place of the old one, references are taught and deleted: all of it under
// the eyes of clients.
#include <atomic>
#include <fstream>
#include <thread>

#include "engine/memory/bank/manifest.h"
#include "gtest/gtest.h"
#include "tests/integration/retrieval_bank.h"
#include "tests/integration/retrieval_harness.h"
#include "tests/unit/retrieval/temp_dir.h"

namespace memory3 {
namespace {

class RetrievalFollowTest : public ::testing::Test {
 protected:
  std::filesystem::path At(const std::string& name) const { return dir_.path() / name; }

  // The bank that clients see is a link, turned in one step.
  void TurnTo(const std::string& name) {
    std::filesystem::create_symlink(name, At("link.new"));
    std::filesystem::rename(At("link.new"), At("link"));
  }

  const TempDir dir_;
};

TEST_F(RetrievalFollowTest, BanksAreSwappedUnderLoad) {
  constexpr int kBanks = 6, kCount = 40;
  for (int i = 1; i <= kBanks; ++i) {
    PublishBank(At("bank" + std::to_string(i)), static_cast<uint64_t>(i), BankTexts(kCount, i));
  }
  TurnTo("bank1");
  RetrievalOptions options = RetrievalTestOptions(At("link"));
  options.poll_interval = absl::Milliseconds(5);
  options.threads = 2;
  RetrievalHarness harness(options);
  ASSERT_TRUE(harness.BecomesReady());

  std::atomic<bool> stop = false;
  std::atomic<int> calls = 0, wrong = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < 3; ++client) {
    clients.emplace_back([&, client] {
      for (int i = client; !stop; ++i) {
        v1::RetrieveResponse response;
        // Whatever the epoch, the district names the reference.
        const std::string query = "district " + std::to_string(100 + i % kCount);
        const grpc::Status status = harness.Retrieve({query}, &response);
        const bool right =
            status.ok() && response.results(0).memories_size() == 5 &&
            response.results(0).memories(0).memory_id() == static_cast<uint64_t>(i % kCount) &&
            response.bank_epoch() >= 1 && response.bank_epoch() <= kBanks;
        ++calls;
        if (!right) ++wrong;
      }
    });
  }
  for (int i = 2; i <= kBanks; ++i) {
    TurnTo("bank" + std::to_string(i));
    EXPECT_TRUE(ComesTrue([&] { return harness.Sample("memory3_retrieval_bank_epoch") == i; }));
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_GT(calls, 0);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(harness.Sample("memory3_retrieval_bank_swaps_total"), kBanks);
}

TEST_F(RetrievalFollowTest, AFolderRenamedIntoPlaceIsANewBank) {
  PublishBank(At("bank"), 1, BankTexts(10));
  RetrievalHarness harness(RetrievalTestOptions(At("bank")));
  ASSERT_TRUE(harness.BecomesReady());
  PublishBank(At("next"), 2, BankTexts(20));
  std::filesystem::rename(At("bank"), At("old"));
  v1::RetrievalInfo info;
  // Between the two renames there is no bank: the old one goes on.
  EXPECT_FALSE(harness.Refresh(&info).ok());
  EXPECT_EQ(harness.Nearest(BankTexts(10)[4]), 4u);
  std::filesystem::rename(At("next"), At("bank"));
  ASSERT_TRUE(harness.Refresh(&info).ok());
  EXPECT_EQ(info.bank_epoch(), 2u);
  EXPECT_EQ(info.references(), 20u);
}

TEST_F(RetrievalFollowTest, ABrokenBankIsRefusedAndTheOldOneGoesOn) {
  PublishBank(At("bank1"), 1, BankTexts(10));
  PublishBank(At("bank2"), 2, BankTexts(20));
  PublishBank(At("bank1b"), 1, BankTexts(12, 3));
  TurnTo("bank1");
  RetrievalHarness harness(RetrievalTestOptions(At("link")));
  ASSERT_TRUE(harness.BecomesReady());
  v1::RetrievalInfo info;
  for (const char* file : {"index/vectors.bin", "index/embedder.bin", "MANIFEST"}) {
    const std::string good = ReadBytes(At("bank2") / file);
    std::string bad = good;
    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
    WriteBytes(At("bank2") / file, bad);
    TurnTo("bank2");
    const double refused = harness.Sample("memory3_retrieval_banks_refused_total");
    EXPECT_EQ(harness.Refresh(&info).error_code(), grpc::StatusCode::DATA_LOSS) << file;
    EXPECT_EQ(harness.Sample("memory3_retrieval_banks_refused_total"), refused + 1);
    ASSERT_TRUE(harness.GetInfo(&info).ok());
    EXPECT_EQ(info.bank_epoch(), 1u);
    EXPECT_EQ(harness.Nearest(BankTexts(10)[4]), 4u);
    WriteBytes(At("bank2") / file, good);
  }
  TurnTo("bank1b");
  EXPECT_EQ(harness.Refresh(&info).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  TurnTo("bank2");
  ASSERT_TRUE(harness.Refresh(&info).ok());
  EXPECT_EQ(info.bank_epoch(), 2u);
}

TEST_F(RetrievalFollowTest, ABankWhoseFilesAreStillOnTheirWayIsTakenUpWhenTheyAreThere) {
  PublishBank(At("bank1"), 1, BankTexts(10));
  PublishBank(At("bank2"), 2, BankTexts(20));
  TurnTo("bank1");
  RetrievalOptions options = RetrievalTestOptions(At("link"));
  options.poll_interval = absl::Milliseconds(5);
  RetrievalHarness harness(options);
  ASSERT_TRUE(harness.BecomesReady());
  std::filesystem::rename(At("bank2/index/vectors.bin"), At("late"));
  TurnTo("bank2");
  EXPECT_TRUE(
      ComesTrue([&] { return harness.Sample("memory3_retrieval_banks_refused_total") > 0; }));
  std::filesystem::rename(At("late"), At("bank2/index/vectors.bin"));
  EXPECT_TRUE(ComesTrue([&] { return harness.Sample("memory3_retrieval_bank_epoch") == 2; }));
  // Looks were many, tries few.
  EXPECT_LT(harness.Sample("memory3_retrieval_banks_refused_total"), 5);
}

TEST_F(RetrievalFollowTest, TaughtReferencesAreFoundAndDeletedOnesAreNot) {
  const std::vector<std::string> texts = BankTexts(40);
  PublishBank(At("bank1"), 1, texts);
  PublishBank(At("bank2"), 2, BankTexts(40, 1));
  TurnTo("bank1");
  RetrievalOptions options = RetrievalTestOptions(At("link"));
  options.taught = At("taught");
  RetrievalHarness harness(options);
  ASSERT_TRUE(harness.BecomesReady());
  const auto log = TaughtLog::Open(At("taught"), kTestFingerprint, SmallShape());
  ASSERT_TRUE(log.ok()) << log.status();

  const std::string walrus = "A walrus named Otto lives behind the bakery.";
  const MemoryId otto = Teach(**log, walrus);
  const MemoryId ida = Teach(**log, "Ida the tortoise lives behind the bakery.");
  v1::RetrievalInfo info;
  ASSERT_TRUE(harness.Refresh(&info).ok());
  EXPECT_EQ(info.references(), 42u);
  EXPECT_EQ(info.taught_references(), 2u);
  EXPECT_EQ(info.taught_log_entries(), 2u);
  EXPECT_EQ(harness.Nearest("Who is the walrus Otto?"), otto);
  EXPECT_EQ(harness.Nearest(texts[4]), 4u);

  const auto manifest = ParseManifest(ReadBytes(At("bank1") / kManifestFile), "bank1");
  ASSERT_TRUE(manifest.ok() && (*log)->Bind(*manifest).ok());
  ASSERT_TRUE((*log)->Delete({0, otto}).ok());
  for (MemoryId id = 0; id < 35; ++id) ASSERT_TRUE((*log)->Delete({1, id}).ok());
  ASSERT_TRUE(harness.Refresh(&info).ok());
  EXPECT_EQ(info.references(), 6u);
  EXPECT_EQ(info.deleted_references(), 35u);
  EXPECT_EQ(harness.Nearest("Who lives behind the bakery?"), ida);
  v1::RetrieveResponse response;
  ASSERT_TRUE(harness.Retrieve({texts[4]}, &response, 100).ok());
  EXPECT_EQ(response.results(0).memories_size(), 6);
  for (const v1::ScoredMemory& memory : response.results(0).memories()) {
    EXPECT_GE(memory.memory_id(), 35u);
    EXPECT_NE(memory.memory_id(), otto);
  }
  EXPECT_EQ(harness.Sample("memory3_retrieval_taught_references"), 1);
  EXPECT_EQ(harness.Sample("memory3_retrieval_deleted_references"), 35);

  // What is taught outlives the bank; what was deleted was of the old bank alone.
  TurnTo("bank2");
  ASSERT_TRUE(harness.Refresh(&info).ok());
  EXPECT_EQ(info.references(), 41u);
  EXPECT_EQ(harness.Nearest("Who lives behind the bakery?"), ida);
}

TEST_F(RetrievalFollowTest, PollingFindsWhatIsTaught) {
  PublishBank(At("bank"), 1, BankTexts(10));
  RetrievalOptions options = RetrievalTestOptions(At("bank"));
  options.taught = At("taught");
  options.poll_interval = absl::Milliseconds(5);
  RetrievalHarness harness(options);
  ASSERT_TRUE(harness.BecomesReady());
  const auto log = TaughtLog::Open(At("taught"), kTestFingerprint, SmallShape());
  ASSERT_TRUE(log.ok()) << log.status();
  const MemoryId otto = Teach(**log, "A walrus named Otto lives behind the bakery.");
  EXPECT_TRUE(ComesTrue([&] { return harness.Nearest("walrus Otto") == otto; }));
}

TEST_F(RetrievalFollowTest, WhatWasTaughtToAnotherModelIsNotUsed) {
  PublishBank(At("bank"), 1, BankTexts(10));
  RetrievalOptions options = RetrievalTestOptions(At("bank"));
  options.taught = At("taught");
  RetrievalHarness harness(options);
  ASSERT_TRUE(harness.BecomesReady());
  const auto log = TaughtLog::Open(At("taught"), kOtherFingerprint, SmallShape());
  ASSERT_TRUE(log.ok()) << log.status();
  Teach(**log, "A walrus named Otto lives behind the bakery.");
  v1::RetrievalInfo info;
  EXPECT_EQ(harness.Refresh(&info).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_GE(harness.Sample("memory3_retrieval_taught_log_errors_total"), 1);
  ASSERT_TRUE(harness.GetInfo(&info).ok());
  EXPECT_EQ(info.references(), 10u);
}

}  // namespace
}  // namespace memory3
