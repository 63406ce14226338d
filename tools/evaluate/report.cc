#include "tools/evaluate/report.h"

#include <functional>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/evaluate/statistics.h"
#include "tools/table.h"

namespace memory3 {
namespace {

using Filter = std::function<bool(const Record&)>;
using Count = std::function<bool(const Record&)>;

Proportion Share(absl::Span<const Record> records, const Filter& filter, const Count& count) {
  Proportion proportion;
  for (const Record& record : records) {
    if (filter(record)) proportion.Add(count(record));
  }
  return proportion;
}

bool IsRightRecord(const Record& record) { return record.right; }

Split SplitOf(const World& world, const Record& record) {
  return world.questions[record.question].split;
}

Cell ShareCell(const Proportion& proportion) { return Cell(Describe(proportion)); }

// A row per setting, a column per split.
std::string BySplit(const World& world, absl::Span<const Record> records, const Count& count) {
  Table table({"setting", "train entities", "held-out entities", "absent entities"});
  for (const Setting setting : kSettings) {
    std::vector<Cell> row = {Cell(std::string(SettingName(setting)))};
    bool any = false;
    for (const Split split : kSplits) {
      const Proportion share = Share(
          records,
          [&](const Record& record) {
            return record.setting == setting && SplitOf(world, record) == split;
          },
          count);
      any = any || share.trials > 0;
      row.push_back(ShareCell(share));
    }
    if (any) table.AddRow(std::move(row));
  }
  return table.ToMarkdown();
}

}  // namespace

std::string AccuracyTable(const World& world, absl::Span<const Record> records) {
  return BySplit(world, records, IsRightRecord);
}

std::string UnknownTable(const World& world, absl::Span<const Record> records) {
  return BySplit(world, records, [](const Record& record) { return record.unknown; });
}

std::string SeedTable(const World& world, absl::Span<const Record> records) {
  std::set<uint64_t> seeds;
  for (const Record& record : records) seeds.insert(record.seed);
  std::vector<std::string> columns = {"setting"};
  for (const uint64_t seed : seeds) columns.push_back(absl::StrCat("seed ", seed));
  Table table(columns);
  for (const Setting setting : kSettings) {
    std::vector<Cell> row = {Cell(std::string(SettingName(setting)))};
    bool any = false;
    for (const uint64_t seed : seeds) {
      const Proportion share = Share(
          records,
          [&](const Record& record) {
            return record.setting == setting && record.seed == seed &&
                   SplitOf(world, record) == Split::kHeldOut;
          },
          IsRightRecord);
      any = any || share.trials > 0;
      row.emplace_back(share.share(), 3);
    }
    if (any) table.AddRow(std::move(row));
  }
  return table.ToMarkdown();
}

std::string KindTable(const World& world, absl::Span<const Record> records) {
  constexpr Setting kShown[] = {Setting::kRightMemory, Setting::kRightAmongFive,
                                Setting::kServiceMemories, Setting::kServiceTexts};
  std::set<std::pair<std::string, std::string>> kinds;
  for (const Record& record : records) {
    const Question& question = world.questions[record.question];
    kinds.emplace(question.language, question.kind);
  }
  std::vector<std::string> columns = {"held-out"};
  for (const Setting setting : kShown) columns.emplace_back(SettingName(setting));
  Table table(columns);
  for (const auto& kind : kinds) {
    std::vector<Cell> row = {Cell(absl::StrCat(kind.second, " (", kind.first, ")"))};
    for (const Setting setting : kShown) {
      row.push_back(ShareCell(Share(
          records,
          [&](const Record& record) {
            const Question& question = world.questions[record.question];
            return record.setting == setting && question.split == Split::kHeldOut &&
                   question.language == kind.first && question.kind == kind.second;
          },
          IsRightRecord)));
    }
    table.AddRow(std::move(row));
  }
  return table.ToMarkdown();
}

std::string RetrievalTable(const World& world, absl::Span<const Record> records) {
  Table table({"split", "right reference retrieved", "right when retrieved",
               "right when not retrieved", "\"do not know\" when not retrieved"});
  bool any = false;
  for (const Split split : {Split::kTrain, Split::kHeldOut}) {
    const auto asked = [&](const Record& record) {
      return record.setting == Setting::kServiceMemories && SplitOf(world, record) == split;
    };
    const auto among = [&](bool retrieved) {
      return [&asked, retrieved](const Record& record) {
        return asked(record) && record.retrieved == retrieved;
      };
    };
    const Proportion found =
        Share(records, asked, [](const Record& record) { return record.retrieved == true; });
    any = any || found.trials > 0;
    table.AddRow({Cell(std::string(SplitName(split))), ShareCell(found),
                  ShareCell(Share(records, among(true), IsRightRecord)),
                  ShareCell(Share(records, among(false), IsRightRecord)),
                  ShareCell(Share(records, among(false),
                                  [](const Record& record) { return record.unknown; }))});
  }
  return any ? table.ToMarkdown() : "";
}

std::string ToJsonLines(const World& world, absl::Span<const Record> records) {
  std::string lines;
  for (const Record& record : records) {
    const Question& question = world.questions[record.question];
    nlohmann::ordered_json line = {{"seed", record.seed},
                                   {"setting", SettingName(record.setting)},
                                   {"split", SplitName(question.split)},
                                   {"kind", question.kind},
                                   {"attribute", question.attribute},
                                   {"question", question.text},
                                   {"expected", question.answer},
                                   {"answer", nullptr},
                                   {"right", record.right},
                                   {"unknown", record.unknown}};
    if (record.answer.has_value()) line["answer"] = *record.answer;
    if (record.retrieved.has_value()) line["retrieved"] = *record.retrieved;
    // Answers of a model may hold any bytes.
    absl::StrAppend(&lines, line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                    "\n");
  }
  return lines;
}

}  // namespace memory3
