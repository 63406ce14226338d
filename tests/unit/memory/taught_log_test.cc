#include "engine/memory/bank/taught_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/bank/record_size.h"
#include "tests/unit/memory/reader_testing.h"
#include "tests/unit/memory/small_bank.h"

namespace memory3 {
namespace {

constexpr MemoryKey kColdKey = {.epoch = 1, .id = 3};

absl::Span<const uint8_t> Span(const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

BankManifest BankOfEpoch(uint64_t epoch, int64_t count = 5) {
  return {.epoch = epoch,
          .model_fingerprint = kSmallFingerprint,
          .shape = kSmallShape,
          .record_bytes = RecordBytes(kSmallShape),
          .count = count,
          .records_per_file = 2,
          .embedder = "none-1"};
}

class TaughtLogTest : public testing::Test {
 protected:
  std::unique_ptr<TaughtLog> Open() {
    auto log = TaughtLog::Open(dir_, kSmallFingerprint, kSmallShape);
    EXPECT_TRUE(log.ok()) << log.status();
    if (!log.ok()) return nullptr;
    const absl::Status bound = (*log)->Bind(BankOfEpoch(1));
    EXPECT_TRUE(bound.ok()) << bound;
    return *std::move(log);
  }
  MemoryId Add(TaughtLog& log, int number) {
    const auto id = log.Add(SmallReference(number), 1 + number % 8, Span(RandomRecord(number)));
    EXPECT_TRUE(id.ok()) << id.status();
    return id.value_or(0);
  }
  std::string LogBytes() const {
    std::ifstream in(log_path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Into a new file: ext4 waits for the disk when one that was emptied is closed.
  void SetLogBytes(const std::string& bytes) const {
    std::filesystem::remove(log_path_);
    std::ofstream(log_path_, std::ios::binary) << bytes;
  }
  absl::Status OpenStatus() {
    return TaughtLog::Open(dir_, kSmallFingerprint, kSmallShape).status();
  }

  const TempFolder folder_;
  const std::filesystem::path dir_ = folder_.path() / "taught";
  const std::filesystem::path log_path_ = dir_ / kTaughtLogFile;
};

// While it lives no file of this process grows beyond `bytes`: what a full disk looks like.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(int64_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);  // an error of the write instead
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before_), 0);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(bytes);
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() { EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before_), 0); }

 private:
  rlimit before_ = {};
};

void ExpectMemory(const TaughtLog& log, const MemoryKey& key, int number, int tokens) {
  const auto place = log.Place(key);
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(place->tokens, tokens);
  std::ifstream in(place->file->path(), std::ios::binary);
  in.seekg(place->offset);
  std::string record(RecordBytes(kSmallShape), '\0');
  in.read(record.data(), static_cast<std::streamsize>(record.size()));
  EXPECT_TRUE(record == RandomRecord(number));
  EXPECT_EQ(place->checksum, RecordChecksum(key.id, tokens, Span(record)));
}

