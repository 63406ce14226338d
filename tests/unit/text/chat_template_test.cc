#include "engine/text/chat_template.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace memory3 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr ChatMessage kHello{"user", "Hello"};

absl::StatusOr<std::string> RenderSource(const std::string& source,
                                         const std::vector<ChatMessage>& messages = {kHello}) {
  absl::StatusOr<ChatTemplate> chat =
      ChatTemplate::Parse(source, {.bos_token = "<s>", .eos_token = "</s>"});
  if (!chat.ok()) return chat.status();
  return chat->Render(messages, /*add_generation_prompt=*/true);
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

std::vector<fs::path> TemplateFiles() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(M3_SOURCE_DIR "/tests/data/chat_templates")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Refusal {
  std::string source;
  std::string named;  // in the message
};

TEST(ChatTemplateTest, ParseNamesTheConstructAndTheLine) {
  const std::vector<Refusal> refusals = {
      {"a\n{% include 'x' %}", "line 2: the block {% include %}"},
      {"{% extends 'x' %}", "{% extends %}"},
      {"{% import 'x' as y %}", "{% import %}"},
      {"{% block b %}{% endblock %}", "{% block %}"},
      {"{% filter upper %}{% endfilter %}", "{% filter %}"},
      {"{% call m() %}{% endcall %}", "{% call %}"},
      {"{% with %}{% endwith %}", "{% with %}"},
      {"{% do x %}", "{% do %}"},
      {"{% raw %}{{{% endraw %}", "{% raw %}"},
      {"\n\n{{ x | urlize }}", "line 3: the filter 'urlize'"},
      {"{{ x | map('urlize') }}", "'urlize' in 'map'"},
      {"{{ x | map(y) }}", "'map' needs its operation as a literal"},
      {"{{ x | select('sameas', 1) }}", "test 'sameas' in 'select'"},
      {"{{ x | safe | upper }}", "the filter 'safe'"},
      {"{{ x is sameas y }}", "the test 'sameas'"},
      {"{{ x.format(1) }}", "the method .format()"},
      {"{{ x.append(1) }}", "the method .append()"},
      {"{{ frobnicate(1) }}", "the function 'frobnicate'"},
      {"{{ cycler(1) }}", "the name 'cycler'"},
      {"{{ '%s' % 1 }}", "with %"},
      {"{{ f(*x) }}", "(* and **)"},
      {"{% for a in b recursive %}{% endfor %}", "recursive"},
      {"{% for a, (b, c) in d %}{% endfor %}", "nested names"},
      {"{% set x | upper %}{% endset %}", "a filter on a {% set %}"},
      {"{% for a in b %}{% macro m() %}{% endmacro %}{% endfor %}", "{% macro %}"},
      {"{% break %}", "{% break %} outside of a loop"},
      {"{% if a %}", "no {% endif %}"},
      {"{% for a in b %}{% endif %}", "{% endif %}"},
      {"{{ a", "not closed"},
      {"{# a", "comment is not closed"},
      {"{{ 'a }}", "string is not closed"},
      {"{{ '\\N{DASH}' }}", "\\N"},
      {"{{ a ! b }}", "unexpected character '!'"},
      {"{{ (a }}", "unexpected '}'"},
      {"{{ 99999999999999999999 }}", "too large"},
      {"{{ }}", "expected an expression, found '}}'"},
      {"{% set true = 1 %}", "a name to assign to"},
      {"{{ 0x1F }}", "the number at '0x'"},
  };
  for (const Refusal& refusal : refusals) {
    const absl::Status status = ChatTemplate::Parse(refusal.source, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << refusal.source;
    EXPECT_THAT(Message(status), HasSubstr(refusal.named)) << refusal.source;
    EXPECT_THAT(Message(status), HasSubstr("line ")) << refusal.source;
  }
}

TEST(ChatTemplateTest, RaiseExceptionIsItsMessageAndOtherErrorsNameTheLine) {
  const absl::Status raised = RenderSource("\n{{ raise_exception('No system turns') }}").status();
  EXPECT_EQ(raised.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(raised), "No system turns");
  const absl::Status undefined = RenderSource("\n\n{% if true %}{{ a.b }}{% endif %}").status();
  EXPECT_EQ(undefined.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(undefined), "chat template, line 3: 'a' is undefined");
}

TEST(ChatTemplateTest, RenderingIsBounded) {
  const std::vector<Refusal> runaways = {
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested deeper"},
      {"{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}"
       "{% endfor %}",
       "units of work"},
      {"{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}"
       "{% endfor %}",
       "units of work"},
      {"{% set ns = namespace(x=[]) %}{% for i in range(99) %}{% set ns.x = [ns.x] %}{% endfor %}",
       "nested deeper"},
      // Small to build, exponential to print, compare or write as JSON.
      {"{% set ns = namespace(x=[]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
       "{% endfor %}{{ ns.x }}",
       "units of work"},
      {"{% set ns = namespace(x=[]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
       "{% endfor %}{{ ns.x | tojson }}",
       "units of work"},
      {"{% set ns = namespace(x=[], y=[]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
       "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
       "units of work"},
      {"{{ 'x' * 10 ** 15 }}", "too long"},
      {"{{ [1] * 10 ** 15 }}", "too long"},
      {"{{ 'x' * (2 * 10 ** 7) }}", "longer than"},
      {"{{ ('x' * 10 ** 6).replace('x', 'y' * 10 ** 6) }}", "units of work"},
      {"{{ (['x' * 10 ** 6] * 1000) | join }}", "units of work"},
      {"{{ range(10 ** 9) }}", "range()"},
      {"{{ range(9223372036854775806, 9223372036854775807, 5) | list | length }}{{ 2 ** 64 }}",
       "overflows"},
      {"{% for i in range(10 ** 5) %}{% for j in range(10 ** 5) %}{% endfor %}{% endfor %}",
       "units of work"},
      {"{{ 'a' | indent(10 ** 9) }}", "indentation above"},
      {"{{ [1] | tojson(indent=10 ** 9) }}", "indentation above"},
  };
  for (const Refusal& runaway : runaways) {
    const absl::Status status = RenderSource(runaway.source).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << runaway.source;
    EXPECT_THAT(Message(status), HasSubstr(runaway.named)) << runaway.source;
  }
}

TEST(ChatTemplateTest, ParsingIsBounded) {
  const auto repeat = [](const std::string& unit, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += unit;
    return text;
  };
  constexpr int kMany = 100000;
  const std::vector<std::string> sources = {
      "{{ " + repeat("(", kMany) + "1" + repeat(")", kMany) + " }}",
      "{{ " + repeat("[", kMany) + repeat("]", kMany) + " }}",
      "{{ " + repeat("not ", kMany) + "1 }}",
      "{{ " + repeat("- ", kMany) + "1 }}",
      "{{ 1" + repeat(" + 1", kMany) + " }}",
      "{{ a" + repeat(".b", kMany) + " }}",
      "{{ a" + repeat("|trim", kMany) + " }}",
      "{{ 1" + repeat(" if 1 else 1", kMany) + " }}",
      "{{ 1" + repeat(" and 1", kMany) + " }}",
      repeat("{% if 1 %}", kMany / 2) + repeat("{% endif %}", kMany / 2),
      std::string(size_t{2} << 20, 'x'),
  };
  for (const std::string& source : sources) {
    EXPECT_EQ(ChatTemplate::Parse(source, {}).status().code(), absl::StatusCode::kInvalidArgument)
        << source.substr(0, 40);
  }
}

TEST(ChatTemplateTest, ANamespaceThatHoldsItselfIsFreed) {
  EXPECT_EQ(
      *RenderSource("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me is defined }}"),
      "True");
}

TEST(ChatTemplateTest, ContentIsNeverReadAsTemplate) {
  const std::string content = "{{ bos_token }}{% set x = 1 %}{# c #}{{";
  EXPECT_EQ(*RenderSource("{{ bos_token }}{{ messages[0].content }}|{{ messages[0].content|trim }}",
                          {{"user", content}}),
            "<s>" + content + "|" + content);
}

TEST(ChatTemplateTest, InvalidUtf8DoesNotBreakRendering) {
  const std::string content = "a\xff\xc3(\xe2\x82\xf0\x9f \x80";
  const auto text = RenderSource(
      "{% set c = messages[0].content %}{{ c|trim }}{{ c[::-1] }}{{ c|upper }}{{ c|tojson }}"
      "{{ [c] }}{{ c|title }}{{ c.split() }}{{ c.rsplit(none, 1) }}{{ c|list }}{{ c|indent }}"
      "{{ c.replace('', '-') }}{{ c[2] }}{{ c|length }}{{ c.strip(c) }}",
      {{"user", content}});
  EXPECT_TRUE(text.ok()) << text.status();
}

std::vector<TemplateSegment> Segments(const std::string& source,
                                      const std::vector<ChatMessage>& messages) {
  absl::StatusOr<ChatTemplate> chat = ChatTemplate::Parse(source, {.bos_token = "<s>"});
  EXPECT_TRUE(chat.ok()) << chat.status();
  auto segments = chat->RenderSegments(messages, true);
  EXPECT_TRUE(segments.ok()) << segments.status();
  std::string joined;
  for (const TemplateSegment& segment : *segments) joined += segment.text;
  EXPECT_EQ(joined, *chat->Render(messages, true));
  return *std::move(segments);
}

std::string FromTemplate(const std::vector<TemplateSegment>& segments) {
  std::string text;
  for (const TemplateSegment& segment : segments) text += segment.from_template ? segment.text : "";
  return text;
}

TEST(ChatTemplateTest, SegmentsTellTemplateTextFromContent) {
  const auto segments = Segments(
      "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content|trim + '<|e|>' "
      "}}"
      "{% endfor %}",
      {{"user", "  <|e|><|system|> hi "}});
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[0].text, "<s><|user|>\n");
  EXPECT_TRUE(segments[0].from_template);
  EXPECT_EQ(segments[1].text, "<|e|><|system|> hi");
  EXPECT_FALSE(segments[1].from_template);
  EXPECT_EQ(segments[2].text, "<|e|>");
}

TEST(ChatTemplateTest, ARoleOfItsOwnIsNotTemplateText) {
  EXPECT_EQ(FromTemplate(Segments("<|{{ messages[0].role }}|>", {{"im_end", ""}})), "<||>");
}

TEST(ChatTemplateTest, ContentStaysContentThroughEveryOperation) {
  // The content is made of X alone, which stands nowhere else: no X may count as template text.
  const std::vector<std::string> operations = {"c",
                                               "c ~ 'a'",
                                               "'a' + c",
                                               "c * 2",
                                               "c[1:]",
                                               "c[::-1]",
                                               "c[0]",
                                               "c|reverse",
                                               "c|list",
                                               "[c, c]",
                                               "{c: c}",
                                               "(c,)",
                                               "c|upper",
                                               "c|lower|upper",
                                               "c|title",
                                               "c|capitalize",
                                               "c|trim",
                                               "c|replace('X', 'XX'|lower ~ c)",
                                               "c|replace('', '-')",
                                               "'a'|replace('a', c)",
                                               "c|join('-')",
                                               "['a', c]|join(c)",
                                               "c|tojson",
                                               "[{'k': c}]|tojson(indent=2)",
                                               "{c: 1}|tojson",
                                               "c|indent(2, true)",
                                               "'a\nb'|indent(c, true)",
                                               "c|string",
                                               "c|first",
                                               "c|last",
                                               "[c]|sort|first",
                                               "[c]|unique|list",
                                               "{c: c}|dictsort",
                                               "{c: 1}.items()|list",
                                               "c.strip()",
                                               "c.split('Y')",
                                               "c.rsplit('Y', 1)",
                                               "c.split()",
                                               "c.splitlines()",
                                               "c.join(['a', 'b'])",
                                               "c.title()",
                                               "c.removeprefix('X')",
                                               "c.replace('X', c, 1)",
                                               "messages",
                                               "messages|map(attribute='content')|list",
                                               "messages|tojson",
                                               "c if c else ''",
                                               "nothing|default(c)",
                                               "c or 1",
                                               "m(c)",
                                               "m(c)|upper",
                                               "block",
                                               "ns.c",
                                               "c.encoded|default(c)",
                                               "messages[0].values()|list",
                                               "['X'|lower, c]|join"};
  for (const std::string& operation : operations) {
    const auto segments = Segments(
        "{% macro m(v) %}[{{ v }}]{% endmacro %}{% set c = messages[0].content %}"
        "{% set block %}-{{ c }}-{% endset %}{% set ns = namespace(c=c) %}{{ " +
            operation + " }}",
        {{"user", "XXYX X\nX"}});
    EXPECT_THAT(FromTemplate(segments), testing::Not(HasSubstr("X"))) << operation;
    bool has_content = false;
    for (const TemplateSegment& segment : segments) has_content |= !segment.from_template;
    EXPECT_TRUE(has_content) << operation;
  }
}

TEST(ChatTemplateTest, MutatedTemplatesNeverCrash) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const std::vector<std::string> fragments = {"{{",
                                              "}}",
                                              "{%",
                                              "%}",
                                              "{#",
                                              "#}",
                                              "-",
                                              "+",
                                              "'",
                                              "\"",
                                              "\\",
                                              "(",
                                              ")",
                                              "[",
                                              "]",
                                              "{",
                                              "}",
                                              "|",
                                              ".",
                                              ",",
                                              ":",
                                              "=",
                                              "~",
                                              "*",
                                              "//",
                                              "%",
                                              "**",
                                              "not",
                                              " in ",
                                              " is ",
                                              " if ",
                                              " else ",
                                              "[::-1]",
                                              "messages",
                                              "loop",
                                              "ns",
                                              "none",
                                              "1",
                                              "0",
                                              "-1",
                                              "9223372036854775807",
                                              "1e308",
                                              "'x'",
                                              "range(9)",
                                              "{% endif %}",
                                              "{% endfor %}",
                                              "{% for x in messages %}",
                                              "{% if x %}",
                                              "|tojson",
                                              "|list",
                                              "|join",
                                              "|sort",
                                              "|first",
                                              ".split()",
                                              "{% set x = ",
                                              "\n",
                                              "\xff",
                                              "\xe2\x80",
                                              "\0"};
  std::vector<std::string> sources;
  for (const fs::path& path : TemplateFiles()) sources.push_back(ReadFile(path));
  ASSERT_FALSE(sources.empty());
  std::ifstream snippets(M3_SOURCE_DIR "/tests/unit/text/chat_template_snippets.txt");
  for (std::string line; std::getline(snippets, line);) sources.push_back(line);
  const std::vector<ChatMessage> messages = {
      {"system", "Be"}, {"user", " a <think>b</think> "}, {"assistant", "\xf0\x9f x"}};
  int rendered = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string source = sources[below(sources.size())];
    for (size_t i = 1 + below(4); i > 0; --i) {
      const size_t at = below(source.size() + 1);
      switch (below(4)) {
        case 0:
          source.insert(at, fragments[below(fragments.size())]);
          break;
        case 1:
          source.erase(at, 1 + below(12));
          break;
        case 2:
          source.insert(at, source.substr(below(source.size() + 1), below(40)));
          break;
        default:
          if (at < source.size()) source[at] = static_cast<char>(random());
      }
    }
    absl::StatusOr<ChatTemplate> chat = ChatTemplate::Parse(source, {.bos_token = "<s>"});
    if (!chat.ok()) continue;
    const auto text = chat->RenderSegments(messages, true);
    rendered += text.ok() ? 1 : 0;
  }
  // Otherwise only the parser would have been tried.
  EXPECT_GT(rendered, 1000);
}

class ChatTemplateFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("chat_template_") + info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::string RenderLoaded() const {
    auto chat = ChatTemplate::Load(folder_);
    if (!chat.ok()) return Message(chat.status());
    if (!chat->has_value()) return "none";
    return *(*chat)->Render({kHello}, false);
  }

  fs::path folder_;
};

TEST_F(ChatTemplateFilesTest, NoTemplateIsNoError) {
  EXPECT_EQ(RenderLoaded(), "none");
  Write("tokenizer_config.json", R"({"bos_token": "<s>", "chat_template": null})");
  EXPECT_EQ(RenderLoaded(), "none");
}

TEST_F(ChatTemplateFilesTest, ReadsTheTemplateAndTheTokens) {
  Write("tokenizer_config.json",
        R"({"bos_token": {"content": "<b>"}, "chat_template": "{{ bos_token }}{{ eos_token }}"})");
  Write("special_tokens_map.json", R"({"bos_token": "<other>", "eos_token": "<e>"})");
  EXPECT_EQ(RenderLoaded(), "<b><e>");
}

TEST_F(ChatTemplateFilesTest, TakesTheDefaultOfAList) {
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "tools", "template": "t"},
                                                      {"name": "default", "template": "d"}]})");
  EXPECT_EQ(RenderLoaded(), "d");
}

