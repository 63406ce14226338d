#include "engine/memory/bank/bank.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/memory/bank/record_checksum.h"
#include "tests/unit/memory/reader_testing.h"
#include "tests/unit/memory/small_bank.h"

namespace memory3 {
namespace {

std::string Bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Into a new file: ext4 waits for the disk when one that was emptied is closed.
void SetBytes(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::remove(file);
  std::ofstream(file, std::ios::binary) << bytes;
}

std::vector<std::filesystem::path> FilesOf(const std::filesystem::path& dir) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

absl::Status OpenAndVerify(const std::filesystem::path& dir) {
  const auto bank = Bank::Open(dir);
  return bank.ok() ? (*bank)->Verify() : bank.status();
}

class BankTest : public testing::Test {
 protected:
  const TempFolder folder_;
  const std::filesystem::path dir_ = folder_.path() / "bank";
};

TEST_F(BankTest, FindsAReferenceByItsWholeText) {
  WriteSmallBank(dir_, {.references = 40});
  const auto bank = Bank::Open(dir_);
  ASSERT_TRUE(bank.ok()) << bank.status();
  for (int id = 0; id < 40; ++id) {
    const std::string text = SmallReference(id).text;
    const auto found = (*bank)->Find(text);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, std::optional<MemoryId>(id));
    EXPECT_EQ(*(*bank)->Find(text + " "), std::nullopt);
    EXPECT_EQ(*(*bank)->Find(text.substr(1)), std::nullopt);
  }
  EXPECT_EQ(*(*bank)->Find(""), std::nullopt);
}

TEST_F(BankTest, GivesBackTextsAndPlaces) {
  WriteSmallBank(dir_);
  const auto bank = Bank::Open(dir_);
  ASSERT_TRUE(bank.ok()) << bank.status();
  EXPECT_EQ((*bank)->count(), 5);
  EXPECT_EQ((*bank)->manifest().shape, kSmallShape);
  for (int id = 0; id < 5; ++id) {
    const auto text = (*bank)->Text(id);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, SmallReference(id));
    const auto place = (*bank)->Place(id);
    ASSERT_TRUE(place.ok()) << place.status();
    const std::string file = Bytes(place->file->path());
    const auto* record = reinterpret_cast<const uint8_t*>(file.data()) + place->offset;
    EXPECT_EQ(RecordChecksum(id, place->tokens, {record, 8192}), place->checksum);
  }
  for (const MemoryId id : {MemoryId{5}, kFirstTaughtId, ~MemoryId{0}}) {
    EXPECT_EQ((*bank)->Place(id).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ((*bank)->Text(id).status().code(), absl::StatusCode::kNotFound);
  }
  EXPECT_TRUE((*bank)->Verify().ok());
}

TEST_F(BankTest, MayHaveTextsWithoutMemories) {
  WriteSmallBank(dir_, {.cold = true});
  const auto bank = Bank::Open(dir_);
  ASSERT_TRUE(bank.ok()) << bank.status();
  EXPECT_EQ((*bank)->Place(3).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*bank)->Place(5).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE((*bank)->Text(3).ok());
  EXPECT_TRUE((*bank)->Verify().ok());
}

TEST_F(BankTest, MayBeEmpty) {
  WriteSmallBank(dir_, {.references = 0});
  EXPECT_TRUE(OpenAndVerify(dir_).ok()) << OpenAndVerify(dir_);
}

TEST_F(BankTest, SaysWhereThereIsNone) {
  EXPECT_EQ(Bank::Open(dir_).status().code(), absl::StatusCode::kNotFound);
  std::filesystem::create_directories(dir_);
  EXPECT_EQ(Bank::Open(dir_).status().code(), absl::StatusCode::kNotFound);
}

// Everything but the records at open, the records by their checksums, all of it by Verify.
TEST_F(BankTest, NoticesEveryFlippedByte) {
  WriteSmallBank(dir_);
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const std::filesystem::path& file : FilesOf(dir_)) {
    const std::string bytes = Bytes(file);
    const bool records = absl::StartsWith(file.filename().string(), "records-");
    const size_t step = records ? 307 : 1;
    for (size_t at = random() % step; at < bytes.size(); at += step) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << random() % 8));
      SetBytes(file, changed);
      const absl::Status status = records ? OpenAndVerify(dir_) : Bank::Open(dir_).status();
      ASSERT_FALSE(status.ok()) << file << " byte " << at;
      ASSERT_TRUE(absl::StrContains(status.message(), file.filename().string())) << status;
    }
    SetBytes(file, bytes);
    ASSERT_TRUE(OpenAndVerify(dir_).ok());
  }
}

