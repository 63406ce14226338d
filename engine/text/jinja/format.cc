#include "engine/text/jinja/format.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

class ReprWriter {
 public:
  explicit ReprWriter(Runtime& runtime) : runtime_(runtime) {}

  absl::Status Write(const Value& value) {
    if (const Text* text = value.AsText()) return WriteString(*text);
    if (const Sequence* sequence = value.AsSequence()) return WriteSequence(*sequence);
    if (const Dict* dict = value.AsDict()) return WriteDict(*dict);
    if (value.IsUndefined()) return Put("Undefined");
    M3_ASSIGN_OR_RETURN(const Text text, ToText(runtime_, value));
    return Put(text.bytes());
  }

  Text Take() { return std::move(out_); }

 private:
  absl::Status Put(std::string_view text) {
    M3_RETURN_IF_ERROR(runtime_.SpendBytes(text.size()));
    out_.Append(text, Origin::kTemplate);
    return absl::OkStatus();
  }

  absl::Status WriteItems(const std::vector<Value>& items) {
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) M3_RETURN_IF_ERROR(Put(", "));
      M3_RETURN_IF_ERROR(Write(items[i]));
    }
    return absl::OkStatus();
  }

  absl::Status WriteSequence(const Sequence& sequence) {
    switch (sequence.type) {
      case Sequence::Type::kRange:
        if (!sequence.label.empty()) return Put(sequence.label);
        return absl::InvalidArgumentError("a slice of a range is printed; it needs '|list'");
      case Sequence::Type::kGenerator:
        return absl::InvalidArgumentError(
            "the result of a filter that makes items one by one is printed; it needs '|list'");
      case Sequence::Type::kList:
        M3_RETURN_IF_ERROR(Put("["));
        M3_RETURN_IF_ERROR(WriteItems(sequence.items));
        return Put("]");
      case Sequence::Type::kTuple:
        M3_RETURN_IF_ERROR(Put("("));
        M3_RETURN_IF_ERROR(WriteItems(sequence.items));
        return Put(sequence.items.size() == 1 ? ",)" : ")");
      case Sequence::Type::kView:
        M3_RETURN_IF_ERROR(Put(Concat(sequence.label, "([")));
        M3_RETURN_IF_ERROR(WriteItems(sequence.items));
        return Put("])");
    }
    return absl::OkStatus();
  }

  absl::Status WriteDict(const Dict& dict) {
    M3_RETURN_IF_ERROR(Put("{"));
    bool first = true;
    for (const auto& [key, value] : dict.entries) {
      if (!first) M3_RETURN_IF_ERROR(Put(", "));
      first = false;
      M3_RETURN_IF_ERROR(Write(key));
      M3_RETURN_IF_ERROR(Put(": "));
      M3_RETURN_IF_ERROR(Write(value));
    }
    return Put("}");
  }

  absl::Status WriteString(const Text& text) {
    const std::string& bytes = text.bytes();
    M3_RETURN_IF_ERROR(runtime_.SpendBytes(4 * bytes.size()));
    const bool double_quotes =
        bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos;
    const char quote = double_quotes ? '"' : '\'';
    out_.Append(std::string_view(&quote, 1), Origin::kTemplate);
    for (size_t i = 0; i < bytes.size();) {
      const CodePoint c = DecodeAt(bytes, i);
      const std::string escaped = Escape(c.value, quote);
      if (escaped.empty()) {
        out_.AppendRange(text, i, i + c.length);
      } else {
        out_.Append(escaped, text.OriginAt(i));
      }
      i += c.length;
    }
    out_.Append(std::string_view(&quote, 1), Origin::kTemplate);
    return absl::OkStatus();
  }

  // Empty when the character stands for itself.
  static std::string Escape(char32_t c, char quote) {
    if (c == static_cast<char32_t>(quote) || c == '\\') return {'\\', static_cast<char>(c)};
    if (c == '\n') return "\\n";
    if (c == '\r') return "\\r";
    if (c == '\t') return "\\t";
    if (c == kInvalidByte || IsPrintable(c)) return {};
    const auto code = static_cast<uint32_t>(c);
    if (c < 0x100) return absl::StrFormat("\\x%02x", code);
    if (c < 0x10000) return absl::StrFormat("\\u%04x", code);
    return absl::StrFormat("\\U%08x", code);
  }

  Runtime& runtime_;
  Text out_;
};

}  // namespace

std::string FormatReal(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  const auto written =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view shortest(buffer, static_cast<size_t>(written.ptr - buffer));
  const size_t e = shortest.find('e');
  std::string digits;
  for (const char c : shortest.substr(0, e)) {
    if (c != '.' && c != '-') digits.push_back(c);
  }
  int exponent = 0;
  const size_t exponent_begin = e + (shortest[e + 1] == '+' ? 2 : 1);
  std::from_chars(shortest.data() + exponent_begin, shortest.data() + shortest.size(), exponent);
  const std::string sign = std::signbit(value) ? "-" : "";
  // Python writes an exponent below 1e-4 and from 1e16 on.
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = digits.size() > 1 ? Concat(".", digits.substr(1)) : "";
    return Concat(sign, digits.substr(0, 1), fraction,
                  absl::StrFormat("e%c%02d", exponent < 0 ? '-' : '+', std::abs(exponent)));
  }
  if (exponent < 0) return Concat(sign, "0.", std::string(-exponent - 1, '0'), digits);
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) digits.append(whole + 1 - digits.size(), '0');
  return Concat(sign, digits.substr(0, whole), ".", digits.substr(whole));
}

absl::StatusOr<Text> ToText(Runtime& runtime, const Value& value) {
  if (const Text* text = value.AsText()) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(text->size()));
    return *text;
  }
  std::string text;
  if (value.IsUndefined()) return Text();
  if (value.IsNone()) {
    text = "None";
  } else if (const bool* flag = value.As<bool>()) {
    text = *flag ? "True" : "False";
  } else if (const int64_t* number = value.As<int64_t>()) {
    text = Concat(*number);
  } else if (const double* real = value.As<double>()) {
    text = FormatReal(*real);
  } else if (value.AsSequence() != nullptr || value.AsDict() != nullptr) {
    ReprWriter writer(runtime);
    M3_RETURN_IF_ERROR(writer.Write(value));
    return writer.Take();
  } else {
    return TypeError("printing", value);
  }
  return Text(text, Origin::kTemplate);
}

}  // namespace memory3::jinja
