// A small table of results, written for people (markdown) or for programs (JSON).
//
//   Table table({"batch", "decode tok/s"});
//   table.AddRow({Cell(16), Cell(312.44, 1)});
//   std::cout << table.ToMarkdown();
#ifndef MEMORY3_TOOLS_TABLE_H_
#define MEMORY3_TOOLS_TABLE_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memory3 {

class Cell {
 public:
  Cell() = default;  // nothing measured: "–" in markdown, null in JSON
  explicit Cell(std::string text);
  explicit Cell(int64_t number);
  // Markdown shows `decimals` digits; JSON keeps the number as it is. Not finite: nothing measured.
  Cell(double number, int decimals);

  const std::string& text() const { return text_; }
  const nlohmann::ordered_json& json() const { return json_; }
  bool is_number() const { return json_.is_number(); }

 private:
  std::string text_ = "–";
  nlohmann::ordered_json json_;
};

class Table {
 public:
  explicit Table(std::vector<std::string> columns);

  // One cell per column.
  void AddRow(std::vector<Cell> row);

  // Columns padded to equal width, numbers to the right; ends with a newline.
  std::string ToMarkdown() const;
  // An array with one object per row, keyed by column.
  nlohmann::ordered_json ToJson() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_TABLE_H_
