// Filters whose result is a string, a number or the input itself.
#include <cmath>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/string_operations.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

// Wider than any prompt's indentation; keeps indent(10 ** 9) from being tried.
constexpr int64_t kMaxIndent = 100;

absl::StatusOr<Value> StringFilter(Runtime& runtime, const Value& input, std::string_view name,
                                   Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  M3_ASSIGN_OR_RETURN(Text text, ToText(runtime, input));
  return Value::OfString(std::move(text));
}

absl::StatusOr<Value> TrimFilter(Runtime& runtime, const Value& input, std::string_view name,
                                 Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"chars"}));
  M3_ASSIGN_OR_RETURN(const Text* chars, bound.GetText(0));
  M3_ASSIGN_OR_RETURN(const Text text, ToText(runtime, input));
  return runtime.NewString(Strip(text, chars, true, true));
}

// Jinja2's own title case: only white space, - ( { [ and < begin a word.
Text TitleCase(const Text& text) {
  constexpr std::string_view kWordBorders = "-({[<";
  const std::string& bytes = text.bytes();
  Text out;
  size_t begin = 0;
  const auto is_border = [&](size_t at) {
    return IsSpace(DecodeAt(bytes, at).value) ||
           kWordBorders.find(bytes[at]) != std::string_view::npos;
  };
  while (begin < bytes.size()) {
    size_t end = begin;
    while (end < bytes.size() && is_border(end)) end += DecodeAt(bytes, end).length;
    out.AppendRange(text, begin, end);
    begin = end;
    while (end < bytes.size() && !is_border(end)) end += DecodeAt(bytes, end).length;
    if (end == begin) break;
    const size_t rest = begin + DecodeAt(bytes, begin).length;
    out.Append(MapCase(text.Substring(begin, rest), Case::kUpper));
    out.Append(MapCase(text.Substring(rest, end), Case::kLower));
    begin = end;
  }
  return out;
}

absl::StatusOr<Value> CaseFilter(Runtime& runtime, const Value& input, std::string_view name,
                                 Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  M3_ASSIGN_OR_RETURN(const Text text, ToText(runtime, input));
  if (name == "title") return runtime.NewString(TitleCase(text));
  return runtime.NewString(MapCase(text, name == "upper"   ? Case::kUpper
                                         : name == "lower" ? Case::kLower
                                                           : Case::kCapitalized));
}

absl::StatusOr<Value> ReplaceFilter(Runtime& runtime, const Value& input, std::string_view name,
                                    Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"old", "new", "count"}, 2));
  M3_ASSIGN_OR_RETURN(const Text text, ToText(runtime, input));
  M3_ASSIGN_OR_RETURN(const Text from, ToText(runtime, bound[0]));
  M3_ASSIGN_OR_RETURN(const Text to, ToText(runtime, bound[1]));
  const bool all = !bound.Has(2) || bound[2].IsNone();
  int64_t count = -1;
  if (!all) {
    M3_ASSIGN_OR_RETURN(count, bound.GetInt(2, -1));
  }
  M3_ASSIGN_OR_RETURN(Text result,
                      Replace(runtime, text, from.bytes(), to, count < 0 ? -1 : count));
  return Value::OfString(std::move(result));
}

absl::StatusOr<Value> DefaultFilter(Runtime& runtime, const Value& input, std::string_view name,
                                    Arguments arguments) {
  M3_ASSIGN_OR_RETURN(
      const BoundArguments bound,
      BoundArguments::Bind(name, std::move(arguments), {"default_value", "boolean"}));
  if (!input.IsUndefined() && !(bound.GetBool(1, false) && !IsTrue(input))) return input;
  return bound.GetOr(0, Value::OfTemplateString(""));
}

// One level of indentation, from a number of spaces or a string.
absl::StatusOr<Text> Indentation(std::string_view name, const Value& width) {
  if (const Text* text = width.AsText()) return *text;
  const std::optional<int64_t> spaces = AsInteger(width);
  if (!spaces.has_value()) return TypeError(name, width);
  if (*spaces > kMaxIndent) {
    return absl::InvalidArgumentError(
        Concat(name, ": an indentation above ", kMaxIndent, " is not supported"));
  }
  return Text(std::string(*spaces < 0 ? 0 : *spaces, ' '), Origin::kTemplate);
}

absl::StatusOr<Value> IndentFilter(Runtime& runtime, const Value& input, std::string_view name,
                                   Arguments arguments) {
  M3_ASSIGN_OR_RETURN(
      const BoundArguments bound,
      BoundArguments::Bind(name, std::move(arguments), {"width", "first", "blank"}));
  M3_ASSIGN_OR_RETURN(const Text indentation, Indentation(name, bound.GetOr(0, Value(int64_t{4}))));
  if (input.AsText() == nullptr) return TypeError(name, input);
  const bool blank = bound.GetBool(2, false);
  Text source = *input.AsText();
  M3_RETURN_IF_ERROR(runtime.SpendBytes(source.size() * 8));
  source.Append("\n", Origin::kTemplate);
  Text out;
  bool first_line = true;
  for (const ByteRange& line : SplitLines(source.bytes())) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(line.end - line.begin + indentation.size()));
    if (!first_line) out.Append("\n", Origin::kTemplate);
    const bool indents = first_line ? bound.GetBool(1, false) : blank || line.end > line.begin;
    if (indents) out.Append(indentation);
    out.AppendRange(source, line.begin, line.end);
    first_line = false;
  }
  return runtime.NewString(std::move(out));
}

