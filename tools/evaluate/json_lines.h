// Files with a JSON object per line.
#ifndef MEMORY3_TOOLS_EVALUATE_JSON_LINES_H_
#define MEMORY3_TOOLS_EVALUATE_JSON_LINES_H_

#include <filesystem>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "engine/model/json_fields.h"

namespace memory3 {

// Calls `take` with every line's object; its errors name file and line. Stops at the first error.
absl::Status ForJsonLines(const std::filesystem::path& file,
                          absl::FunctionRef<absl::Status(const JsonFields&)> take);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_JSON_LINES_H_
