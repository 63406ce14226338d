#include "tools/parity_case.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

using Json = nlohmann::json;

absl::Status Wrong(const std::string& file, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", problem));
}

absl::StatusOr<std::vector<int32_t>> TokenIds(const Json& json, const std::string& field,
                                              const std::string& file) {
  const auto found = json.find(field);
  if (found == json.end() || !found->is_array()) {
    return Wrong(file, absl::StrCat(field, " must be a list of token ids"));
  }
  std::vector<int32_t> ids;
  for (const Json& id : *found) {
    if (!id.is_number_integer()) return Wrong(file, absl::StrCat(field, " holds a non-integer"));
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

absl::StatusOr<std::vector<double>> Numbers(const Json& json, const std::string& field,
                                            const std::string& file) {
  const auto found = json.find(field);
  if (found == json.end() || !found->is_array()) {
    return Wrong(file, absl::StrCat(field, " must be a list of numbers"));
  }
  std::vector<double> numbers;
  for (const Json& number : *found) {
    if (!number.is_number()) return Wrong(file, absl::StrCat(field, " holds what is no number"));
    numbers.push_back(number.get<double>());
  }
  return numbers;
}

absl::StatusOr<ReferenceLayer> ParseLayer(const Json& json, const std::string& file) {
  if (!json.is_object() || !json.contains("index") || !json.at("index").is_array()) {
    return Wrong(file, "references: a layer must have an index");
  }
  ReferenceLayer layer;
  for (const Json& head : json.at("index")) {
    M3_ASSIGN_OR_RETURN(layer.kept.emplace_back(), TokenIds({{"index", head}}, "index", file));
  }
  M3_ASSIGN_OR_RETURN(layer.first_key, Numbers(json, "key0", file));
  M3_ASSIGN_OR_RETURN(layer.first_value, Numbers(json, "value0", file));
  return layer;
}

absl::StatusOr<ReferenceMemory> ParseReference(const Json& json, const std::vector<int>& layers,
                                               const std::string& file) {
  if (!json.is_object() || !json.contains("layers") || !json.at("layers").is_object()) {
    return Wrong(file, "references must have layers");
  }
  ReferenceMemory reference;
  M3_ASSIGN_OR_RETURN(reference.tokens, TokenIds(json, "ids", file));
  for (const int layer : layers) {
    const auto found = json.at("layers").find(absl::StrCat(layer));
    if (found == json.at("layers").end()) {
      return Wrong(file, absl::StrCat("references: memory layer ", layer, " is missing"));
    }
    M3_ASSIGN_OR_RETURN(reference.layers.emplace_back(), ParseLayer(*found, file));
  }
  return reference;
}

absl::StatusOr<int> PositiveInt(const Json& config, const std::string& field,
                                const std::string& file) {
  const auto found = config.find(field);
  if (found == config.end() || !found->is_number_integer() || found->get<int64_t>() < 1 ||
      found->get<int64_t>() > std::numeric_limits<int>::max()) {
    return Wrong(file, absl::StrCat("memory.", field, " must be a positive number"));
  }
  return found->get<int>();
}

// Everything a case with memory has beside the prompt.
absl::Status ParseMemory(const Json& json, const std::string& file, ParityCase* parity) {
  Json config = json.at("memory");
  config.erase("enabled");
  parity->memory_config = config.dump();
  M3_ASSIGN_OR_RETURN(parity->memory_layers, TokenIds(config, "memory_layers", file));
  M3_ASSIGN_OR_RETURN(parity->prefix_ids, TokenIds(json, "prefix_ids", file));
  M3_ASSIGN_OR_RETURN(parity->chunk_tokens, PositiveInt(config, "chunk_tokens", file));
  M3_ASSIGN_OR_RETURN(const int reference_tokens, PositiveInt(config, "reference_tokens", file));
  for (const char* field : {"references", "memory_sets"}) {
    if (json.contains(field) && json.at(field).is_array()) continue;
    return Wrong(file, absl::StrCat(field, " must be a list"));
  }
  for (const Json& reference : json.at("references")) {
    M3_ASSIGN_OR_RETURN(parity->references.emplace_back(),
                        ParseReference(reference, parity->memory_layers, file));
    std::vector<int32_t>& tokens = parity->references.back().tokens;
    tokens.resize(std::min<size_t>(tokens.size(), reference_tokens));
  }
  for (const Json& set : json.at("memory_sets")) {
    M3_ASSIGN_OR_RETURN(parity->memory_sets.emplace_back(),
                        TokenIds({{"memory_sets", set}}, "memory_sets", file));
    for (const int reference : parity->memory_sets.back()) {
      if (reference >= 0 && reference < static_cast<int64_t>(parity->references.size())) continue;
      return Wrong(file, absl::StrCat("memory_sets: there is no reference ", reference));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ReferenceRow> ParseRow(const std::string& key, const Json& json, size_t prompt_size,
                                      const std::string& file) {
  ReferenceRow row;
  if (!absl::SimpleAtoi(key, &row.row) || row.row < 0 ||
      row.row >= static_cast<int64_t>(prompt_size)) {
    return Wrong(file, absl::StrCat("rows: ", key, " is not a row of the prompt"));
  }
  if (!json.is_array() || json.empty()) {
    return Wrong(file, absl::StrCat("rows: row ", key, " lists no logits"));
  }
  for (const Json& pair : json) {
    const bool valid = pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() &&
                       pair[1].is_number() && std::isfinite(pair[1].get<double>());
    if (!valid) return Wrong(file, absl::StrCat("rows: row ", key, " must list [id, logit]"));
    row.logits.push_back({pair[0].get<int32_t>(), pair[1].get<double>()});
  }
  return row;
}

}  // namespace

absl::StatusOr<ParityCase> LoadParityCase(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) return absl::NotFoundError(absl::StrCat(file, ": cannot be read"));
  const Json json = Json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Wrong(file, "is not a JSON object");
  ParityCase parity;
  const auto memory = json.find("memory");
  if (memory == json.end() || !memory->is_object() || !memory->contains("enabled") ||
      !memory->at("enabled").is_boolean()) {
    return Wrong(file, "memory.enabled must be true or false");
  }
  parity.memory_enabled = memory->at("enabled").get<bool>();
  if (parity.memory_enabled) M3_RETURN_IF_ERROR(ParseMemory(json, file, &parity));
  M3_ASSIGN_OR_RETURN(parity.prompt, TokenIds(json, "prompt_ids", file));
  M3_ASSIGN_OR_RETURN(parity.greedy_ids, TokenIds(json, "greedy_ids", file));
  if (parity.prompt.empty()) return Wrong(file, "prompt_ids is empty");
  const auto rows = json.find("rows");
  if (rows == json.end() || !rows->is_object()) return Wrong(file, "rows must be an object");
  for (const auto& [key, value] : rows->items()) {
    M3_ASSIGN_OR_RETURN(ReferenceRow row, ParseRow(key, value, parity.prompt.size(), file));
    parity.rows.push_back(std::move(row));
  }
  std::sort(parity.rows.begin(), parity.rows.end(),
            [](const ReferenceRow& a, const ReferenceRow& b) { return a.row < b.row; });
  return parity;
}

}  // namespace memory3
