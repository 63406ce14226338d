#include "engine/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
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

// One token per byte of the alphabet, so that ids show where a text was cut.
json ByteTokenizer() {
  json vocab = json::object();
  for (int c = 'a'; c <= 'z'; ++c) vocab[std::string(1, static_cast<char>(c))] = c - 'a';
  vocab["<s>"] = 26;
  vocab["</s>"] = 27;
  vocab["ab"] = 28;
  return {{"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b"}}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"post_processor", {{"type", "ByteLevel"}}},
          {"decoder", {{"type", "ByteLevel"}}}};
}

TEST(Tokenizer, AddsBosAsTheTokenizerClassDoes) {
  struct Case {
    json config;
    std::vector<int32_t> expected;
  };
  const std::string bos = "<s>", eos = "</s>";
  const std::vector<Case> cases = {
      {{{"tokenizer_class", "LlamaTokenizerFast"}, {"add_bos_token", true}, {"bos_token", bos}},
       {26, 2}},
      {{{"tokenizer_class", "LlamaTokenizer"}, {"bos_token", {{"content", bos}}}}, {26, 2}},
      {{{"tokenizer_class", "LlamaTokenizer"}, {"add_bos_token", false}, {"bos_token", bos}}, {2}},
      {{{"tokenizer_class", "GemmaTokenizer"},
        {"bos_token", bos},
        {"add_eos_token", true},
        {"eos_token", eos}},
       {26, 2, 27}},
      {{{"tokenizer_class", "GPTNeoXTokenizer"}, {"bos_token", bos}}, {2}},
      {{{"tokenizer_class", "Qwen2Tokenizer"}, {"add_bos_token", true}, {"bos_token", bos}}, {2}},
      {json::object(), {2}}};
  for (const Case& c : cases) {
    const TempDir dir;
    dir.Write("tokenizer.json", ByteTokenizer().dump());
    dir.Write("tokenizer_config.json", c.config.dump());
    const auto tokenizer = LoadTokenizer(dir.path());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ((*tokenizer)->Encode("c", {.add_special_tokens = true}), c.expected) << c.config;
    EXPECT_EQ((*tokenizer)->Encode("c", {}), std::vector<int32_t>{2}) << c.config;
  }
}

TEST(Tokenizer, LetsThePostProcessorOverruleTheConfig) {
  const TempDir dir;
  dir.Write("tokenizer.json", SmallTokenizer().dump());  // its template adds <s>
  dir.Write("tokenizer_config.json",
            R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "bos_token": "<s>"})");
  const auto tokenizer = LoadTokenizer(dir.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("ab", {.add_special_tokens = true}), ElementsAre(1, 264));
}

TEST(Tokenizer, RefusesAConfigThatNamesAnUnknownBos) {
  const TempDir dir;
  dir.Write("tokenizer.json", ByteTokenizer().dump());
  dir.Write("tokenizer_config.json",
            R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<begin>"})");
  EXPECT_THAT(std::string(LoadTokenizer(dir.path()).status().message()),
              HasSubstr("bos_token: '<begin>' is not in the vocabulary"));
  dir.Write("tokenizer_config.json", R"({"add_bos_token": "yes"})");
  EXPECT_THAT(std::string(LoadTokenizer(dir.path()).status().message()),
              HasSubstr("add_bos_token must be true or false"));
}

