#include "engine/memory/bank/taught_entry.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/crc32c.h"
#include "engine/base/parse_json.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/memory/bank/texts_file.h"

namespace memory3 {
namespace {

constexpr int64_t kLogVersion = 1;
constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
constexpr int64_t kMaxTokens = 1 << 20;
// Keeps the place of a record inside 64 bits.
constexpr int64_t kMaxRecord = int64_t{1} << 30;
constexpr const char* kNumber = "n";

std::string Seal(std::string_view json) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(json.data());
  return absl::StrFormat("%08x", Crc32c({bytes, json.size()}));
}

// The JSON of a line whose checksum is right.
std::optional<std::string_view> Unsealed(std::string_view line) {
  const size_t tab = line.rfind('\t');
  if (tab == std::string_view::npos) return std::nullopt;
  const std::string_view json = line.substr(0, tab);
  if (AbslView(line.substr(tab + 1)) != Seal(json)) return std::nullopt;
  return json;
}

absl::Status Damaged(absl::string_view problem) { return absl::DataLossError(problem); }

nlohmann::ordered_json ToJson(const TaughtHeader& header) {
  return {{"memory3_taught", kLogVersion},
          {"model_fingerprint", header.model_fingerprint},
          {"record_bytes", header.record_bytes}};
}

nlohmann::ordered_json ToJson(const TaughtBank& bank) {
  return {{"bank", absl::StrFormat("%016x", bank.identity)}, {"epoch", bank.epoch}};
}

nlohmann::ordered_json ToJson(const TaughtEntry& entry) {
  nlohmann::ordered_json json;
  switch (entry.kind) {
    case TaughtEntry::Kind::kAdd:
      json["add"] = entry.key.id;
      json["reference"] = nlohmann::ordered_json::parse(FormatReferenceText(entry.reference),
                                                        nullptr, /*allow_exceptions=*/false);
      break;
    case TaughtEntry::Kind::kEncode:
      json["encode"] = entry.key.id;
      break;
    case TaughtEntry::Kind::kDelete:
      json["delete"] = entry.key.id;
      break;
  }
  if (entry.key.epoch != 0) json["epoch"] = entry.key.epoch;
  if (entry.kind != TaughtEntry::Kind::kDelete) {
    json["record"] = entry.record;
    json["tokens"] = entry.tokens;
    json["crc32c"] = entry.checksum;
  }
  return json;
}

absl::StatusOr<int64_t> Number(const nlohmann::json& json, const char* key, int64_t max) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_number_unsigned() &&
      found->get<uint64_t>() <= static_cast<uint64_t>(max)) {
    return found->get<int64_t>();
  }
  return Damaged(absl::StrCat(key, " must be a number up to ", max));
}

absl::StatusOr<std::string> String(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) {
    return Damaged(absl::StrCat(key, " must be a string"));
  }
  return found->get<std::string>();
}

absl::StatusOr<TaughtHeader> ParseHeader(const nlohmann::json& json) {
  M3_ASSIGN_OR_RETURN(const int64_t version, Number(json, "memory3_taught", kAny));
  if (version != kLogVersion) {
    return absl::UnimplementedError(absl::StrCat("log of taught references, version ", version,
                                                 "; this program reads ", kLogVersion));
  }
  TaughtHeader header;
  M3_ASSIGN_OR_RETURN(header.model_fingerprint, String(json, "model_fingerprint"));
  M3_ASSIGN_OR_RETURN(header.record_bytes, Number(json, "record_bytes", kAny));
  return header;
}

absl::StatusOr<TaughtBank> ParseBank(const nlohmann::json& json) {
  TaughtBank bank;
  M3_ASSIGN_OR_RETURN(const std::string identity, String(json, "bank"));
  if (!absl::SimpleHexAtoi(identity, &bank.identity)) return Damaged("bank must be hexadecimal");
  M3_ASSIGN_OR_RETURN(const int64_t epoch, Number(json, "epoch", kAny));
  bank.epoch = static_cast<uint64_t>(epoch);
  return bank;
}

