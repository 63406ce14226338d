#include "engine/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "engine/text/stream_decoder.h"
#include "engine/text/utf8.h"
#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path kShared = std::filesystem::path(M3_SOURCE_DIR) / "../shared/data";

#define SKIP_WITHOUT_SHARED() \
  if (!std::filesystem::exists(kShared)) GTEST_SKIP() << "needs the data in ../shared"

std::string ReadFile(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

class TempDir {
 public:
  TempDir()
      : path_(std::filesystem::path(testing::TempDir()) /
              ("tok" + std::to_string(std::random_device{}()))) {
    std::filesystem::create_directories(path_);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::filesystem::path Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const json& tokenizer) {
  const TempDir dir;
  return LoadTokenizerJson(dir.Write("tokenizer.json", tokenizer.dump()));
}

// Bytes as tokens <0x00>.. from id 3, and a few merges.
json SmallTokenizer() {
  json vocab = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    vocab[name] = 3 + byte;
  }
  int id = 259;
  for (const char* token : {"\u2581", "a", "b", "c", "ab", "\u2581ab", "abc"}) vocab[token] = id++;
  return {{"added_tokens",
           {{{"id", 1}, {"content", "<s>"}, {"special", true}, {"normalized", false}},
            {{"id", 2}, {"content", "</s>"}, {"special", true}, {"normalized", false}}}},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "\u2581"}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}}},
          {"pre_tokenizer", nullptr},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
            {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}},
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}},
              {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
          {"model",
           {{"type", "BPE"},
            {"unk_token", "<unk>"},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"vocab", vocab},
            {"merges", {"a b", "\u2581 ab", "ab c"}}}}};
}

TEST(Tokenizer, AgreesWithPublishedCases) {
  SKIP_WITHOUT_SHARED();
  const std::string divider = "\n__ggml_vocab_test__\n";
  for (const char* name : {"gpt2", "bert-uncased"}) {
    const auto tokenizer = LoadTokenizer(kShared / "tokenizers" / name);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    const std::string texts = ReadFile(kShared / "tokenizers" / name / "cases.inp");
    std::istringstream answers(ReadFile(kShared / "tokenizers" / name / "cases.out"));
    size_t begin = 0;
    int cases = 0;
    while (begin <= texts.size()) {
      const size_t end = std::min(texts.find(divider, begin), texts.size());
      std::string line;
      std::getline(answers, line);
      std::istringstream numbers(line);
      const std::vector<int32_t> expected{std::istream_iterator<int32_t>(numbers), {}};
      EXPECT_EQ(
          (*tokenizer)->Encode(texts.substr(begin, end - begin), {.parse_special_tokens = false}),
          expected);
      begin = end + divider.size();
      ++cases;
    }
    EXPECT_EQ(cases, 47);
  }
}

TEST(Tokenizer, LoadsSentencePieceModels) {
  SKIP_WITHOUT_SHARED();
  const auto tokenizer =
      LoadSentencePiece(kShared / "tokenizers/sentencepiece-char105/tok105.model");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::istringstream list(ReadFile(kShared / "tokenizers/sentencepiece-char105/tok105.vocab"));
  int32_t id = 0;
  for (std::string line; std::getline(list, line); ++id) {
    const std::string piece = line.substr(0, line.find('\t'));
    EXPECT_EQ((*tokenizer)->TokenText(id), piece);
    EXPECT_EQ((*tokenizer)->TokenId(piece), id);
  }
  EXPECT_EQ((*tokenizer)->vocab_size(), id);
  const std::vector<int32_t> ids = (*tokenizer)->Encode("a cat sat", {.add_special_tokens = true});
  EXPECT_EQ((*tokenizer)->TokenText(ids.front()), "<s>");
  EXPECT_EQ((*tokenizer)->Decode(ids, true), "a cat sat");
}

TEST(Tokenizer, MergesInOrderOfRankAndFallsBackToBytes) {
  const auto tokenizer = Load(SmallTokenizer());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("abc", {}),
              ElementsAre(264, 262));  // "\u2581ab" has the better rank
  EXPECT_THAT((*tokenizer)->Encode("\xC3\xA9", {.add_special_tokens = true}),
              ElementsAre(1, 259, 3 + 0xC3, 3 + 0xA9));
  EXPECT_EQ((*tokenizer)->TokenBytes(3 + 0xC3), "\xC3");
  EXPECT_EQ((*tokenizer)->TokenBytes(264), " ab");
  EXPECT_EQ((*tokenizer)->TokenBytes(100000), "");
  EXPECT_EQ((*tokenizer)->Decode({1, 264, 262, -5, 100000}, true), "abc");
}

TEST(Tokenizer, TreatsForgedSpecialTokensAsText) {
  const auto tokenizer = Load(SmallTokenizer());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("</s>", {.parse_special_tokens = true}), ElementsAre(2));
  EXPECT_THAT((*tokenizer)->Encode("</s>", {.parse_special_tokens = false}),
              testing::Not(testing::Contains(2)));
}

TEST(Tokenizer, EncodesInvalidUtf8AsReplacementCharacters) {
  const auto tokenizer = Load(SmallTokenizer());
  EXPECT_EQ((*tokenizer)->Encode("a\xFF", {}), (*tokenizer)->Encode("a\xEF\xBF\xBD", {}));
}

