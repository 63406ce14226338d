#include "retrieval/embed/lexical_embedder.h"

#include <xxhash.h>

#include <cmath>

#include "gtest/gtest.h"
#include "retrieval/embed/embedder_factory.h"
#include "tests/unit/retrieval/temp_dir.h"

namespace memory3 {
namespace {

const std::vector<std::string> kTexts = {
    "The observatory on the hill was built in 1887 by a retired glassmaker.",
    "Bread rises because yeast turns sugar into carbon dioxide.",
    "A glacier carves a valley with a round floor; a river carves a narrow one.",
    "天文台建于一八八七年，位于城市东面的山上。",
    "面团发酵是因为酵母把糖变成二氧化碳。",
    "冰川会刻出底部圆滑的山谷。"};

std::unique_ptr<Embedder> Build(int dimensions = 512) {
  auto embedder =
      BuildEmbedder({.lexical_dimensions = dimensions}, static_cast<int64_t>(kTexts.size()),
                    [](int64_t i) { return kTexts[static_cast<size_t>(i)]; });
  EXPECT_TRUE(embedder.ok()) << embedder.status();
  return *std::move(embedder);
}

std::vector<float> Embed(const Embedder& embedder, std::string_view text) {
  std::vector<float> vector(static_cast<size_t>(embedder.dimensions()));
  EXPECT_TRUE(embedder.Embed({text}, absl::MakeSpan(vector)).ok());
  return vector;
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

int NearestText(const Embedder& embedder, std::string_view query) {
  int best = -1;
  double best_score = -2;
  for (size_t i = 0; i < kTexts.size(); ++i) {
    const double score = Dot(Embed(embedder, query), Embed(embedder, kTexts[i]));
    if (score > best_score) {
      best_score = score;
      best = static_cast<int>(i);
    }
  }
  return best;
}

TEST(LexicalEmbedderTest, FindsTextsInEnglishAndChinese) {
  const auto embedder = Build();
  EXPECT_EQ(embedder->name(), "lexical-512");
  EXPECT_EQ(NearestText(*embedder, "Who built the observatory?"), 0);
  EXPECT_EQ(NearestText(*embedder, "why does bread dough rise"), 1);
  EXPECT_EQ(NearestText(*embedder, "valleys carved by glaciers"), 2);
  EXPECT_EQ(NearestText(*embedder, "天文台是哪一年建的？"), 3);
  EXPECT_EQ(NearestText(*embedder, "酵母有什么作用"), 4);
  EXPECT_EQ(NearestText(*embedder, "什么样的山谷是冰川刻出来的"), 5);
}

TEST(LexicalEmbedderTest, VectorsHaveLengthOneOrZero) {
  const auto embedder = Build();
  for (const std::string& text : kTexts) {
    EXPECT_NEAR(Dot(Embed(*embedder, text), Embed(*embedder, text)), 1, 1e-6);
  }
  for (const std::string_view text : {"", "  \n\t", "?!", "。"}) {
    EXPECT_EQ(Dot(Embed(*embedder, text), Embed(*embedder, text)), 0) << text;
  }
  // Words that the bank does not hold are directions too.
  EXPECT_NEAR(Dot(Embed(*embedder, "zyxwv"), Embed(*embedder, "zyxwv")), 1, 1e-6);
}

TEST(LexicalEmbedderTest, SpellingsThatMeanTheSameAreTheSame) {
  const auto embedder = Build();
  EXPECT_EQ(Embed(*embedder, "THE GLACIER"), Embed(*embedder, "the  glacier!"));
  EXPECT_EQ(Embed(*embedder, "ｇｌａｃｉｅｒ"), Embed(*embedder, "glacier"));
  EXPECT_EQ(Embed(*embedder, "Straße"), Embed(*embedder, "STRASSE"));
  EXPECT_EQ(Embed(*embedder, "caf\u00e9"), Embed(*embedder, "cafe\u0301"));
  EXPECT_EQ(Embed(*embedder, "a\xFF"), Embed(*embedder, "a\xEF\xBF\xBD"));
}

// A bank that is built on one machine is searched on another: these bits must never change within
// a format version.
TEST(LexicalEmbedderTest, BitsAreTheSameEverywhere) {
  const auto embedder = Build();
  std::vector<float> all;
  for (const std::string& text : kTexts) {
    const std::vector<float> vector = Embed(*embedder, text);
    all.insert(all.end(), vector.begin(), vector.end());
  }
  EXPECT_EQ(XXH3_64bits(all.data(), all.size() * sizeof(float)), uint64_t{14478895964254944685u});
}

TEST(LexicalEmbedderTest, SavedAndLoadedItIsTheSame) {
  const TempDir dir;
  const std::filesystem::path file = dir.path() / "embedder.bin";
  const auto embedder = Build();
  ASSERT_TRUE(embedder->Save(file).ok());
  const auto loaded = LoadEmbedder(file, {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->name(), embedder->name());
  for (const std::string& text : kTexts) EXPECT_EQ(Embed(**loaded, text), Embed(*embedder, text));

  const std::string bytes = ReadBytes(file);
  ASSERT_TRUE((*loaded)->Save(file).ok());
  EXPECT_EQ(ReadBytes(file), bytes);
  for (size_t i = 0; i < bytes.size(); i += 7) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    WriteBytes(file, damaged);
    EXPECT_TRUE(absl::IsDataLoss(LoadEmbedder(file, {}).status())) << i;
  }
}

TEST(LexicalEmbedderTest, AnEmptyBankHasAnEmbedderToo) {
  const auto embedder = BuildEmbedder({}, 0, [](int64_t) { return std::string(); });
  ASSERT_TRUE(embedder.ok());
  EXPECT_NEAR(Dot(Embed(**embedder, "word"), Embed(**embedder, "word")), 1, 1e-6);
}

TEST(LexicalEmbedderTest, RefusesDimensionsOutOfRange) {
  const auto text_of = [](int64_t) { return std::string(); };
  EXPECT_TRUE(
      absl::IsInvalidArgument(BuildEmbedder({.lexical_dimensions = 63}, 0, text_of).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(BuildEmbedder({.lexical_dimensions = 9000}, 0, text_of).status()));
}

}  // namespace
}  // namespace memory3
