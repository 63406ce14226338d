#include "tools/table.h"

#include <gtest/gtest.h>

#include <limits>

namespace memory3 {
namespace {

TEST(TableTest, MarkdownAlignsNumbersToTheRight) {
  Table table({"name", "tok/s"});
  table.AddRow({Cell("a"), Cell(3.14159, 2)});
  table.AddRow({Cell("longer"), Cell(int64_t{1200})});
  EXPECT_EQ(table.ToMarkdown(),
            "| name   | tok/s |\n"
            "| ------ | ----: |\n"
            "| a      |  3.14 |\n"
            "| longer |  1200 |\n");
}

TEST(TableTest, NothingMeasuredIsADashAndNull) {
  Table table({"x", "é"});
  table.AddRow({Cell(), Cell(std::numeric_limits<double>::quiet_NaN(), 1)});
  EXPECT_EQ(table.ToMarkdown(),
            "| x   | é   |\n"
            "| --- | --- |\n"
            "| –   | –   |\n");
  EXPECT_EQ(table.ToJson().dump(), R"([{"x":null,"é":null}])");
}

TEST(TableTest, JsonKeepsTheWholeNumber) {
  Table table({"batch", "rate", "note"});
  table.AddRow({Cell(int64_t{8}), Cell(0.125, 1), Cell("ok")});
  EXPECT_EQ(table.ToJson().dump(), R"([{"batch":8,"rate":0.125,"note":"ok"}])");
}

}  // namespace
}  // namespace memory3