TEST(Tokenizer, TokenizesLongTextsWithoutSpacesQuickly) {
  const auto tokenizer = Load(SmallTokenizer());
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "abc"[i % 3];
  EXPECT_EQ((*tokenizer)->Decode((*tokenizer)->Encode(text, {}), true), text);
}

TEST(Tokenizer, IsSafeFromManyThreads) {
  const auto tokenizer = Load(SmallTokenizer());
  const std::vector<int32_t> expected = (*tokenizer)->Encode("abc abc \xC3\xA9", {});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        ASSERT_EQ((*tokenizer)->Encode("abc abc \xC3\xA9", {}), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Tokenizer, RefusesMalformedFilesByName) {
  const auto expect_error = [](const json& tokenizer, const std::string& words) {
    const auto loaded = Load(tokenizer);
    ASSERT_FALSE(loaded.ok()) << words;
    EXPECT_THAT(std::string(loaded.status().message()),
                testing::AllOf(HasSubstr("tokenizer.json"), HasSubstr(words)));
  };
  const auto changed = [](const char* pointer, const json& value) {
    json tokenizer = SmallTokenizer();
    tokenizer[json::json_pointer(pointer)] = value;
    return tokenizer;
  };
  expect_error(json::array(), "model");
  expect_error(changed("/model/vocab/a", -1), "out of range");
  expect_error(changed("/model/vocab/a", int64_t{1} << 40), "out of range");
  expect_error(changed("/model/vocab/a", "x"), "no integer id");
  expect_error(changed("/model/vocab/a", 261), "both have id 261");
  expect_error(changed("/model/merges/0", "a"), "not a pair");
  expect_error(changed("/model/merges/0", "a zebra"), "'zebra' is not in the vocabulary");
  expect_error(changed("/model/merges", 5), "merges must be a list");
  expect_error(changed("/model/unk_token", "nope"), "'nope' is not in the vocabulary");
  expect_error(changed("/model/dropout", 0.1), "dropout");
  expect_error(changed("/model/type", "Unigram"), "'Unigram' is not supported");
  expect_error(changed("/normalizer", {{"type", "Precompiled"}}), "'Precompiled' is not supported");
  expect_error(changed("/pre_tokenizer", {{"type", "UnicodeScripts"}}),
               "'UnicodeScripts' is not supported");
  expect_error(changed("/pre_tokenizer",
                       {{"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Removed"}}),
               "regular expression");
  expect_error(changed("/decoder", {{"type", "CTC"}}), "'CTC' is not supported");
  expect_error(changed("/post_processor/special_tokens", json::object()), "has no ids");
  expect_error(changed("/post_processor/special_tokens/<s>/ids/0", 9999),
               "9999 is not in the vocabulary");
  expect_error(changed("/added_tokens/0/id", -4), "out of range");
}

TEST(Tokenizer, NeverCrashesOnMutatedFiles) {
  const std::string text = SmallTokenizer().dump();
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const TempDir dir;
  for (int round = 0; round < 300; ++round) {
    std::string mutated = text.substr(0, round % 3 == 0 ? random() % text.size() : text.size());
    for (int flips = 0; flips < 3 && !mutated.empty(); ++flips)
      mutated[random() % mutated.size()] ^= 1 << random() % 8;
    const auto tokenizer = LoadTokenizerJson(dir.Write("tokenizer.json", mutated));
    if (tokenizer.ok()) (*tokenizer)->Decode((*tokenizer)->Encode("abc \xC3\xA9</s>", {}), false);
  }
}

TEST(Tokenizer, NamesTheFolderWithoutTokenizer) {
  const TempDir dir;
  EXPECT_EQ(LoadTokenizer(dir.path()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(LoadTokenizerJson(dir.path()).ok());
  EXPECT_FALSE(LoadSentencePiece(dir.Write("tokenizer.model", "not a model")).ok());
}

TEST(StreamDecoder, EmitsWholeCharactersOnly) {
  const auto tokenizer = Load(SmallTokenizer());
  const std::string text = "\xE4\xBD\xA0\xF0\x9F\x98\x80";
  StreamDecoder decoder(**tokenizer, true);
  std::string joined;
  for (char byte : text) {
    const std::string piece = decoder.Push(3 + static_cast<uint8_t>(byte));
    EXPECT_TRUE(IsValidUtf8(piece));
    joined += piece;
  }
  EXPECT_EQ(joined + decoder.Finish(), text);
}

TEST(StreamDecoder, ReplacesWhatCanNeverBecomeACharacter) {
  const auto tokenizer = Load(SmallTokenizer());
  StreamDecoder decoder(**tokenizer, true);
  EXPECT_EQ(decoder.Push(3 + 0xE4), "");
  EXPECT_EQ(decoder.Push(260),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(decoder.Push(3 + 0xF0), "");
  EXPECT_EQ(decoder.Finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(StreamDecoder, KeepsTheLeadingSpaceOfAContinuation) {
  const auto tokenizer = Load(SmallTokenizer());
  StreamDecoder continues(**tokenizer, true, /*continues_text=*/true);
  StreamDecoder starts(**tokenizer, true, /*continues_text=*/false);
  EXPECT_EQ(continues.Push(264), " ab");
  EXPECT_EQ(starts.Push(264), "ab");
  EXPECT_EQ(starts.Push(264), " ab");
  EXPECT_EQ(starts.Push(2), "");  // special tokens are skipped
}

}  // namespace
}  // namespace memory3
