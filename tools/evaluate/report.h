// The tables of an evaluation, as markdown.
#ifndef MEMORY3_TOOLS_EVALUATE_REPORT_H_
#define MEMORY3_TOOLS_EVALUATE_REPORT_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "tools/evaluate/record.h"
#include "tools/evaluate/world_files.h"

namespace memory3 {

// Accuracy by setting and split, with Wilson intervals; a row per setting that has records.
std::string AccuracyTable(const World& world, absl::Span<const Record> records);

// How often the model says that it does not know, by setting and split.
std::string UnknownTable(const World& world, absl::Span<const Record> records);

// Held-out entities: accuracy by setting, a column per seed and the range over seeds.
std::string SeedTable(const World& world, absl::Span<const Record> records);

// Held-out entities: accuracy by kind and language, a column per setting that matters.
std::string KindTable(const World& world, absl::Span<const Record> records);

// Held-out and train entities asked of the service: how often the right reference was among those
// retrieved, and the accuracy where it was and where it was not. Empty without such records.
std::string RetrievalTable(const World& world, absl::Span<const Record> records);

// A JSON object per line: what was asked, in which setting, what came back and how it was judged.
std::string ToJsonLines(const World& world, absl::Span<const Record> records);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_REPORT_H_