absl::StatusOr<Value> ToJsonFilter(Runtime& runtime, const Value& input, std::string_view name,
                                   Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments),
                                           {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style{.ensure_ascii = bound.GetBool(0, false), .sort_keys = bound.GetBool(3, false)};
  if (bound.Has(1) && !bound[1].IsNone()) {
    M3_ASSIGN_OR_RETURN(const Text indentation, Indentation(name, bound[1]));
    style.indent = indentation.bytes();
    style.item_separator = std::string(1, ',');
  }
  if (bound.Has(2) && !bound[2].IsNone()) {
    M3_ASSIGN_OR_RETURN(const std::vector<Value> separators, Iterate(runtime, bound[2]));
    if (separators.size() != 2 || separators[0].AsText() == nullptr ||
        separators[1].AsText() == nullptr) {
      return absl::InvalidArgumentError("tojson: separators are a pair of strings");
    }
    style.item_separator = separators[0].AsText()->bytes();
    style.key_separator = separators[1].AsText()->bytes();
  }
  M3_ASSIGN_OR_RETURN(Text json, ToJson(runtime, input, style));
  return Value::OfString(std::move(json));
}

std::string StripDigits(const Text& text) {
  std::string digits;
  const Text stripped = Strip(text, nullptr, true, true);
  for (const char c : stripped.bytes()) {
    if (c != '_') digits.push_back(c);
  }
  return digits;
}

absl::StatusOr<Value> Truncate(double value, Value fallback) {
  if (std::isnan(value)) return fallback;
  // 2^63 as a double: beyond it the cast would be undefined.
  if (!(std::abs(value) < 9223372036854775808.0)) {
    return absl::InvalidArgumentError("a number is too large for |int");
  }
  return Value(static_cast<int64_t>(value));
}

absl::StatusOr<Value> IntFilter(Runtime& runtime, const Value& input, std::string_view name,
                                Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"default"}));
  Value fallback = bound.GetOr(0, Value(int64_t{0}));
  if (input.IsUndefined()) return UndefinedError(input);
  if (const std::optional<int64_t> number = AsInteger(input)) return Value(*number);
  if (const double* number = input.As<double>()) return Truncate(*number, std::move(fallback));
  const Text* text = input.AsText();
  if (text == nullptr) return fallback;
  const std::string digits = StripDigits(*text);
  int64_t number = 0;
  if (absl::SimpleAtoi(digits, &number)) return Value(number);
  double real = 0;
  if (absl::SimpleAtod(digits, &real)) return Truncate(real, std::move(fallback));
  return fallback;
}

absl::StatusOr<Value> FloatFilter(Runtime& runtime, const Value& input, std::string_view name,
                                  Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"default"}));
  if (input.IsUndefined()) return UndefinedError(input);
  if (const std::optional<double> number = AsNumber(input)) return Value(*number);
  double real = 0;
  const Text* text = input.AsText();
  if (text != nullptr && absl::SimpleAtod(StripDigits(*text), &real)) return Value(real);
  return bound.GetOr(0, Value(0.0));
}

absl::StatusOr<Value> AbsFilter(Runtime& runtime, const Value& input, std::string_view name,
                                Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  const std::optional<double> number = AsNumber(input);
  if (!number.has_value()) return TypeError(name, input);
  if (*number < 0) return Negate(input);
  if (const bool* flag = input.As<bool>()) return Value(int64_t{*flag});
  return input;
}

absl::StatusOr<Value> LengthFilter(Runtime& runtime, const Value& input, std::string_view name,
                                   Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  if (const Text* text = input.AsText()) M3_RETURN_IF_ERROR(runtime.SpendBytes(text->size()));
  M3_ASSIGN_OR_RETURN(const int64_t length, Length(input));
  return Value(length);
}

}  // namespace

Filter FindScalarFilter(std::string_view name) {
  if (name == "trim") return TrimFilter;
  if (name == "string") return StringFilter;
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize") {
    return CaseFilter;
  }
  if (name == "replace") return ReplaceFilter;
  if (name == "default" || name == "d") return DefaultFilter;
  if (name == "indent") return IndentFilter;
  if (name == "tojson") return ToJsonFilter;
  if (name == "int") return IntFilter;
  if (name == "float") return FloatFilter;
  if (name == "abs") return AbsFilter;
  if (name == "length" || name == "count") return LengthFilter;
  return nullptr;
}

Filter FindFilter(std::string_view name) {
  const Filter filter = FindScalarFilter(name);
  return filter != nullptr ? filter : FindSequenceFilter(name);
}

}  // namespace memory3::jinja
