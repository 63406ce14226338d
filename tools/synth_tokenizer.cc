#include "tools/synth_tokenizer.h"

#include "absl/strings/str_cat.h"
#include "engine/text/byte_level.h"
#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

constexpr const char* kSpecial[] = {"<s>", "</s>", "<pad>"};
constexpr int kBytes = 256;

constexpr char kChatTemplate[] =
    "{{ bos_token }}{% for message in messages %}{{ message.role + ': ' + message.content + '\\n' "
    "}}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}";

}  // namespace

std::string SynthTokenizerJson(int vocab) {
  nlohmann::ordered_json added = nlohmann::ordered_json::array();
  // A plain list of pairs underneath: operator[] would search it for every one of 60,000 tokens.
  nlohmann::ordered_json::object_t tokens;
  for (int byte = 0; byte < kBytes; ++byte)
    tokens.emplace_back(ToByteAlphabet(std::string(1, static_cast<char>(byte))), byte);
  int id = kBytes;
  for (const char* content : kSpecial) {
    tokens.emplace_back(content, id);
    added.push_back({{"id", id++},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  for (; id < vocab; ++id) tokens.emplace_back(ToByteAlphabet(absl::StrCat(" t", id)), id);
  const nlohmann::ordered_json byte_level = {{"type", "ByteLevel"},
                                             {"add_prefix_space", false},
                                             {"trim_offsets", true},
                                             {"use_regex", true}};
  const nlohmann::ordered_json json = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", nullptr},
      {"pre_tokenizer", byte_level},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
        {"pair",
         {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}}},
        {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {kBytes}}, {"tokens", {"<s>"}}}}}}}},
      {"decoder", byte_level},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", false},
        {"vocab", tokens},
        {"merges", nlohmann::ordered_json::array()}}}};
  return json.dump() + "\n";
}

std::string SynthTokenizerConfigJson(int context) {
  const nlohmann::ordered_json json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                       {"bos_token", kSpecial[0]},
                                       {"eos_token", kSpecial[1]},
                                       {"pad_token", kSpecial[2]},
                                       {"model_max_length", context},
                                       {"clean_up_tokenization_spaces", false},
                                       {"chat_template", kChatTemplate}};
  return json.dump(2) + "\n";
}

}  // namespace memory3
