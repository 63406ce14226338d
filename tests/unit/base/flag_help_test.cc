#include "engine/base/flag_help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/flags/flag.h"

ABSL_FLAG(int, zebra_test_flag, 7, "Counts stripes.");
ABSL_FLAG(std::string, apple_test_flag, "",
          "A text that is long enough to need a second line, because a line of help holds no more "
          "than a hundred characters and this one has a few more.");

namespace memory3 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kUsage[] = "usage: program [--zebra_test_flag N]";

TEST(FlagHelpTest, ListsTheFlagsOfTheNamedFilesByName) {
  const std::string page = FormatHelp({kUsage, {"base/flag_help_test.cc"}});
  EXPECT_THAT(page, HasSubstr(kUsage));
  EXPECT_THAT(page, HasSubstr("  --zebra_test_flag (default 7)\n      Counts stripes.\n"));
  EXPECT_LT(page.find("--apple_test_flag\n"), page.find("--zebra_test_flag ("));
  // Flags of libraries stay out.
  EXPECT_THAT(page, Not(HasSubstr("gtest")));
  EXPECT_THAT(FormatHelp({kUsage, {"another.cc"}}), Not(HasSubstr("zebra_test_flag (")));
}

TEST(FlagHelpTest, LongTextIsWrapped) {
  const std::string page = FormatHelp({kUsage, {"base/flag_help_test.cc"}});
  size_t begin = 0;
  while (begin < page.size()) {
    const size_t end = page.find('\n', begin);
    EXPECT_LE(end - begin, 100u);
    begin = end + 1;
  }
}

TEST(FlagHelpTest, HelpIsRecognisedBeforeADoubleDash) {
  const HelpPage page{kUsage, {}};
  const auto asked = [&](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "program");
    ::testing::internal::CaptureStdout();
    const bool result = PrintHelpIfAsked(static_cast<int>(arguments.size()),
                                         const_cast<char**>(arguments.data()), page);
    EXPECT_EQ(::testing::internal::GetCapturedStdout().empty(), !result);
    return result;
  };
  EXPECT_TRUE(asked({"--help"}));
  EXPECT_TRUE(asked({"word", "-h"}));
  EXPECT_FALSE(asked({}));
  EXPECT_FALSE(asked({"--", "--help"}));
  EXPECT_FALSE(asked({"help"}));
}

TEST(FlagHelpTest, TheExitStatusTellsWhoseFaultItWas) {
  const auto end = [](const absl::Status& status) {
    ::testing::internal::CaptureStderr();
    const int exit_status = EndProgram("program", status);
    return std::to_string(exit_status) + " " + ::testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(end(absl::OkStatus()), "0 ");
  EXPECT_EQ(end(absl::InvalidArgumentError("--x: is off")), "2 program: --x: is off\n");
  EXPECT_EQ(end(absl::NotFoundError("no file")), "1 program: no file\n");
}

}  // namespace
}  // namespace memory3
