#include "tests/unit/memory/small_bank.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/read_file.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/bank/record_size.h"
#include "engine/memory/bank/record_table.h"
#include "engine/memory/bank/texts_file.h"

namespace memory3 {
namespace {

void Write(const std::filesystem::path& path, const std::string& bytes) {
  // Into a new file: ext4 waits for the disk when one that was emptied is closed.
  std::filesystem::remove(path);
  std::ofstream stream(path, std::ios::binary);
  stream << bytes;
  ASSERT_TRUE(stream.good()) << path;
}

void List(const std::filesystem::path& dir, const std::string& name, BankManifest* manifest) {
  const auto digest = DigestFile(dir / name);
  ASSERT_TRUE(digest.ok()) << digest.status();
  manifest->files.push_back({name, digest->bytes, digest->checksum});
}

RecordTable WriteRecords(const std::filesystem::path& dir, const SmallBankOptions& options) {
  if (options.cold) return RecordTable(options.references);
  RecordTable table;
  std::string bytes;
  for (int id = 0; id < options.references; ++id) {
    const std::string record = RandomRecord(options.seed * 1000 + id);
    const int tokens = 1 + id % kSmallShape.kept_tokens;
    table.push_back(
        {static_cast<uint32_t>(tokens),
         RecordChecksum(id, tokens,
                        {reinterpret_cast<const uint8_t*>(record.data()), record.size()})});
    bytes += record;
    if ((id + 1) % options.records_per_file != 0 && id + 1 != options.references) continue;
    Write(dir / RecordFileName(id / options.records_per_file), bytes);
    bytes.clear();
  }
  return table;
}

void WriteTexts(const std::filesystem::path& dir, const SmallBankOptions& options) {
  std::string texts;
  std::vector<uint64_t> offsets = {0};
  for (int id = 0; id < options.references; ++id) {
    texts += FormatReferenceText(SmallReference(id, options.seed)) + "\n";
    offsets.push_back(texts.size());
  }
  Write(dir / kTextsFile, texts);
  Write(dir / kTextOffsetsFile, FormatTextOffsets(offsets));
}

}  // namespace

ReferenceText SmallReference(int id, uint64_t seed) {
  return {.text = absl::StrCat("The text of reference ", id, ", 第", id, "段, seed ", seed, "."),
          .title = id % 2 == 0 ? "" : absl::StrCat("Title ", id),
          .source = "small.jsonl",
          .source_id = absl::StrCat("s", id),
          .tokens = 10 + id};
}

std::string RandomRecord(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string record(static_cast<size_t>(RecordBytes(kSmallShape)), '\0');
  for (char& byte : record) byte = static_cast<char>(random());
  return record;
}

void WriteSmallBank(const std::filesystem::path& dir, const SmallBankOptions& options) {
  std::filesystem::create_directories(dir / kIndexFolder);
  BankManifest manifest = {.epoch = options.epoch,
                           .model_fingerprint = kSmallFingerprint,
                           .shape = kSmallShape,
                           .record_bytes = RecordBytes(kSmallShape),
                           .count = options.references,
                           .records_per_file = options.records_per_file,
                           .embedder = "none-1"};
  Write(dir / kRecordTableFile, FormatRecordTable(WriteRecords(dir, options)));
  WriteTexts(dir, options);
  Write(dir / kIndexFolder / "vectors.bin", RandomRecord(options.seed).substr(0, 100));
  for (const char* name : {kRecordTableFile, kTextsFile, kTextOffsetsFile, "index/vectors.bin"}) {
    List(dir, name, &manifest);
  }
  for (int first = 0; first < options.references && !options.cold;
       first += options.records_per_file) {
    const int records = std::min(options.records_per_file, options.references - first);
    manifest.files.push_back(
        {RecordFileName(first / options.records_per_file), records * manifest.record_bytes, 0});
  }
  Write(dir / kManifestFile, FormatManifest(manifest));
}

void Reseal(const std::filesystem::path& dir, const std::string& from, const std::string& to) {
  auto text = ReadFile(dir / kManifestFile, std::numeric_limits<int32_t>::max());
  ASSERT_TRUE(text.ok()) << text.status();
  text->erase(text->rfind("checksum "));
  const size_t at = text->find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text->replace(at, from.size(), to);
  *text += absl::StrFormat("checksum %016x\n", XXH3_64bits(text->data(), text->size()));
  Write(dir / kManifestFile, *text);
}

}  // namespace memory3