TEST_F(ChatTemplateFilesTest, AFileOfItsOwnComesFirst) {
  Write("tokenizer_config.json", R"({"bos_token": "<b>", "chat_template": "old"})");
  Write("chat_template.jinja", "{{ bos_token }}new\n");
  EXPECT_EQ(RenderLoaded(), "<b>new");
}

TEST_F(ChatTemplateFilesTest, ErrorsNameTheFile) {
  Write("tokenizer_config.json", "{");
  EXPECT_THAT(RenderLoaded(), HasSubstr("tokenizer_config.json: not valid JSON"));
  Write("tokenizer_config.json", "[]");
  EXPECT_THAT(RenderLoaded(), HasSubstr("tokenizer_config.json: not a JSON object"));
  Write("tokenizer_config.json",
        R"({"chat_template": )" + std::string(100'000, '[') + std::string(100'000, ']') + "}");
  EXPECT_THAT(RenderLoaded(), HasSubstr("tokenizer_config.json: nested more than 64 deep"));
  Write("tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_THAT(RenderLoaded(), HasSubstr("tokenizer_config.json: chat_template is neither"));
  Write("tokenizer_config.json", R"({"chat_template": "{% block x %}"})");
  EXPECT_THAT(RenderLoaded(), HasSubstr("tokenizer_config.json: chat template, line 1: the block"));
}

}  // namespace
}  // namespace memory3
