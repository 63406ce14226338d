// The documents that a bank is built from, read one after the other.
#ifndef MEMORY3_ENGINE_MEMORY_REFERENCE_SOURCE_H_
#define MEMORY3_ENGINE_MEMORY_REFERENCE_SOURCE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace memory3 {

// A piece of text that belongs together, before it is cut into references.
struct Document {
  std::string text;  // valid UTF-8
  std::string title;
  std::string source;     // the file's name relative to the input, or what the line says
  std::string source_id;  // what the line says
};

// The files to read: `input` itself, or every .txt, .md and .jsonl file below it in the order of
// their names. InvalidArgument naming what is neither, NotFound when there is nothing.
absl::StatusOr<std::vector<std::filesystem::path>> ListInputs(const std::filesystem::path& input);

// Calls `take` with every document of one file:
//   .txt    the whole file;
//   .md     the text under each heading, the heading as its title;
//   .jsonl  an object per line: "text", and optionally "id", "title", "source".
// InvalidArgument naming file and line for text that is not UTF-8 or lines of another form. `name`
// is the source of the file's documents.
absl::Status ReadDocuments(const std::filesystem::path& file, const std::string& name,
                           absl::FunctionRef<absl::Status(Document)> take);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_REFERENCE_SOURCE_H_
