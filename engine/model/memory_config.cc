#include "engine/model/memory_config.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/model/json_fields.h"

namespace memory3 {
namespace {

// Far above anything sensible: they bound what a memory may weigh.
constexpr int kMaxReferenceTokens = 1 << 14;
constexpr int kMaxMemoriesPerChunk = 64;
constexpr int kMaxChunkTokens = 1 << 14;
constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;
constexpr const char* kObject = "memory3";

absl::StatusOr<std::vector<int>> ReadLayers(const JsonFields& fields, const ModelConfig& model) {
  std::vector<int> layers;
  if (!fields.Has("memory_layers")) {
    layers.resize(model.layers / 2);
    std::iota(layers.begin(), layers.end(), 0);
    if (layers.empty())
      return fields.Error("memory_layers", "missing: one layer has no first half");
    return layers;
  }
  const nlohmann::json& list = fields.at("memory_layers");
  if (!list.is_array() || list.empty()) {
    return fields.Error("memory_layers", "must be a list of at least one layer");
  }
  for (const nlohmann::json& layer : list) {
    if (!layer.is_number_integer() || layer.get<int64_t>() < 0 ||
        layer.get<int64_t>() >= model.layers) {
      return fields.Error("memory_layers", absl::StrCat("must hold layers in [0, ", model.layers,
                                                        "), got ", layer.dump()));
    }
    layers.push_back(layer.get<int>());
  }
  std::sort(layers.begin(), layers.end());
  if (std::adjacent_find(layers.begin(), layers.end()) != layers.end()) {
    return fields.Error("memory_layers", "names a layer twice");
  }
  return layers;
}

absl::StatusOr<TokenSelection> ReadSelection(const JsonFields& fields) {
  M3_ASSIGN_OR_RETURN(const std::string name, fields.String("selection", "softmax_sum"));
  if (name == "softmax_sum") return TokenSelection::kSoftmaxSum;
  if (name == "exp_sum") return TokenSelection::kExpSum;
  return fields.Error("selection",
                      absl::StrCat("must be softmax_sum or exp_sum, got '", name, "'"));
}

// A key that is misspelt would otherwise fall back to its default silently.
absl::Status RefuseUnknown(const nlohmann::json& object, const JsonFields& fields) {
  for (const auto& [key, value] : object.items()) {
    const bool known = key == "memory_layers" || key == "reference_tokens" ||
                       key == "kept_tokens" || key == "memories_per_chunk" ||
                       key == "chunk_tokens" || key == "reference_prefix" || key == "selection";
    if (!known) return fields.Error(key, "is no setting of explicit memory");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MemoryConfig> ParseMemoryConfig(std::string_view config_json,
                                               std::string_view overrides, const ModelConfig& model,
                                               std::string_view source) {
  M3_ASSIGN_OR_RETURN(const nlohmann::json config,
                      ParseJsonObject(std::string(config_json), std::string(source)));
  nlohmann::json object = nlohmann::json::object();
  if (const auto found = config.find(kObject); found != config.end() && !found->is_null()) {
    if (!found->is_object()) {
      return JsonFields(config, std::string(source)).Error(kObject, "must be an object");
    }
    object = *found;
  }
  if (!overrides.empty()) {
    M3_ASSIGN_OR_RETURN(const nlohmann::json changes,
                        ParseJsonObject(std::string(overrides), "the memory override"));
    object.update(changes);
  }
  const JsonFields fields(object, absl::StrCat(std::string(source), ": ", kObject));
  M3_RETURN_IF_ERROR(RefuseUnknown(object, fields));
  MemoryConfig memory;
  M3_ASSIGN_OR_RETURN(memory.layers, ReadLayers(fields, model));
  M3_ASSIGN_OR_RETURN(
      memory.reference_tokens,
      fields.Int("reference_tokens", 1, kMaxReferenceTokens, memory.reference_tokens));
  M3_ASSIGN_OR_RETURN(memory.kept_tokens,
                      fields.Int("kept_tokens", 1, memory.reference_tokens,
                                 std::min(memory.kept_tokens, memory.reference_tokens)));
  M3_ASSIGN_OR_RETURN(
      memory.memories_per_chunk,
      fields.Int("memories_per_chunk", 1, kMaxMemoriesPerChunk, memory.memories_per_chunk));
  M3_ASSIGN_OR_RETURN(memory.chunk_tokens,
                      fields.Int("chunk_tokens", 1, kMaxChunkTokens, memory.chunk_tokens));
  M3_ASSIGN_OR_RETURN(memory.reference_prefix,
                      fields.String("reference_prefix", memory.reference_prefix));
  M3_ASSIGN_OR_RETURN(memory.selection, ReadSelection(fields));
  return memory;
}

absl::StatusOr<MemoryConfig> LoadMemoryConfig(const std::filesystem::path& model_dir,
                                              std::string_view overrides,
                                              const ModelConfig& model) {
  const std::filesystem::path file = model_dir / "config.json";
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxConfigBytes));
  return ParseMemoryConfig(text, overrides, model, file.string());
}

MemoryShape MemoryShapeOf(const MemoryConfig& memory, const ModelConfig& model, DType dtype) {
  return {static_cast<int>(memory.layers.size()), model.kv_heads, memory.kept_tokens,
          model.head_dim, dtype};
}

std::string Describe(const MemoryShape& shape) {
  const std::string_view dtype = NameOf(shape.dtype);
  return absl::StrCat(shape.layers, " layers, ", shape.kv_heads, " KV heads, ", shape.kept_tokens,
                      " tokens, head_dim ", shape.head_dim, ", ",
                      absl::string_view(dtype.data(), dtype.size()));
}

}  // namespace memory3
