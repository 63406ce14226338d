#include "engine/memory/reference_source.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/parse_json.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

constexpr int64_t kMaxInputBytes = int64_t{16} << 30;

bool IsInput(const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  return extension == ".txt" || extension == ".md" || extension == ".jsonl";
}

absl::Status Wrong(const std::filesystem::path& file, int64_t line, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(file.string(), ":", line, ": ", problem));
}

// Calls take(line, number) for every line, from 1, without its newline.
template <typename Take>
absl::Status ForLines(std::string_view text, Take take) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    M3_RETURN_IF_ERROR(take(line, number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckUtf8(const std::filesystem::path& file, std::string_view text) {
  if (IsValidUtf8(text)) return absl::OkStatus();
  return ForLines(text, [&](std::string_view line, int64_t number) {
    return IsValidUtf8(line) ? absl::OkStatus() : Wrong(file, number, "is not valid UTF-8");
  });
}

// The text of a Markdown heading, or an empty view for another line.
std::string_view Heading(std::string_view line) {
  const size_t level = line.find_first_not_of('#');
  if (level == 0 || level == std::string_view::npos || level > 6 || line[level] != ' ') return {};
  line.remove_prefix(level);
  while (!line.empty() && (line.front() == ' ' || line.front() == '#')) line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '#')) line.remove_suffix(1);
  return line;
}

absl::Status ReadMarkdown(std::string_view text, const std::string& name,
                          absl::FunctionRef<absl::Status(Document)> take) {
  Document open = {.source = name};
  const auto close = [&](std::string title) {
    Document document = std::exchange(open, Document{.title = std::move(title), .source = name});
    const bool blank = document.text.find_first_not_of(" \t\r\n") == std::string::npos;
    return blank ? absl::OkStatus() : take(std::move(document));
  };
  bool in_code = false;
  M3_RETURN_IF_ERROR(ForLines(text, [&](std::string_view line, int64_t) {
    if (line.starts_with("```")) in_code = !in_code;
    const std::string_view heading = in_code ? std::string_view() : Heading(line);
    if (!heading.empty()) return close(std::string(heading));
    open.text.append(line);
    open.text.push_back('\n');
    return absl::OkStatus();
  }));
  return close("");
}

absl::Status ReadJsonLine(const std::filesystem::path& file, std::string_view line, int64_t number,
                          const std::string& name, absl::FunctionRef<absl::Status(Document)> take) {
  const std::string place = absl::StrCat(file.string(), ":", number);
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(AbslView(line), place));
  if (!json.is_object()) return Wrong(file, number, "is not a JSON object");
  Document document = {.source = name};
  const std::pair<const char*, std::string*> fields[] = {{"text", &document.text},
                                                         {"title", &document.title},
                                                         {"source", &document.source},
                                                         {"id", &document.source_id}};
  for (const auto& [key, value] : fields) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    if (found->is_string()) {
      *value = found->get<std::string>();
    } else if (value == &document.source_id && found->is_number_integer()) {
      *value = found->dump();
    } else {
      return Wrong(file, number, absl::StrCat(key, " must be a string"));
    }
  }
  if (!json.contains("text") || json.at("text").is_null())
    return Wrong(file, number, "text is missing");
  return take(std::move(document));
}

}  // namespace

absl::StatusOr<std::vector<std::filesystem::path>> ListInputs(const std::filesystem::path& input) {
  std::error_code error;
  if (std::filesystem::is_regular_file(input, error)) {
    if (IsInput(input)) return std::vector{input};
    return absl::InvalidArgumentError(
        absl::StrCat(input.string(), ": must end in .txt, .md or .jsonl"));
  }
  if (!std::filesystem::is_directory(input, error)) {
    return absl::NotFoundError(absl::StrCat(input.string(), ": is no file and no folder"));
  }
  std::vector<std::filesystem::path> files;
  for (auto entry = std::filesystem::recursive_directory_iterator(input, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_regular_file(error) && IsInput(entry->path())) files.push_back(entry->path());
  }
  if (error) {
    return absl::UnavailableError(absl::StrCat(input.string(), ": ", error.message()));
  }
  if (files.empty()) {
    return absl::NotFoundError(absl::StrCat(input.string(), ": holds no .txt, .md or .jsonl file"));
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status ReadDocuments(const std::filesystem::path& file, const std::string& name,
                           absl::FunctionRef<absl::Status(Document)> take) {
  M3_ASSIGN_OR_RETURN(std::string text, ReadFile(file, kMaxInputBytes));
  // The mark that some editors put before UTF-8 is no part of the text.
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  M3_RETURN_IF_ERROR(CheckUtf8(file, text));
  if (file.extension() == ".md") return ReadMarkdown(text, name, take);
  if (file.extension() == ".jsonl") {
    return ForLines(text, [&](std::string_view line, int64_t number) {
      const bool blank = line.find_first_not_of(" \t") == std::string_view::npos;
      return blank ? absl::OkStatus() : ReadJsonLine(file, line, number, name, take);
    });
  }
  return take({.text = std::move(text), .source = name});
}

}  // namespace memory3
