#include "engine/memory/bank/record_table.h"

namespace memory3 {
namespace {

void AppendLittleEndian(uint32_t value, std::string* out) {
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

uint32_t ReadLittleEndian(const char* from) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}

}  // namespace

std::string FormatRecordTable(const RecordTable& table) {
  std::string bytes;
  bytes.reserve(table.size() * kRecordEntryBytes);
  for (const RecordEntry& entry : table) {
    AppendLittleEndian(entry.tokens, &bytes);
    AppendLittleEndian(entry.checksum, &bytes);
  }
  return bytes;
}

RecordTable ParseRecordTable(std::string_view bytes) {
  RecordTable table;
  table.reserve(bytes.size() / kRecordEntryBytes);
  for (size_t at = 0; at + kRecordEntryBytes <= bytes.size(); at += kRecordEntryBytes) {
    table.push_back({ReadLittleEndian(bytes.data() + at), ReadLittleEndian(bytes.data() + at + 4)});
  }
  return table;
}

}  // namespace memory3