TEST_F(BankTest, NoticesFilesThatAreCutGoneOrMore) {
  WriteSmallBank(dir_);
  for (const std::filesystem::path& file : FilesOf(dir_)) {
    const std::string bytes = Bytes(file);
    for (const size_t size : {size_t{0}, size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
      SetBytes(file, bytes.substr(0, size));
      EXPECT_FALSE(Bank::Open(dir_).ok()) << file << " cut to " << size;
    }
    SetBytes(file, bytes + "x");
    EXPECT_FALSE(Bank::Open(dir_).ok()) << file << " longer";
    std::filesystem::remove(file);
    EXPECT_FALSE(Bank::Open(dir_).ok()) << file << " removed";
    SetBytes(file, bytes);
  }
  SetBytes(dir_ / kIndexFolder / "graph.bin", "of another bank");
  EXPECT_EQ(Bank::Open(dir_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(BankTest, NoticesRecordsThatChangedPlaces) {
  WriteSmallBank(dir_);
  const std::filesystem::path file = dir_ / RecordFileName(0);
  const std::string bytes = Bytes(file);
  SetBytes(file, bytes.substr(8192) + bytes.substr(0, 8192));
  EXPECT_EQ(OpenAndVerify(dir_).code(), absl::StatusCode::kDataLoss);
}

// Files that were replaced under an open bank stay what they were.
TEST_F(BankTest, OutlivesItsFolder) {
  WriteSmallBank(dir_);
  const auto bank = Bank::Open(dir_);
  ASSERT_TRUE(bank.ok()) << bank.status();
  std::filesystem::remove_all(dir_);
  EXPECT_TRUE((*bank)->Text(2).ok());
}

TEST_F(BankTest, FitsOnlyItsModel) {
  BankManifest manifest = {.model_fingerprint = kSmallFingerprint, .shape = kSmallShape};
  EXPECT_TRUE(CheckBankFitsModel(manifest, kSmallFingerprint, kSmallShape).ok());
  MemoryShape other = kSmallShape;
  other.layers = 3;
  absl::Status status = CheckBankFitsModel(manifest, kSmallFingerprint, other);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), Describe(kSmallShape))) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), Describe(other))) << status;
  const std::string model(32, 'a');
  status = CheckBankFitsModel(manifest, model, kSmallShape);
  EXPECT_TRUE(absl::StrContains(status.message(), model)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), kSmallFingerprint)) << status;
}

// Nothing that anybody writes into a field, under a right checksum, is more than an error.
TEST_F(BankTest, SurvivesGarbageInEveryFieldOfTheManifest) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string numbers[] = {"0",
                                 "-1",
                                 "1",
                                 "9223372036854775807",
                                 "18446744073709551616",
                                 "1048576",
                                 "nan",
                                 "",
                                 "0x10",
                                 "1e9",
                                 "../../etc",
                                 "a b c"};
  WriteSmallBank(dir_);
  const std::string original = Bytes(dir_ / kManifestFile);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> lines = absl::StrSplit(original, '\n');
    std::string& line = lines[random() % (lines.size() - 2)];
    std::vector<std::string> words = absl::StrSplit(line, ' ');
    words[random() % words.size()] = numbers[random() % std::size(numbers)];
    const std::string changed = absl::StrJoin(words, " ");
    if (changed == line) continue;
    SetBytes(dir_ / kManifestFile, original);
    Reseal(dir_, line + "\n", changed + "\n");
    const absl::Status status = OpenAndVerify(dir_);
    // Of epochs and embedders there are many.
    const bool free = words[0] == "epoch" || words[0] == "embedder";
    EXPECT_TRUE(free || !status.ok()) << changed;
  }
}

}  // namespace
}  // namespace memory3
