#include "engine/base/field_error.h"

#include "gtest/gtest.h"

namespace memory3 {
namespace {

TEST(FieldErrorTest, MessageStartsWithTheFieldAndTheFieldCanBeRead) {
  const absl::Status status = FieldError("top_p", "must be in (0, 1], got 1.5");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "top_p: must be in (0, 1], got 1.5");
  EXPECT_EQ(FieldOf(status), "top_p");
}

TEST(FieldErrorTest, OtherStatusesNameNoField) {
  EXPECT_EQ(FieldOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(FieldOf(absl::InvalidArgumentError("top_p: looks like one")), std::nullopt);
}

TEST(FieldErrorTest, CopiesOfTheStatusKeepTheField) {
  const absl::Status copy = FieldError("stop[2]", "is empty");
  EXPECT_EQ(FieldOf(absl::Status(copy)), "stop[2]");
}

}  // namespace
}  // namespace memory3
