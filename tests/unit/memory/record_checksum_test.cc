#include "engine/memory/bank/record_checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "engine/base/crc32c.h"

namespace memory3 {
namespace {

TEST(RecordChecksumTest, CoversIdAndTokensInLittleEndianThenTheRecord) {
  const std::vector<uint8_t> record(4096, 0x5A);
  const std::vector<uint8_t> head = {0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 8, 0, 0, 0};
  std::vector<uint8_t> bytes(head.size() + record.size(), 0x5A);
  std::copy(head.begin(), head.end(), bytes.begin());
  const uint32_t checksum = RecordChecksum(0x0102030405060708, 8, record);
  EXPECT_EQ(checksum, Crc32cPortable(bytes));
  EXPECT_NE(checksum, RecordChecksum(0x0102030405060709, 8, record));
  EXPECT_NE(checksum, RecordChecksum(0x0102030405060708, 7, record));
}

// What a bank's records rest on: no test of a whole bank could open it once for each of its bits.
TEST(RecordChecksumTest, ChangesWithEveryBitOfTheRecord) {
  std::vector<uint8_t> record(8192);
  std::mt19937 random(3);
  for (uint8_t& byte : record) byte = static_cast<uint8_t>(random());
  const uint32_t checksum = RecordChecksum(17, 8, record);
  for (uint8_t& byte : record) {
    for (int bit = 0; bit < 8; ++bit) {
      byte = static_cast<uint8_t>(byte ^ (1 << bit));
      ASSERT_NE(RecordChecksum(17, 8, record), checksum);
      byte = static_cast<uint8_t>(byte ^ (1 << bit));
    }
  }
}

}  // namespace
}  // namespace memory3
