#include "common/request_parsing.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/base/field_error.h"
#include "memory3/v1/chat.pb.h"

namespace memory3 {
namespace {

v1::ChatRequest Valid() {
  v1::ChatRequest request;
  for (const char* content : {"first", "second"}) {
    v1::Message* message = request.add_messages();
    message->set_role(v1::ROLE_USER);
    message->set_content(content);
  }
  request.set_model("m");
  request.set_user("someone");
  request.add_stop("end");
  (*request.mutable_logit_bias())[5] = 1.5f;
  return request;
}

// The request's bytes with one occurrence of `from` replaced by as many bytes.
std::string Replaced(const std::string& from, const std::string& to) {
  std::string bytes = Valid().SerializeAsString();
  const size_t at = bytes.find(from);
  EXPECT_NE(at, std::string::npos);
  return bytes.replace(at, from.size(), to);
}

std::string FieldRefused(const std::string& bytes) {
  v1::ChatRequest request;
  const absl::Status status = ParseRequest(bytes, &request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return FieldOf(status).value_or("");
}

TEST(ParseRequest, TakesAValidRequest) {
  v1::ChatRequest request;
  ASSERT_TRUE(ParseRequest(Valid().SerializeAsString(), &request).ok());
  EXPECT_EQ(request.SerializeAsString(), Valid().SerializeAsString());
}

TEST(ParseRequest, NamesTheStringThatIsNotUtf8) {
  EXPECT_EQ(FieldRefused(Replaced("first", "fi\xFFst")), "messages[0].content");
  EXPECT_EQ(FieldRefused(Replaced("second", "sec\xE4\xBDz")), "messages[1].content");
  EXPECT_EQ(FieldRefused(Replaced("someone", "\xED\xA0\x80some")), "user");
  EXPECT_EQ(FieldRefused(Replaced("end", "e\xC0\x80")), "stop[0]");
}

TEST(ParseRequest, RefusesFieldsNobodyKnows) {
  EXPECT_EQ(FieldRefused(Valid().SerializeAsString() + std::string("\xF8\x06\x01", 3)), "#111");
  // Field 9 of Message, inside the first one: tag 0x48, value 1.
  v1::ChatRequest request = Valid();
  request.mutable_messages(0)
      ->GetReflection()
      ->MutableUnknownFields(request.mutable_messages(0))
      ->AddVarint(9, 1);
  EXPECT_EQ(FieldRefused(request.SerializeAsString()), "messages[0].#9");
}

TEST(ParseRequest, RefusesAKnownFieldOfTheWrongType) {
  // max_tokens (5) as a string.
  EXPECT_EQ(FieldRefused(Valid().SerializeAsString() + std::string("\x2A\x01x", 3)), "max_tokens");
}

TEST(ParseRequest, NeverCrashesOnMutatedBytes) {
  const std::string whole = Valid().SerializeAsString();
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = whole.substr(0, round % 3 == 0 ? random() % whole.size() : whole.size());
    for (int flips = 0; flips < 2 && !bytes.empty(); ++flips)
      bytes[random() % bytes.size()] ^= 1 << random() % 8;
    v1::ChatRequest request;
    const absl::Status status = ParseRequest(bytes, &request);
    ASSERT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  }
}

}  // namespace
}  // namespace memory3
