#include "tools/bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/model_cost.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;

BenchReport Example() {
  BenchReport report;
  report.command = "memory3-bench engine";
  report.date = absl::UnixEpoch();
  report.machine = {"A CPU", 2, 24, {"avx2"}, "Linux"};
  report.notes = {{"model", "small \xff"}};
  report.figures = {{"read_bytes_per_second", 5e10}};
  report.table = Table({"batch"});
  report.table.AddRow({Cell(int64_t{1})});
  report.explanations = {"batch: how many."};
  return report;
}

TEST(BenchReportTest, MarkdownTellsWhereWhenAndHow) {
  const std::string text = Example().ToMarkdown();
  for (const char* part :
       {"- command: `memory3-bench engine`\n", "- date: 1970-01-01 00:00:00 UTC\n",
        "- machine: A CPU, 2 cores, 24.0 GiB, Linux (avx2)\n", "- model: small", "| batch |\n",
        "batch: how many.\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(BenchReportTest, JsonIsValidWhateverThePaths) {
  const auto json = nlohmann::json::parse(Example().ToJson(), nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["rows"][0]["batch"], 1);
  EXPECT_EQ(json["machine"]["cores"], 2);
  EXPECT_EQ(json["figures"]["read_bytes_per_second"], 5e10);
}

TEST(BenchReportTest, CommandLineCanBePasted) {
  const char* const words[] = {"bin/memory3-bench", "--batch=1,8", "a b", "it's", "", "$(x)"};
  EXPECT_EQ(CommandLine(6, words), R"(bin/memory3-bench --batch=1,8 'a b' 'it'\''s' '' '$(x)')");
}

TEST(BenchReportTest, EveryColumnHasACell) {
  EXPECT_EQ(LoadCells(LoadSummary{}).size(), LoadColumns().size());
  LoadSummary summary;
  EXPECT_EQ(DescribeErrors(summary), "0");
  summary.errors = {{"INTERNAL", 1}, {"UNAVAILABLE", 2}};
  EXPECT_EQ(DescribeErrors(summary), "INTERNAL 1, UNAVAILABLE 2");
}

TEST(ModelCostTest, CountsTheMatrices) {
  ModelConfig config;
  config.hidden = 8;
  config.layers = 3;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 6;
  config.mlp = 10;
  // q and o 8 x 24, k and v 8 x 12, three of 8 x 10.
  const int64_t per_layer = 2 * 8 * 24 + 2 * 8 * 12 + 3 * 8 * 10;
  EXPECT_EQ(BlockWeights(config), 3 * per_layer);
  // Scores and values: two products of 24 per token of context.
  EXPECT_EQ(FlopsPerPromptToken(config, 5), 2.0 * 3 * per_layer + 3 * 2 * 2 * 24 * 5);
  EXPECT_EQ(KvBytesPerToken(config, 2), 3 * 2 * 12 * 2);
}

}  // namespace
}  // namespace memory3
