#include "engine/memory/record_stage.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/aligned_buffer.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/bank/record_file.h"
#include "engine/memory/bank/record_size.h"

namespace memory3 {

int64_t RecordsPerFile(int64_t count, int64_t record_bytes) {
  const int64_t by_size = std::max<int64_t>(1, kRecordFileBytes / record_bytes);
  return std::max(by_size, (count + kMaxRecordFiles - 1) / kMaxRecordFiles);
}

std::filesystem::path RecordStage::PartPath(int64_t file) const {
  return folder_ / absl::StrCat(RecordFileName(file), ".table");
}

int64_t RecordStage::RecordsIn(int64_t file) const {
  return std::min(manifest_.records_per_file, manifest_.count - FirstRecord(file));
}

absl::Status RecordStage::Run() {
  RecordTable table;
  table.reserve(static_cast<size_t>(manifest_.count));
  for (int64_t file = 0; FirstRecord(file) < manifest_.count; ++file) {
    absl::StatusOr<RecordTable> part = Finished(file);
    if (!part.ok()) {
      M3_ASSIGN_OR_RETURN(part, EncodeFile(file));
      // The records first: a part says that its record file is whole.
      M3_RETURN_IF_ERROR(WriteFileDurably(PartPath(file), FormatRecordTable(*part)));
    }
    table.insert(table.end(), part->begin(), part->end());
    progress_(static_cast<int64_t>(table.size()), encoded_);
  }
  return WriteFileDurably(folder_ / kRecordTableFile, FormatRecordTable(table));
}

absl::StatusOr<RecordTable> RecordStage::FinishedTable(int64_t file) const {
  const int64_t bytes = RecordsIn(file) * kRecordEntryBytes;
  absl::StatusOr<std::string> part = ReadFile(PartPath(file), bytes);
  if (!part.ok()) {
    // Killed between the last steps: the whole table stands for its parts.
    const int64_t whole_bytes = manifest_.count * kRecordEntryBytes;
    M3_ASSIGN_OR_RETURN(const std::string whole, ReadFile(folder_ / kRecordTableFile, whole_bytes));
    const auto first = static_cast<size_t>(FirstRecord(file) * kRecordEntryBytes);
    part = whole.substr(std::min(whole.size(), first), static_cast<size_t>(bytes));
  }
  if (static_cast<int64_t>(part->size()) != bytes) return absl::DataLossError("not whole");
  return ParseRecordTable(*part);
}

absl::StatusOr<RecordTable> RecordStage::Finished(int64_t file) const {
  M3_ASSIGN_OR_RETURN(RecordTable table, FinishedTable(file));
  M3_ASSIGN_OR_RETURN(const std::shared_ptr<const RecordFile> records,
                      RecordFile::Open(folder_ / RecordFileName(file), /*direct=*/false));
  if (records->size() != RecordsIn(file) * manifest_.record_bytes) {
    return absl::DataLossError("not whole");
  }
  AlignedBuffer buffer(static_cast<size_t>(manifest_.record_bytes), kRecordAlignment);
  const absl::Span<uint8_t> record(buffer.data(), buffer.size());
  for (int64_t i = 0; i < RecordsIn(file); ++i) {
    M3_RETURN_IF_ERROR(ReadExactly(*records, i * manifest_.record_bytes, record));
    const RecordEntry& entry = table[static_cast<size_t>(i)];
    const auto id = static_cast<MemoryId>(FirstRecord(file) + i);
    if (RecordChecksum(id, static_cast<int>(entry.tokens), record) != entry.checksum) {
      return absl::DataLossError("damaged");
    }
  }
  return table;
}

absl::StatusOr<RecordTable> RecordStage::EncodeFile(int64_t file) {
  M3_ASSIGN_OR_RETURN(DurableFile out, DurableFile::Create(folder_ / RecordFileName(file)));
  RecordTable table;
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  const int64_t end = FirstRecord(file) + RecordsIn(file);
  for (int64_t first = FirstRecord(file); first < end; first += references_per_encode_) {
    const int64_t count = std::min(references_per_encode_, end - first);
    M3_RETURN_IF_ERROR(encode_(first, count, &memories));
    for (int64_t i = 0; i < count; ++i) {
      const MemoryTensor& memory = *memories[static_cast<size_t>(i)];
      const auto id = static_cast<MemoryId>(first + i);
      table.push_back(
          {static_cast<uint32_t>(memory.tokens), RecordChecksum(id, memory.tokens, memory.bytes)});
      M3_RETURN_IF_ERROR(
          out.Append({reinterpret_cast<const char*>(memory.bytes.data()), memory.bytes.size()}));
    }
    encoded_ += count;
    progress_(first + count, encoded_);
  }
  M3_RETURN_IF_ERROR(out.Finish());
  return table;
}

}  // namespace memory3
