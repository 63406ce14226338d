#include "tools/table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/check.h"

namespace memory3 {
namespace {

// Characters, not bytes: what padding has to count. Wide characters do not occur in our tables.
size_t Width(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::string Padded(const std::string& text, size_t width, bool right) {
  const std::string fill(width - std::min(width, Width(text)), ' ');
  return right ? fill + text : text + fill;
}

}  // namespace

Cell::Cell(std::string text) : text_(text), json_(std::move(text)) {}
Cell::Cell(int64_t number) : text_(absl::StrCat(number)), json_(number) {}
Cell::Cell(double number, int decimals) {
  if (!std::isfinite(number)) return;
  text_ = absl::StrFormat("%.*f", decimals, number);
  json_ = number;
}

Table::Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

void Table::AddRow(std::vector<Cell> row) {
  M3_CHECK(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::string Table::ToMarkdown() const {
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (size_t column = 0; column < columns_.size(); ++column) {
    // Three characters are the least a rule needs.
    size_t width = std::max<size_t>(3, Width(columns_[column]));
    bool numbers = false;
    for (const std::vector<Cell>& row : rows_) {
      width = std::max(width, Width(row[column].text()));
      numbers = numbers || row[column].is_number();
    }
    widths.push_back(width);
    right.push_back(numbers);
  }
  std::string head = "|";
  std::string rule = "|";
  for (size_t column = 0; column < columns_.size(); ++column) {
    absl::StrAppend(&head, " ", Padded(columns_[column], widths[column], right[column]), " |");
    absl::StrAppend(&rule, " ", std::string(widths[column] - 1, '-'), right[column] ? ":" : "-",
                    " |");
  }
  std::string out = absl::StrCat(head, "\n", rule, "\n");
  for (const std::vector<Cell>& row : rows_) {
    absl::StrAppend(&out, "|");
    for (size_t column = 0; column < columns_.size(); ++column) {
      absl::StrAppend(&out, " ", Padded(row[column].text(), widths[column], right[column]), " |");
    }
    absl::StrAppend(&out, "\n");
  }
  return out;
}

nlohmann::ordered_json Table::ToJson() const {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const std::vector<Cell>& row : rows_) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (size_t column = 0; column < columns_.size(); ++column) {
      object[columns_[column]] = row[column].json();
    }
    out.push_back(std::move(object));
  }
  return out;
}

}  // namespace memory3
