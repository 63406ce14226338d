#include "retrieval/embed/lexical_embedder.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "retrieval/base/byte_cursor.h"
#include "retrieval/base/checked_file.h"
#include "retrieval/base/exact_math.h"
#include "retrieval/embed/embedder_files.h"
#include "retrieval/embed/lexical_features.h"

namespace memory3 {
namespace {

constexpr size_t kBuckets = size_t{1} << kFrequencyBits;

// How much a kind of feature counts beside the others; chosen by recall (bench/results).
constexpr float kKindWeights[kFeatureKinds] = {
    /*kWord=*/1.0f, /*kWordPair=*/0.3f, /*kPiece=*/0.6f, /*kCharacter=*/1.0f,
    /*kCharacterPair=*/1.0f};
// What the bank does not hold can match nothing in it and only blurs a query; but a reference that
// is taught later may hold it.
constexpr double kUnknownShare = 0.3;
// Every feature goes to four places (two from each hash), so that one unlucky collision of two
// weighty features does not decide.
constexpr int kPlaceHashes = 2;

// The top bits, which the places do not depend on.
size_t BucketOf(uint64_t hash) { return hash >> (64 - kFrequencyBits); }

void AddFeature(uint64_t hash, double weight, std::vector<double>& sums) {
  for (uint64_t seed = 0; seed < kPlaceHashes; ++seed) {
    uint64_t places = XXH3_64bits_withSeed(&hash, sizeof(hash), seed);
    for (int half = 0; half < 2; ++half, places >>= 32) {
      const uint64_t position = places & 0x7FFFFFFF;
      const bool negative = (places & 0x80000000) != 0;
      sums[(position * sums.size()) >> 31] += negative ? -weight : weight;
    }
  }
}

}  // namespace

LexicalLearner::LexicalLearner() { statistics_.frequencies.resize(kBuckets); }

void LexicalLearner::Add(std::string_view text) {
  ++statistics_.texts;
  for (const LexicalFeature& feature : ExtractLexicalFeatures(text)) {
    uint32_t& frequency = statistics_.frequencies[BucketOf(feature.hash)];
    if (frequency != std::numeric_limits<uint32_t>::max()) ++frequency;
  }
}

LexicalEmbedder::LexicalEmbedder(int dimensions, LexicalStatistics statistics)
    : dimensions_(dimensions), statistics_(std::move(statistics)) {
  M3_CHECK(dimensions >= kMinLexicalDimensions && dimensions <= kMaxDimensions);
  M3_CHECK(statistics_.frequencies.size() == kBuckets);
  rarities_.reserve(kBuckets);
  const double texts = std::max(static_cast<double>(statistics_.texts), 1.0);
  for (const uint32_t frequency : statistics_.frequencies) {
    // Of Robertson and Spärck Jones, kept positive.
    const double count = std::clamp(static_cast<double>(frequency), 1.0, texts);
    const double rarity = ExactLog(1 + (texts - count + 0.5) / (count + 0.5));
    rarities_.push_back(static_cast<float>(frequency == 0 ? rarity * kUnknownShare : rarity));
  }
}

std::string LexicalEmbedder::name() const { return absl::StrCat("lexical-", dimensions_); }

absl::Status LexicalEmbedder::Embed(absl::Span<const std::string_view> texts,
                                    absl::Span<float> out) const {
  const auto width = static_cast<size_t>(dimensions_);
  M3_CHECK(out.size() == texts.size() * width);
  for (size_t i = 0; i < texts.size(); ++i) EmbedOne(texts[i], out.subspan(i * width, width));
  return absl::OkStatus();
}

void LexicalEmbedder::EmbedOne(std::string_view text, absl::Span<float> out) const {
  std::vector<double> sums(out.size());
  for (const LexicalFeature& feature : ExtractLexicalFeatures(text)) {
    const double weight = kKindWeights[static_cast<int>(feature.kind)] *
                          rarities_[BucketOf(feature.hash)] * (1 + ExactLog(feature.occurrences));
    AddFeature(feature.hash, weight, sums);
  }
  double squares = 0;
  for (const double sum : sums) squares += sum * sum;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(sums[i] * scale);
}

// Payload: u8 kind, u32 dimensions, u64 texts, u32 number of buckets that are not empty, and for
// each of these in ascending order u32 bucket and u32 frequency.
absl::Status LexicalEmbedder::Save(const std::filesystem::path& file) const {
  std::string payload;
  AppendNumber(static_cast<uint8_t>(EmbedderKind::kLexical), &payload);
  AppendNumber(static_cast<uint32_t>(dimensions_), &payload);
  AppendNumber(statistics_.texts, &payload);
  const std::vector<uint32_t>& frequencies = statistics_.frequencies;
  AppendNumber(static_cast<uint32_t>(std::count_if(frequencies.begin(), frequencies.end(),
                                                   [](uint32_t count) { return count != 0; })),
               &payload);
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (frequencies[bucket] == 0) continue;
    AppendNumber(static_cast<uint32_t>(bucket), &payload);
    AppendNumber(frequencies[bucket], &payload);
  }
  M3_ASSIGN_OR_RETURN(CheckedFileWriter writer, CheckedFileWriter::Create(file, kEmbedderMagic));
  M3_RETURN_IF_ERROR(writer.Append(payload));
  return writer.Finish();
}

absl::StatusOr<std::unique_ptr<LexicalEmbedder>> LexicalEmbedder::Load(
    const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const std::vector<char> payload,
                      ReadCheckedFile(file, kEmbedderMagic, kMaxEmbedderBytes));
  const auto damaged = [&file](const char* what) {
    return absl::DataLossError(absl::StrCat(file.string(), ": ", what));
  };
  ByteCursor cursor({payload.data(), payload.size()});
  if (cursor.Next<uint8_t>() != static_cast<uint8_t>(EmbedderKind::kLexical)) {
    return damaged("is not a lexical embedder");
  }
  const auto dimensions = cursor.Next<uint32_t>();
  if (dimensions < kMinLexicalDimensions || dimensions > kMaxDimensions) {
    return damaged("the number of dimensions is out of range");
  }
  LexicalStatistics statistics;
  statistics.texts = cursor.Next<uint64_t>();
  statistics.frequencies.resize(kBuckets);
  const auto filled = cursor.Next<uint32_t>();
  for (uint32_t i = 0; i < filled && !cursor.overrun(); ++i) {
    const auto bucket = cursor.Next<uint32_t>();
    const auto frequency = cursor.Next<uint32_t>();
    if (bucket >= kBuckets) return damaged("a bucket is out of range");
    statistics.frequencies[bucket] = frequency;
  }
  if (!cursor.AtEnd()) return damaged("the number of buckets does not fit the size");
  return std::make_unique<LexicalEmbedder>(static_cast<int>(dimensions), std::move(statistics));
}

}  // namespace memory3