absl::Status ParseRecord(const nlohmann::json& json, TaughtEntry* entry) {
  M3_ASSIGN_OR_RETURN(entry->record, Number(json, "record", kMaxRecord));
  M3_ASSIGN_OR_RETURN(const int64_t tokens, Number(json, "tokens", kMaxTokens));
  M3_ASSIGN_OR_RETURN(const int64_t checksum,
                      Number(json, "crc32c", std::numeric_limits<uint32_t>::max()));
  if (tokens == 0) return Damaged("tokens must be at least 1");
  entry->tokens = static_cast<int>(tokens);
  entry->checksum = static_cast<uint32_t>(checksum);
  return absl::OkStatus();
}

absl::StatusOr<TaughtEntry> ParseEntry(const nlohmann::json& json) {
  TaughtEntry entry;
  const std::pair<const char*, TaughtEntry::Kind> kinds[] = {
      {"add", TaughtEntry::Kind::kAdd},
      {"encode", TaughtEntry::Kind::kEncode},
      {"delete", TaughtEntry::Kind::kDelete}};
  const char* verb = nullptr;
  for (const auto& [key, kind] : kinds) {
    if (!json.contains(key)) continue;
    verb = key;
    entry.kind = kind;
  }
  if (verb == nullptr) return Damaged("an entry neither adds, encodes nor deletes");
  M3_ASSIGN_OR_RETURN(const int64_t id, Number(json, verb, kAny));
  entry.key.id = static_cast<MemoryId>(id);
  const bool taught = entry.key.id >= kFirstTaughtId;
  if (taught != !json.contains("epoch") || (entry.kind == TaughtEntry::Kind::kAdd && !taught)) {
    return Damaged(absl::StrCat("id ", id, " and epoch do not fit each other"));
  }
  if (!taught) {
    M3_ASSIGN_OR_RETURN(const int64_t epoch, Number(json, "epoch", kAny));
    entry.key.epoch = static_cast<uint64_t>(epoch);
  }
  if (entry.kind == TaughtEntry::Kind::kAdd) {
    if (!json.contains("reference")) return Damaged("an added reference is missing");
    const std::string reference =
        json.at("reference").dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    M3_ASSIGN_OR_RETURN(entry.reference, ParseReferenceText(reference, "reference"));
  }
  if (entry.kind != TaughtEntry::Kind::kDelete) M3_RETURN_IF_ERROR(ParseRecord(json, &entry));
  return entry;
}

}  // namespace

std::string FormatTaughtLine(const TaughtLine& line, int64_t number) {
  nlohmann::ordered_json json = {{kNumber, number}};
  json.update(std::visit([](const auto& known) { return ToJson(known); }, line));
  // Strings are UTF-8 by contract; this handler is the one that never throws.
  const std::string text =
      json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return absl::StrCat(text, "\t", Seal(text), "\n");
}

absl::StatusOr<TaughtLine> ParseTaughtLine(std::string_view text, int64_t number) {
  const std::optional<std::string_view> unsealed = Unsealed(text);
  if (!unsealed.has_value()) return Damaged("the checksum of a line is wrong");
  const absl::StatusOr<nlohmann::json> json = ParseJson(AbslView(*unsealed), "entry");
  if (!json.ok() || !json->is_object()) return Damaged("a line is no JSON object");
  M3_ASSIGN_OR_RETURN(const int64_t found, Number(*json, kNumber, kAny));
  if (found != number) {
    return Damaged(absl::StrCat("line ", found, " stands where ", number, " must: lines are lost"));
  }
  if (number == 0) return ParseHeader(*json);
  if (json->contains("bank")) return ParseBank(*json);
  return ParseEntry(*json);
}

bool IsTornTail(std::string_view tail) {
  // A file system may give blocks that were never written as zeros: of one that did not hold the
  // newline there are many. A single zero is a byte that was changed.
  if (tail.back() == '\n') return std::count(tail.begin(), tail.end(), '\0') > 1;
  // A whole line but for its newline was cut there; followed by anything else, it was changed.
  tail.remove_suffix(1);
  return !Unsealed(tail).has_value();
}

}  // namespace memory3
