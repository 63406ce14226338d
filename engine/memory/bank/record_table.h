// The side table of a bank: for every record how many tokens it holds and its checksum.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_RECORD_TABLE_H_
#define MEMORY3_ENGINE_MEMORY_BANK_RECORD_TABLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace memory3 {

inline constexpr char kRecordTableFile[] = "records.table";

struct RecordEntry {
  uint32_t tokens = 0;  // 0: the reference has a text only, and no memory yet
  uint32_t checksum = 0;
  bool operator==(const RecordEntry&) const = default;
};
using RecordTable = std::vector<RecordEntry>;

inline constexpr int kRecordEntryBytes = 8;
// Two little-endian numbers of 32 bits per entry.
std::string FormatRecordTable(const RecordTable& table);
// `bytes` is a multiple of kRecordEntryBytes.
RecordTable ParseRecordTable(std::string_view bytes);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_RECORD_TABLE_H_
