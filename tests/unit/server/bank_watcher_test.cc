// A server's look at the bank's folder: newer banks, banks whose files are still on their way,
// banks that do not fit.
#include "server/bank_watcher.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "tests/unit/memory/reader_testing.h"
#include "tests/unit/memory/small_bank.h"

namespace memory3 {
namespace {

class BankWatcherTest : public testing::Test {
 protected:
  BankWatcherTest() { TurnTo(WriteBank(1)); }
  ~BankWatcherTest() override { std::fclose(log_file_); }

  std::filesystem::path WriteBank(uint64_t epoch, uint64_t seed = 1) {
    const std::filesystem::path dir =
        folder_.path() / (std::to_string(epoch) + "-" + std::to_string(seed));
    WriteSmallBank(dir, {.epoch = epoch, .seed = seed});
    return dir;
  }
  void TurnTo(const std::filesystem::path& bank) {
    std::filesystem::create_symlink(bank, folder_.path() / "next");
    std::filesystem::rename(folder_.path() / "next", link_);
  }
  BankStore& store() {
    if (store_ == nullptr) {
      store_ = std::make_unique<BankStore>(*OpenFittingBank(link_, kSmallFingerprint, kSmallShape),
                                           nullptr);
    }
    return *store_;
  }
  // Lines of the log with this level.
  int Logged(char level) {
    std::fflush(log_file_);
    std::ifstream file(log_path_);
    int lines = 0;
    for (std::string line; std::getline(file, line);) {
      lines += line.find(std::string("Z ") + level + " ") != std::string::npos;
    }
    return lines;
  }

  const TempFolder folder_;
  const std::filesystem::path link_ = folder_.path() / "bank";
  const std::filesystem::path log_path_ = folder_.path() / "log";
  std::FILE* const log_file_ = std::fopen(log_path_.c_str(), "w");
  Logger log_{log_file_, LogFormat::kText};
  ManualClock clock_;
  BankWatchCounters counters_;
  std::unique_ptr<BankStore> store_;
};

TEST_F(BankWatcherTest, TakesUpANewerBankOnly) {
  BankWatcher watcher(link_, kSmallFingerprint, store(), nullptr, counters_, clock_, log_);
  watcher.Look();
  TurnTo(WriteBank(3));
  watcher.Look();
  EXPECT_EQ(store().epoch(), 3u);
  TurnTo(WriteBank(2));
  watcher.Look();
  std::filesystem::remove(link_);
  watcher.Look();
  EXPECT_EQ(store().epoch(), 3u);
  EXPECT_EQ(counters_.swaps, 1u);
  EXPECT_EQ(counters_.refusals, 0u);
  EXPECT_EQ(Logged('I'), 1);
}

TEST_F(BankWatcherTest, ABankWhoseFilesAreStillOnTheirWayIsTakenUpWhenTheyAreThere) {
  BankWatcher watcher(link_, kSmallFingerprint, store(), nullptr, counters_, clock_, log_);
  const std::filesystem::path bank = WriteBank(2);
  const std::filesystem::path late = bank / "records-00001.bin";
  std::filesystem::rename(late, folder_.path() / "late");
  TurnTo(bank);
  for (int i = 0; i < 10; ++i) watcher.Look();
  EXPECT_EQ(counters_.refusals, 1u) << "tried again only after a while";
  for (int i = 0; i < 30; ++i) {
    clock_.Advance(absl::Seconds(1));
    watcher.Look();
  }
  EXPECT_EQ(counters_.refusals, 5u) << "after 1, 2, 4 and 8 seconds";
  EXPECT_EQ(Logged('E'), 1);
  std::ofstream(late).put('x');
  clock_.Advance(RefusedBank::kLongestWait);
  watcher.Look();
  EXPECT_EQ(Logged('E'), 2) << "another error";
  EXPECT_EQ(store().epoch(), 1u);
  std::filesystem::rename(folder_.path() / "late", late);
  clock_.Advance(RefusedBank::kLongestWait);
  watcher.Look();
  EXPECT_EQ(store().epoch(), 2u);
  EXPECT_EQ(counters_.swaps, 1u);
}

TEST_F(BankWatcherTest, AnotherBankIsTriedAtOnce) {
  BankWatcher watcher(link_, "another model's", store(), nullptr, counters_, clock_, log_);
  TurnTo(WriteBank(2));
  watcher.Look();
  EXPECT_EQ(counters_.refusals, 1u);
  TurnTo(WriteBank(3));
  watcher.Look();
  EXPECT_EQ(counters_.refusals, 2u);
  EXPECT_EQ(Logged('E'), 2);
  TurnTo(WriteBank(1, 7));
  watcher.Look();
  EXPECT_EQ(counters_.refusals, 2u);
}

TEST_F(BankWatcherTest, ABankThatContradictsWhatWasTaughtIsRefused) {
  auto opened = TaughtLog::Open(folder_.path() / "taught", kSmallFingerprint, kSmallShape);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const std::shared_ptr<TaughtLog> taught = *std::move(opened);
  const auto other = Bank::Open(WriteBank(2, 9));
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(taught->Bind((*other)->manifest()).ok());
  BankWatcher watcher(link_, kSmallFingerprint, store(), taught.get(), counters_, clock_, log_);
  TurnTo(WriteBank(2));
  watcher.Look();
  EXPECT_EQ(store().epoch(), 1u);
  EXPECT_EQ(counters_.refusals, 1u);
}

}  // namespace
}  // namespace memory3
