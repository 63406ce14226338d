#include "engine/memory/bank/manifest.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "engine/memory/bank/record_size.h"
#include "tests/unit/memory/small_bank.h"

namespace memory3 {
namespace {

BankManifest Example() {
  return {.epoch = 7,
          .model_fingerprint = kSmallFingerprint,
          .shape = kSmallShape,
          .record_bytes = RecordBytes(kSmallShape),
          .count = 3,
          .records_per_file = 2,
          .embedder = "lexical-1024",
          .files = {{"records.table", 24, 0x0123456789ABCDEF},
                    {"index/vectors.bin", 100, 5},
                    {"records-00000.bin", 16384, 0}}};
}

TEST(ManifestTest, IsReadAsItWasWritten) {
  const auto parsed = ParseManifest(FormatManifest(Example()), "MANIFEST");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, Example());
}

TEST(ManifestTest, NoticesEveryFlippedBit) {
  const std::string text = FormatManifest(Example());
  for (size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      ASSERT_FALSE(ParseManifest(changed, "MANIFEST").ok()) << "byte " << at << " bit " << bit;
    }
  }
}

TEST(ManifestTest, NoticesEveryCutAndAnythingAppended) {
  const std::string text = FormatManifest(Example());
  for (size_t size = 0; size < text.size(); ++size) {
    ASSERT_FALSE(ParseManifest(text.substr(0, size), "MANIFEST").ok()) << size;
  }
  for (const char* more : {"\n", " ", "x", "checksum 0\n"}) {
    EXPECT_FALSE(ParseManifest(text + more, "MANIFEST").ok()) << more;
  }
}

TEST(ManifestTest, NamesTheFormatItCannotRead) {
  std::string text = FormatManifest(Example());
  text.replace(text.find(" 1\n"), 3, " 2\n");
  const absl::Status status = ParseManifest(text, "some/MANIFEST").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("some/MANIFEST"), absl::string_view::npos);
}

}  // namespace
}  // namespace memory3
