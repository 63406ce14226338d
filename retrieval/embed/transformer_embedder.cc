#include "retrieval/embed/transformer_embedder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/model/json_fields.h"
#include "retrieval/base/byte_cursor.h"
#include "retrieval/base/checked_file.h"
#include "retrieval/embed/embedder_files.h"

namespace memory3 {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
// Characters of a text that are worth cutting into tokens: no WordPiece is longer on average.
constexpr size_t kMaxBytesPerToken = 64;

// What the folder says, mean where it says nothing.
absl::StatusOr<Pooling> ReadPooling(const std::filesystem::path& model_dir) {
  const std::filesystem::path file = model_dir / "1_Pooling" / "config.json";
  const absl::StatusOr<std::string> text = ReadFile(file, kMaxConfigBytes);
  if (absl::IsNotFound(text.status())) return Pooling::kMean;
  M3_RETURN_IF_ERROR(text.status());
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(*text, file.string()));
  const JsonFields fields(json, file.string());
  M3_ASSIGN_OR_RETURN(const bool cls, fields.Bool("pooling_mode_cls_token", false));
  M3_ASSIGN_OR_RETURN(const bool mean, fields.Bool("pooling_mode_mean_tokens", false));
  if (cls != mean) return cls ? Pooling::kCls : Pooling::kMean;
  return absl::InvalidArgumentError(
      absl::StrCat(file.string(), ": asks for neither mean nor CLS pooling alone"));
}

void ScaleToUnit(absl::Span<float> vector) {
  double squares = 0;
  for (const float x : vector) squares += static_cast<double>(x) * x;
  // A model may be broken: what cannot be scaled is no direction.
  const bool usable = std::isfinite(squares) && squares > 0;
  const double scale = usable ? 1 / std::sqrt(squares) : 0;
  for (float& x : vector) x = usable ? static_cast<float>(x * scale) : 0;
}

}  // namespace

TransformerEmbedder::TransformerEmbedder(const BertConfig& config, const BertWeights& weights,
                                         Pooling pooling, std::unique_ptr<Tokenizer> tokenizer,
                                         int threads)
    : config_(config),
      pooling_(pooling),
      fingerprint_(weights.fingerprint),
      tokenizer_(std::move(tokenizer)),
      added_tokens_(tokenizer_->Encode("", {.add_special_tokens = true}).size()),
      encoder_(config, weights, threads) {}

absl::StatusOr<std::unique_ptr<TransformerEmbedder>> TransformerEmbedder::FromFolder(
    const std::filesystem::path& model_dir, Pooling pooling, int threads) {
  if (threads < 1) return absl::InvalidArgumentError("threads: must be at least 1");
  M3_ASSIGN_OR_RETURN(const BertConfig config, ReadBertConfig(model_dir));
  M3_ASSIGN_OR_RETURN(const BertWeights weights, BertWeights::Open(model_dir, config));
  M3_ASSIGN_OR_RETURN(std::unique_ptr<Tokenizer> tokenizer, LoadTokenizer(model_dir));
  if (config.hidden > kMaxDimensions) {
    return absl::InvalidArgumentError(
        absl::StrCat(model_dir.string(), ": hidden_size is above ", kMaxDimensions));
  }
  if (tokenizer->vocab_size() > config.vocabulary) {
    return absl::InvalidArgumentError(absl::StrCat(model_dir.string(), ": the tokenizer knows ",
                                                   tokenizer->vocab_size(), " tokens, the model ",
                                                   config.vocabulary));
  }
  if (pooling == Pooling::kFolder) {
    M3_ASSIGN_OR_RETURN(pooling, ReadPooling(model_dir));
  }
  return std::unique_ptr<TransformerEmbedder>(
      new TransformerEmbedder(config, weights, pooling, std::move(tokenizer), threads));
}

std::string TransformerEmbedder::name() const { return absl::StrCat("bert-", config_.hidden); }

std::vector<int32_t> TransformerEmbedder::TokensOf(std::string_view text) const {
  // Cut before tokenizing, so that a text of any length costs no more than a long one.
  text = text.substr(0, static_cast<size_t>(config_.positions) * kMaxBytesPerToken);
  std::vector<int32_t> tokens =
      tokenizer_->Encode(text, {.add_special_tokens = true, .parse_special_tokens = false});
  if (tokens.size() <= added_tokens_) return {};
  const auto positions = static_cast<size_t>(config_.positions);
  if (tokens.size() > positions) {
    // The closing token stays: the model has not seen texts without it.
    tokens[positions - 1] = tokens.back();
    tokens.resize(positions);
  }
  return tokens;
}

