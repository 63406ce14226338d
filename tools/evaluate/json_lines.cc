#include "tools/evaluate/json_lines.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"

namespace memory3 {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

}  // namespace

absl::Status ForJsonLines(const std::filesystem::path& file,
                          absl::FunctionRef<absl::Status(const JsonFields&)> take) {
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxFileBytes));
  std::string_view rest = text;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::string place = absl::StrCat(file.string(), ":", number);
    M3_ASSIGN_OR_RETURN(const nlohmann::json object, ParseJsonObject(AbslView(line), place));
    M3_RETURN_IF_ERROR(take(JsonFields(object, place)));
  }
  return absl::OkStatus();
}

}  // namespace memory3