TEST_F(TaughtLogTest, RemembersAcrossReopening) {
  MemoryId first = 0, second = 0;
  {
    const auto log = Open();
    first = Add(*log, 1);
    second = Add(*log, 2);
    EXPECT_EQ(first, kFirstTaughtId);
    EXPECT_EQ(second, kFirstTaughtId + 1);
    ASSERT_TRUE(log->Encode(kColdKey, 4, Span(RandomRecord(9))).ok());
    ASSERT_TRUE(log->Delete({.epoch = 1, .id = 0}).ok());
    ASSERT_TRUE(log->Delete({.epoch = 8, .id = first}).ok());  // taught: of every epoch
  }
  const auto log = Open();
  EXPECT_EQ(log->taught(), 1);
  EXPECT_EQ(log->deleted(), 2);
  EXPECT_EQ(log->entries(), 5);
  EXPECT_EQ(log->Text(first).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(log->Place({.id = first}).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(log->Text(second).ok());
  EXPECT_EQ(*log->Text(second), SmallReference(2));
  ExpectMemory(*log, {.epoch = 5, .id = second}, 2, 3);
  ExpectMemory(*log, kColdKey, 9, 4);
  EXPECT_TRUE(log->IsDeleted({.epoch = 1, .id = 0}));
  EXPECT_FALSE(log->IsDeleted({.epoch = 2, .id = 0}));
  EXPECT_EQ(Add(*log, 3), kFirstTaughtId + 2) << "an id was given twice";
}

TEST_F(TaughtLogTest, RefusesWhatCannotBe) {
  const auto log = Open();
  const std::string record = RandomRecord(1);
  EXPECT_FALSE(log->Add(SmallReference(1), 1, Span(record.substr(1))).ok());
  EXPECT_FALSE(log->Add(SmallReference(1), 0, Span(record)).ok());
  EXPECT_FALSE(log->Add(SmallReference(1), 9, Span(record)).ok());
  ReferenceText endless = SmallReference(1);
  endless.text = std::string(size_t{1} << 21, 'x');
  EXPECT_EQ(log->Add(endless, 1, Span(record)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(log->Delete({.id = kFirstTaughtId}).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(log->Delete({.epoch = 1, .id = 2}).ok());
  EXPECT_EQ(log->Delete({.epoch = 1, .id = 2}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Add(*log, 1), kFirstTaughtId);
  ExpectMemory(*log, {.id = kFirstTaughtId}, 1, 2);
}

TEST_F(TaughtLogTest, HasOneWriterOfOneModel) {
  {
    const auto log = Open();
    EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kFailedPrecondition);
  }
  const std::string other(32, 'b');
  const absl::Status status = TaughtLog::Open(dir_, other, kSmallShape).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), other)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), kSmallFingerprint)) << status;
  MemoryShape wider = kSmallShape;
  wider.layers = 4;
  EXPECT_EQ(TaughtLog::Open(dir_, kSmallFingerprint, wider).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// Ids of a bank that was built again, with other texts under the same epoch, mean other references.
TEST_F(TaughtLogTest, IsNotAppliedToAnotherBankOfTheSameEpoch) {
  {
    const auto log = Open();
    ASSERT_TRUE(log->Encode(kColdKey, 4, Span(RandomRecord(9))).ok());
    ASSERT_TRUE(log->Delete({.epoch = 1, .id = 0}).ok());
  }
  auto opened = TaughtLog::Open(dir_, kSmallFingerprint, kSmallShape);
  ASSERT_TRUE(opened.ok()) << opened.status();
  TaughtLog& log = **opened;
  EXPECT_EQ(log.Bind(BankOfEpoch(1, 6)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(log.Place(kColdKey).ok());
  EXPECT_FALSE(log.IsDeleted({.epoch = 1, .id = 0}));
  EXPECT_EQ(log.Delete({.epoch = 1, .id = 1}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(log.Encode(kColdKey, 4, Span(RandomRecord(9))).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(log.Bind(BankOfEpoch(2, 6)).ok());
  EXPECT_TRUE(log.Bind(BankOfEpoch(1)).ok());
  EXPECT_TRUE(log.Place(kColdKey).ok());
}

// A kill cuts the last line anywhere; what was promised before stays, what comes next fits on.
TEST_F(TaughtLogTest, CutsOffWhatACrashLeftHalfWritten) {
  {
    const auto log = Open();
    Add(*log, 1);
  }
  const std::string before = LogBytes();
  {
    const auto log = Open();
    Add(*log, 2);
  }
  const std::string after = LogBytes();
  std::vector<size_t> sizes = {after.size() - 2, after.size() - 1};
  for (size_t size = before.size(); size < after.size(); size += 13) sizes.push_back(size);
  for (const size_t size : sizes) {
    for (const std::string& rest : {std::string(), std::string(600, '\0'),
                                    std::string(600, '\0') + after.substr(after.size() - 5)}) {
      SetLogBytes(after.substr(0, size) + rest);
      const auto log = Open();
      ASSERT_NE(log, nullptr) << size;
      ASSERT_EQ(log->taught(), 1) << size;
      ASSERT_EQ(LogBytes(), before);
    }
  }
  const auto log = Open();
  EXPECT_EQ(Add(*log, 3), kFirstTaughtId + 1);
  ExpectMemory(*log, {.id = kFirstTaughtId + 1}, 3, 4);
}

// A store that failed is not seen, by nobody and not after a restart, and costs nothing but itself.
TEST_F(TaughtLogTest, AFullDiskLosesWhatDidNotFitAndNothingElse) {
  const int64_t record_bytes = RecordBytes(kSmallShape);
  {
    const auto log = Open();
    Add(*log, 1);
    const std::string before = LogBytes();
    ReferenceText long_one = SmallReference(2);
    long_one.text = std::string(40000, 'x');
    // Room for a part of the record; then for the record and a part of its entry.
    for (const int64_t room : {record_bytes + 100, 2 * record_bytes + 100}) {
      const FileSizeLimit full(room);
      EXPECT_FALSE(log->Add(long_one, 3, Span(RandomRecord(2))).ok()) << room;
      EXPECT_EQ(LogBytes(), before);
      EXPECT_EQ(log->taught(), 1);
      EXPECT_EQ(log->Find(long_one.text), std::nullopt);
      EXPECT_FALSE(log->Place({.id = kFirstTaughtId + 1}).ok());
    }
    EXPECT_EQ(Add(*log, 3), kFirstTaughtId + 1);
    ExpectMemory(*log, {.id = kFirstTaughtId + 1}, 3, 4);
  }
  const auto log = Open();
  EXPECT_EQ(log->taught(), 2);
  ExpectMemory(*log, {.id = kFirstTaughtId}, 1, 2);
  ExpectMemory(*log, {.id = kFirstTaughtId + 1}, 3, 4);
}

TEST_F(TaughtLogTest, CutsHeadersTooAndDropsRecordsWithoutAnEntry) {
  std::filesystem::create_directories(dir_);
  SetLogBytes("{\"n\":0,\"memory3_tau");
  std::ofstream(dir_ / kTaughtRecordsFile) << std::string(10000, 'x');
  const auto log = Open();
  ASSERT_NE(log, nullptr);
  Add(*log, 1);
  EXPECT_EQ(std::filesystem::file_size(dir_ / kTaughtRecordsFile), RecordBytes(kSmallShape));
  ExpectMemory(*log, {.id = kFirstTaughtId}, 1, 2);
}

TEST_F(TaughtLogTest, NoticesEveryFlippedByteOfItsLog) {
  {
    const auto log = Open();
    Add(*log, 1);
    ASSERT_TRUE(log->Encode(kColdKey, 4, Span(RandomRecord(9))).ok());
    Add(*log, 2);
  }
  const std::string bytes = LogBytes();
  std::mt19937 random(1);
  for (size_t at = 0; at < bytes.size(); ++at) {
    const char flipped = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    // A zero must not be taken for what a crash leaves.
    for (const char byte : {flipped, '\0'}) {
      std::string changed = bytes;
      changed[at] = byte;
      SetLogBytes(changed);
      ASSERT_FALSE(OpenStatus().ok()) << "byte " << at << " became " << static_cast<int>(byte);
      ASSERT_EQ(LogBytes(), changed) << "what may be damage was overwritten";
    }
  }
}

TEST_F(TaughtLogTest, NoticesLostLinesAndRecords) {
  {
    const auto log = Open();
    for (int i = 0; i < 3; ++i) Add(*log, i);
  }
  const std::string bytes = LogBytes();
  std::vector<size_t> starts = {0};
  for (size_t at = 0; at + 1 < bytes.size(); ++at) {
    if (bytes[at] == '\n') starts.push_back(at + 1);
  }
  for (size_t line = 0; line + 1 < starts.size(); ++line) {
    SetLogBytes(bytes.substr(0, starts[line]) + bytes.substr(starts[line + 1]));
    EXPECT_FALSE(OpenStatus().ok()) << line;
    SetLogBytes(bytes.substr(0, starts[line + 1]) + bytes.substr(starts[line]));
    EXPECT_FALSE(OpenStatus().ok()) << line;
  }
  SetLogBytes(bytes);
  std::filesystem::resize_file(dir_ / kTaughtRecordsFile, 2 * RecordBytes(kSmallShape));
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kDataLoss);
}

TEST_F(TaughtLogTest, IsFollowedByAReader) {
  TaughtLogReader reader(dir_);
  std::vector<TaughtEntry> entries;
  ASSERT_TRUE(reader.Poll(&entries).ok());
  EXPECT_TRUE(entries.empty());
  EXPECT_EQ(reader.model_fingerprint(), "");
  const auto log = Open();
  ASSERT_TRUE(reader.Poll(&entries).ok());
  EXPECT_EQ(reader.model_fingerprint(), kSmallFingerprint);
  EXPECT_TRUE(entries.empty());
  const MemoryId id = Add(*log, 1);
  ASSERT_TRUE(reader.Poll(&entries).ok());
  ASSERT_EQ(entries.size(), 1);
  EXPECT_EQ(entries[0].key.id, id);
  EXPECT_EQ(entries[0].reference, SmallReference(1));
  ASSERT_TRUE(log->Delete({.id = id}).ok());
  ASSERT_TRUE(reader.Poll(&entries).ok());
  ASSERT_TRUE(reader.Poll(&entries).ok());
  ASSERT_EQ(entries.size(), 2);
  EXPECT_EQ(entries[1].kind, TaughtEntry::Kind::kDelete);
  EXPECT_EQ(log->entries(), entries.size());
}

TEST_F(TaughtLogTest, WaitsForTheRestOfALine) {
  {
    const auto log = Open();
    Add(*log, 1);
  }
  const std::string bytes = LogBytes();
  const size_t last = bytes.rfind('\n', bytes.size() - 2) + 1;
  TaughtLogReader reader(dir_);
  std::vector<TaughtEntry> entries;
  for (size_t size = last; size < bytes.size(); size += 7) {
    // Grows in place, as under a writer.
    std::ofstream(log_path_, std::ios::binary | std::ios::in).write(bytes.data(), size);
    std::filesystem::resize_file(log_path_, size);
    ASSERT_TRUE(reader.Poll(&entries).ok()) << size;
    ASSERT_TRUE(entries.empty()) << size;
  }
  std::ofstream(log_path_, std::ios::binary | std::ios::in).write(bytes.data(), bytes.size());
  ASSERT_TRUE(reader.Poll(&entries).ok());
  EXPECT_EQ(entries.size(), 1);
}

TEST_F(TaughtLogTest, TellsItsReaderWhenAnotherLogTakesItsPlace) {
  { const auto log = Open(); }
  TaughtLogReader reader(dir_);
  std::vector<TaughtEntry> entries;
  ASSERT_TRUE(reader.Poll(&entries).ok());
  // Held, so that the new file cannot get the old one's number.
  std::filesystem::rename(log_path_, dir_ / "old");
  { const auto log = Open(); }
  EXPECT_EQ(reader.Poll(&entries).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TaughtLogTest, ServesManyThreads) {
  const auto log = Open();
  std::atomic<bool> stop = false;
  std::thread looking([&] {
    while (!stop) {
      for (int i = 0; i < 20; ++i) {
        const MemoryKey key = {.id = kFirstTaughtId + static_cast<MemoryId>(i)};
        if (log->Place(key).ok() && !log->Text(key.id).ok()) ADD_FAILURE() << "half an entry";
      }
    }
  });
  std::thread following([&] {
    TaughtLogReader reader(dir_);
    std::vector<TaughtEntry> entries;
    while (!stop) ASSERT_TRUE(reader.Poll(&entries).ok());
  });
  std::vector<std::thread> teaching;
  for (int thread = 0; thread < 2; ++thread) {
    teaching.emplace_back([&] {
      for (int i = 0; i < 10; ++i) Add(*log, i);
    });
  }
  for (std::thread& thread : teaching) thread.join();
  stop = true;
  looking.join();
  following.join();
  EXPECT_EQ(log->taught(), 20);
}

}  // namespace
}  // namespace memory3
