#include "common/byte_size.h"

#include <gtest/gtest.h>

namespace memory3 {
namespace {

int64_t Parse(const char* text) {
  ByteSize size;
  std::string error;
  return AbslParseFlag(text, &size, &error) ? size.bytes : -1;
}

TEST(ByteSize, ReadsWhatPeopleWrite) {
  EXPECT_EQ(Parse("0"), 0);
  EXPECT_EQ(Parse("4096"), 4096);
  EXPECT_EQ(Parse("12B"), 12);
  EXPECT_EQ(Parse("3KiB"), 3072);
  EXPECT_EQ(Parse("512MiB"), int64_t{512} << 20);
  EXPECT_EQ(Parse("2GiB"), int64_t{2} << 30);
  EXPECT_EQ(Parse("2GB"), 2'000'000'000);
}

TEST(ByteSize, RefusesTheRest) {
  for (const char* bad :
       {"", "x", "-1", "1.5GiB", "GiB", "5 apples", "99999999999999999999", "9999999999TiB"}) {
    EXPECT_EQ(Parse(bad), -1) << bad;
  }
}

TEST(ByteSize, WritesWhatItReads) {
  for (int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{1000}, int64_t{4096}, int64_t{5} << 30}) {
    EXPECT_EQ(Parse(AbslUnparseFlag({bytes}).c_str()), bytes);
  }
}

}  // namespace
}  // namespace memory3