TEST(Tokenizer, ReadsAddedTokensBesideASentencePieceModel) {
  SKIP_WITHOUT_SHARED();
  const TempDir dir;
  dir.Write("tokenizer.model", ReadFile(kShared / "tokenizers/sentencepiece-char105/tok105.model"));
  dir.Write("tokenizer_config.json", R"({"add_bos_token": false, "added_tokens_decoder":
      {"105": {"content": "<|im_start|>", "special": true}, "107": {"content": "<tool>"}}})");
  dir.Write("added_tokens.json", R"({"<|im_start|>": 105, "<|im_end|>": 106})");
  const auto tokenizer = LoadTokenizer(dir.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 108);
  const std::string text = "<|im_start|>a<tool><|im_end|>";
  const std::vector<int32_t> a = (*tokenizer)->Encode("a", {.add_special_tokens = true});
  std::vector<int32_t> expected = {105};
  expected.insert(expected.end(), a.begin(), a.end());
  expected.insert(expected.end(), {107, 106});
  EXPECT_EQ((*tokenizer)->Encode(text, {.add_special_tokens = true}), expected);
  EXPECT_EQ((*tokenizer)->Decode(expected, true), "a<tool>");
  EXPECT_EQ((*tokenizer)->Decode(expected, false), text);
  EXPECT_TRUE((*tokenizer)->IsSpecial(106));
  EXPECT_FALSE((*tokenizer)->IsSpecial(107));
  EXPECT_EQ((*tokenizer)->TokenId("<|im_end|>"), 106);
  EXPECT_EQ((*tokenizer)->TokenBytes(107), "<tool>");
  EXPECT_THAT((*tokenizer)->Encode(text, {.parse_special_tokens = false}),
              testing::AllOf(testing::Not(testing::Contains(105)), testing::Contains(107)));
}

TEST(Tokenizer, RoundTripsTheTrainedModels) {
  SKIP_WITHOUT_SHARED();
  for (const char* name : {"stories260K-hf", "TinyStories-656K-hf"}) {
    const auto tokenizer = LoadTokenizer(kShared / "models" / name);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    const std::string text = "Once upon a time, there was a little girl named Lily.\n";
    const std::vector<int32_t> ids = (*tokenizer)->Encode(text, {.add_special_tokens = true});
    EXPECT_TRUE((*tokenizer)->IsSpecial(ids.front())) << name;
    EXPECT_EQ((*tokenizer)->Decode(ids, true), text) << name;
    StreamDecoder stream(**tokenizer, true, /*continues_text=*/false);
    std::string streamed;
    for (int32_t id : ids) streamed += stream.Push(id);
    EXPECT_EQ(streamed + stream.Finish(), text) << name;
  }
}

TEST(Tokenizer, DecodesAddedTokensThatAreNotSpecialLikeTheOthers) {
  json small = SmallTokenizer();
  small["model"]["vocab"]["\u2581\u2581"] = 266;
  small["added_tokens"].push_back({{"id", 266}, {"content", "\u2581\u2581"}, {"special", false}});
  const auto tokenizer = Load(small);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->TokenBytes(266), "  ");
  EXPECT_EQ((*tokenizer)->TokenBytes(2), "</s>");
}

TEST(Tokenizer, FindsNothingInsideAForgedSpecialToken) {
  json small = SmallTokenizer();
  small["model"]["vocab"]["s>"] = 266;
  small["added_tokens"].push_back(
      {{"id", 266}, {"content", "s>"}, {"special", false}, {"normalized", false}});
  const auto tokenizer = Load(small);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("<s>s>", {.parse_special_tokens = true}), ElementsAre(1, 266));
  const std::vector<int32_t> forged =
      (*tokenizer)->Encode("<s>s>", {.parse_special_tokens = false});
  EXPECT_EQ(std::count(forged.begin(), forged.end(), 266), 1);
  EXPECT_EQ(forged.back(), 266);
}

TEST(Tokenizer, OrdersManyMarksQuickly) {
  json small = SmallTokenizer();
  small["normalizer"] = {{"type", "NFC"}};
  const auto tokenizer = Load(small);
  std::string text = "a", expected = "a";
  constexpr int kMarks = 100'000;  // a quadratic ordering would take minutes
  for (int i = 0; i < kMarks; ++i) text += "\xCC\x88\xCC\xA3";  // above, then below
  for (int i = 0; i < kMarks; ++i) expected += "\xCC\xA3";
  for (int i = 0; i < kMarks; ++i) expected += "\xCC\x88";
  // "a" takes one mark of each kind: U+1EA1, and there is no composition with U+0308 above it.
  expected.replace(0, 3, "\xE1\xBA\xA1");
  EXPECT_EQ((*tokenizer)->Decode((*tokenizer)->Encode(text, {}), true), expected);
}

