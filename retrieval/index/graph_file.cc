#include "retrieval/index/graph_file.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "retrieval/base/byte_cursor.h"
#include "retrieval/index/graph_parameters.h"

namespace memory3 {
namespace {

constexpr std::string_view kMagic = "M3GRAPH1";
constexpr size_t kFieldBytes = 24;
constexpr uint64_t kMaxGraphBytes = uint64_t{1} << 40;

}  // namespace

absl::StatusOr<GraphWriter> GraphWriter::Create(const std::filesystem::path& file,
                                                const GraphHeader& header) {
  M3_ASSIGN_OR_RETURN(CheckedFileWriter writer, CheckedFileWriter::Create(file, kMagic));
  std::string fields;
  AppendNumber(header.count, &fields);
  AppendNumber(header.links, &fields);
  AppendNumber(header.build_candidates, &fields);
  AppendNumber(header.entry, &fields);
  AppendNumber(header.vectors_checksum, &fields);
  M3_RETURN_IF_ERROR(writer.Append(fields));
  return GraphWriter(std::move(writer));
}

absl::Status GraphWriter::AppendLevel(int level) {
  if (level > kMaxGraphLevel) return absl::InternalError("a node of the graph is too high");
  const char byte = static_cast<char>(level);
  return file_.Append({&byte, 1});
}

absl::Status GraphWriter::AppendLinks(absl::Span<const uint32_t> links) {
  const auto size = static_cast<uint16_t>(links.size());
  M3_RETURN_IF_ERROR(file_.Append({reinterpret_cast<const char*>(&size), sizeof(size)}));
  return file_.Append(
      {reinterpret_cast<const char*>(links.data()), links.size() * sizeof(uint32_t)});
}

const char* GraphFile::levels() const { return payload_.data() + kFieldBytes; }

const char* GraphFile::CheckHeader(uint64_t file_bytes) const {
  if (const absl::Status status =
          CheckParameters({.links = static_cast<int>(header_.links),
                           .build_candidates = static_cast<int>(header_.build_candidates)});
      !status.ok()) {
    return "a parameter is out of range";
  }
  if (header_.count == 0 || header_.count > std::numeric_limits<int32_t>::max() ||
      header_.count > file_bytes - kFieldBytes) {
    return "the number of nodes does not fit the size";
  }
  return header_.entry < header_.count ? nullptr : "the entry node is out of range";
}

const char* GraphFile::CheckLevels() const {
  const int top = LevelOf(header_.entry);
  if (top > kMaxGraphLevel) return "the entry node is too high";
  for (uint32_t node = 0; node < header_.count; ++node) {
    if (LevelOf(node) > top) return "a node is higher than the entry node";
  }
  return nullptr;
}

const char* GraphFile::Walk(bool check, Visit visit) const {
  ByteCursor cursor({payload_.data(), payload_.size()});
  cursor.NextBytes(kFieldBytes + header_.count);
  std::vector<uint32_t> links;
  for (uint32_t node = 0; node < header_.count; ++node) {
    for (int level = 0; level <= LevelOf(node); ++level) {
      links.resize(cursor.Next<uint16_t>());
      if (check && links.size() > (level == 0 ? 2 * header_.links : header_.links)) {
        return "a node has too many links";
      }
      for (uint32_t& link : links) {
        link = cursor.Next<uint32_t>();
        if (check && (link >= header_.count || LevelOf(link) < level)) {
          return "a link leads nowhere";
        }
      }
      visit(node, level, links);
    }
    if (cursor.overrun()) return "ends early";
  }
  return cursor.AtEnd() ? nullptr : "is longer than its nodes";
}

void GraphFile::ForEachList(Visit visit) const { Walk(/*check=*/false, visit); }

absl::StatusOr<GraphFile> GraphFile::Read(const std::filesystem::path& file) {
  GraphFile graph;
  M3_ASSIGN_OR_RETURN(graph.payload_, ReadCheckedFile(file, kMagic, kMaxGraphBytes));
  ByteCursor cursor({graph.payload_.data(), graph.payload_.size()});
  GraphHeader& header = graph.header_;
  header.count = cursor.Next<uint32_t>();
  header.links = cursor.Next<uint32_t>();
  header.build_candidates = cursor.Next<uint32_t>();
  header.entry = cursor.Next<uint32_t>();
  header.vectors_checksum = cursor.Next<uint64_t>();
  const char* problem = cursor.overrun() ? "ends early" : graph.CheckHeader(graph.payload_.size());
  if (problem == nullptr) problem = graph.CheckLevels();
  if (problem == nullptr) {
    problem = graph.Walk(/*check=*/true, [](uint32_t, int, absl::Span<const uint32_t>) {});
  }
  if (problem == nullptr) return graph;
  return absl::DataLossError(absl::StrCat(file.string(), ": ", problem));
}

}  // namespace memory3
