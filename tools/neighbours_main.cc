// memory3-neighbours: which references the retrieval service would find for each of many texts.
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "engine/base/flag_help.h"
#include "engine/base/status_macros.h"
#include "tools/neighbours.h"

ABSL_FLAG(
    std::string, references, "",
    "What is searched: a .jsonl file as memory3-bank build takes it, one reference per line.");
ABSL_FLAG(std::string, queries, "",
          "What is searched for: a .jsonl file; a line is an object with text and optionally id.");
ABSL_FLAG(std::string, out, "", "The .jsonl file to write, one line per query, in their order.");
ABSL_FLAG(int, k, 5, "References per query.");
ABSL_FLAG(int, embedder_dimensions, 1024, "Of the lexical embedder's vectors, as of the bank.");
ABSL_FLAG(bool, exact, false,
          "Compare with every reference, however many: what a search graph misses is found too.");
ABSL_FLAG(int, threads, 0, "Threads that search; 0: one per core.");

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(usage: memory3-neighbours --references FILE.jsonl --queries FILE.jsonl --out FILE.jsonl [flags]

Finds for every query the references that memory3-retrieval finds in a bank of these references: same
texts, same lexical embedder, same index. Training pairs its texts with memories by it. No reference
is cut or dropped as a duplicate, as memory3-bank build may do.
A line of the answer: {"id": query's id, "ids": [references' ids], "scores": [...]}, best first; an
id is the line's, or else its number from 0.

  memory3-neighbours --references encyclopaedia.jsonl --queries questions.jsonl --k 5 --out n.jsonl)";

absl::Status Run(size_t words) {
  if (words > 1) return absl::InvalidArgumentError("give flags only; see --help");
  const NeighboursOptions options = {
      .references = absl::GetFlag(FLAGS_references),
      .queries = absl::GetFlag(FLAGS_queries),
      .out = absl::GetFlag(FLAGS_out),
      .k = absl::GetFlag(FLAGS_k),
      .embedder_dimensions = absl::GetFlag(FLAGS_embedder_dimensions),
      .exact = absl::GetFlag(FLAGS_exact),
      .threads = absl::GetFlag(FLAGS_threads)};
  M3_ASSIGN_OR_RETURN(const NeighboursCounts counts, FindNeighbours(options));
  std::printf("%s: %zu queries, %zu references\n", options.out.c_str(), counts.queries,
              counts.references);
  return absl::OkStatus();
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"tools/neighbours_main.cc"}})) {
    return 0;
  }
  const size_t words = memory3::ParseFlagsOrExit(argc, argv).size();
  return memory3::EndProgram("memory3-neighbours", memory3::Run(words));
}
