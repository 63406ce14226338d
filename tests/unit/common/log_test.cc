#include "common/log.h"

#include <gtest/gtest.h>

#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1'700'000'000'123);

TEST(Log, WritesOneLineThatNobodyCanForge) {
  const std::string evil = "x\" code=\"OK\"\n2026 I forged\x1B[31m\t\xFF";
  const std::string line =
      FormatLogLine(LogFormat::kText, kTime, 'I', "request", {{"user", evil}, {"tokens", 5}});
  EXPECT_EQ(line.rfind("2023-11-14T22:13:20.123Z I request user=\"", 0), 0u) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1B'), std::string::npos);
  EXPECT_EQ(line.find("x\" code"), std::string::npos);
  EXPECT_NE(line.find(" tokens=5"), std::string::npos);
}

TEST(Log, WritesJsonThatParses) {
  const std::string evil = "a\"b\\c\n\x01 \xE4\xBD\xA0";
  const nlohmann::json line = nlohmann::json::parse(
      FormatLogLine(LogFormat::kJson, kTime, 'W', "request", {{"user", evil}, {"seconds", 0.5}}));
  EXPECT_EQ(line["time"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["message"], "request");
  EXPECT_EQ(line["user"], evil);
  EXPECT_EQ(line["seconds"], 0.5);
}

}  // namespace
}  // namespace memory3