TEST(Tokenizer, RefusesFilesThatNestTooDeep) {
  const TempDir dir;
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(std::string(LoadTokenizerJson(dir.Write("tokenizer.json", deep)).status().message()),
              HasSubstr("nested more than 64 deep"));
  // Brackets inside strings do not count.
  json small = SmallTokenizer();
  small["model"]["vocab"][std::string(1000, '[') + "\"\\["] = 266;
  EXPECT_TRUE(Load(small).ok());
}

TEST(Tokenizer, RefusesPatternsWithoutAnEqualByName) {
  const auto message = [](const std::string& pattern) {
    json small = SmallTokenizer();
    small["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
    return std::string(Load(small).status().message());
  };
  EXPECT_THAT(message("[a-z&&[^b]]"), HasSubstr("&& in a class is not supported"));
  EXPECT_THAT(message("[a[^b]]"), HasSubstr("a negated class in a class is not supported"));
  EXPECT_THAT(message("[[:alpha:]]"), HasSubstr("a POSIX class is not supported"));
  EXPECT_THAT(message("[a\\W]"), HasSubstr("\\W in a class is not supported"));
  EXPECT_THAT(message("\\d{2,3}+"), HasSubstr("{n,m}+ with n above 1 is not supported"));
  EXPECT_THAT(message("a(?i)b"), HasSubstr("a switch of flags inside the pattern"));
  EXPECT_THAT(message("\\Qa"), HasSubstr("\\Q is not supported"));
  EXPECT_THAT(message("a\\"), HasSubstr("Split"));
  EXPECT_THAT(message("\\p{L"), HasSubstr("\\p without {} is not supported"));
  EXPECT_THAT(message("\\u12"), HasSubstr("four hexadecimal digits"));
  EXPECT_EQ(message("[a[b-d]]|\\d{1,3}+|(?i:k)|^x$|\\p{Han}"), "");
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

TEST(StreamDecoder, GivesTheSameTextHoweverItIsSplit) {
  // Tokens for every stretch of the bytes of a text, so that each way to cut it is a list of ids.
  const std::string text = "\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80";
  json bytes = ByteTokenizer();
  const auto alphabet = [](const std::string& stretch) {
    std::string token;
    for (char c : stretch) {
      const auto byte = static_cast<uint8_t>(c);
      // 0xA1..0xFF but 0xAD stand for themselves; 0x7F..0xA0 follow 33 others from U+0100 on.
      AppendCharacter(byte > 0xA0 ? byte : 0x100 + 33 + (byte - 0x7F), &token);
    }
    return token;
  };
  int next_id = 29;
  std::map<std::pair<size_t, size_t>, int> ids;
  for (size_t begin = 0; begin < text.size(); ++begin) {
    for (size_t end = begin + 1; end <= text.size(); ++end) {
      json& id = bytes["model"]["vocab"][alphabet(text.substr(begin, end - begin))];
      if (id.is_null()) id = next_id++;
      ids[{begin, end}] = id.get<int>();
    }
  }
  const auto tokenizer = Load(bytes);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  for (unsigned cuts = 0; cuts < 1U << (text.size() - 1); ++cuts) {
    StreamDecoder decoder(**tokenizer, true);
    std::string joined;
    for (size_t begin = 0, end = 1; end <= text.size(); ++end) {
      if (end < text.size() && (cuts >> (end - 1) & 1) == 0) continue;
      const std::string piece = decoder.Push(ids[{begin, end}]);
      EXPECT_TRUE(IsValidUtf8(piece)) << cuts;
      joined += piece;
      EXPECT_EQ(joined, text.substr(0, CompleteUtf8Prefix(text.substr(0, end)))) << cuts;
      begin = end;
    }
    EXPECT_EQ(decoder.Finish(), "") << cuts;
    ASSERT_EQ(joined, text) << cuts;
  }
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