absl::Status TransformerEmbedder::Embed(absl::Span<const std::string_view> texts,
                                        absl::Span<float> out) const {
  const auto width = static_cast<size_t>(dimensions());
  M3_CHECK(out.size() == texts.size() * width);
  std::vector<std::vector<int32_t>> tokens;
  tokens.reserve(texts.size());
  for (const std::string_view text : texts) tokens.push_back(TokensOf(text));
  const auto max_rows = static_cast<size_t>(std::max(kBertBatchRows, config_.positions));
  for (size_t begin = 0, end = 0; begin < texts.size(); begin = end) {
    for (size_t rows = 0; end < texts.size(); ++end) {
      rows += tokens[end].size();
      if (rows > max_rows) break;
    }
    EmbedBatch(absl::MakeConstSpan(tokens).subspan(begin, end - begin),
               out.subspan(begin * width, (end - begin) * width));
  }
  return absl::OkStatus();
}

void TransformerEmbedder::EmbedBatch(absl::Span<const std::vector<int32_t>> texts,
                                     absl::Span<float> out) const {
  const auto width = static_cast<size_t>(dimensions());
  std::vector<int32_t> rows;
  std::vector<int> begins = {0};
  for (const std::vector<int32_t>& text : texts) {
    rows.insert(rows.end(), text.begin(), text.end());
    begins.push_back(static_cast<int>(rows.size()));
  }
  MutexLock lock(mutex_);
  const absl::Span<const float> states = encoder_.Encode(rows, begins);
  for (size_t i = 0; i < texts.size(); ++i) {
    Pool(states.subspan(static_cast<size_t>(begins[i]) * width, texts[i].size() * width),
         out.subspan(i * width, width));
  }
}

void TransformerEmbedder::Pool(absl::Span<const float> states, absl::Span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  const size_t used =
      pooling_ == Pooling::kCls ? std::min(states.size(), out.size()) : states.size();
  // The sum points where the mean does.
  for (size_t i = 0; i < used; ++i) out[i % out.size()] += states[i];
  ScaleToUnit(out);
}

// Payload: u8 kind, u8 pooling, u32 dimensions, u64 fingerprint of the weights.
absl::Status TransformerEmbedder::Save(const std::filesystem::path& file) const {
  std::string payload;
  AppendNumber(static_cast<uint8_t>(EmbedderKind::kTransformer), &payload);
  AppendNumber(static_cast<uint8_t>(pooling_), &payload);
  AppendNumber(static_cast<uint32_t>(config_.hidden), &payload);
  AppendNumber(fingerprint_, &payload);
  M3_ASSIGN_OR_RETURN(CheckedFileWriter writer, CheckedFileWriter::Create(file, kEmbedderMagic));
  M3_RETURN_IF_ERROR(writer.Append(payload));
  return writer.Finish();
}

absl::StatusOr<std::unique_ptr<TransformerEmbedder>> TransformerEmbedder::Load(
    const std::filesystem::path& file, const EmbedderLoadOptions& options) {
  M3_ASSIGN_OR_RETURN(const std::vector<char> payload,
                      ReadCheckedFile(file, kEmbedderMagic, kMaxEmbedderBytes));
  ByteCursor cursor({payload.data(), payload.size()});
  const auto kind = static_cast<EmbedderKind>(cursor.Next<uint8_t>());
  const auto pooling = static_cast<Pooling>(cursor.Next<uint8_t>());
  const auto dimensions = cursor.Next<uint32_t>();
  const auto fingerprint = cursor.Next<uint64_t>();
  if (!cursor.AtEnd() || kind != EmbedderKind::kTransformer ||
      (pooling != Pooling::kMean && pooling != Pooling::kCls)) {
    return absl::DataLossError(absl::StrCat(file.string(), ": is not a transformer embedder"));
  }
  if (options.model_dir.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        file.string(), ": was built with a transformer; say in which folder its model lies"));
  }
  M3_ASSIGN_OR_RETURN(std::unique_ptr<TransformerEmbedder> embedder,
                      FromFolder(options.model_dir, pooling, options.threads));
  if (embedder->fingerprint_ == fingerprint &&
      static_cast<uint32_t>(embedder->dimensions()) == dimensions) {
    return embedder;
  }
  return absl::FailedPreconditionError(
      absl::StrCat(file.string(), ": was built with another model than the one in ",
                   options.model_dir.string()));
}

}  // namespace memory3
