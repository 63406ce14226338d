#include "engine/memory/bank/record_checksum.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/base/crc32c.h"

namespace memory3 {
namespace {

TEST(RecordChecksumTest, CoversIdAndTokensInLittleEndianThenTheRecord) {
  const std::vector<uint8_t> record(4096, 0x5A);
  std::vector<uint8_t> bytes = {0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 8, 0, 0, 0};
  bytes.insert(bytes.end(), record.begin(), record.end());
  const uint32_t checksum = RecordChecksum(0x0102030405060708, 8, record);
  EXPECT_EQ(checksum, Crc32cPortable(bytes));
  EXPECT_NE(checksum, RecordChecksum(0x0102030405060709, 8, record));
  EXPECT_NE(checksum, RecordChecksum(0x0102030405060708, 7, record));
}

}  // namespace
}  // namespace memory3
