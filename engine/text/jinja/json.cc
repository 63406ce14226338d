#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/sorting.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

// Empty when the character stands for itself.
std::string EscapeJson(char32_t c, bool ensure_ascii) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      break;
  }
  if (c == kInvalidByte) return {};
  const auto code = static_cast<uint32_t>(c);
  if (code < 0x20 || (ensure_ascii && code > 0x7E && code < 0x10000)) {
    return absl::StrFormat("\\u%04x", code);
  }
  if (ensure_ascii && code >= 0x10000) {
    const uint32_t rest = code - 0x10000;
    return absl::StrFormat("\\u%04x\\u%04x", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
  }
  return {};
}

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

  absl::Status Write(const Value& value, int level) {
    if (const Text* text = value.AsText()) return WriteString(*text);
    if (const Sequence* sequence = value.AsSequence()) {
      if (sequence->type == Sequence::Type::kList || sequence->type == Sequence::Type::kTuple) {
        return WriteList(sequence->items, level);
      }
    }
    if (const Dict* dict = value.AsDict()) return WriteDict(*dict, level);
    M3_ASSIGN_OR_RETURN(const std::string scalar, Scalar(value));
    return Put(scalar);
  }

  Text Take() { return std::move(out_); }

 private:
  absl::Status Put(std::string_view text) {
    M3_RETURN_IF_ERROR(runtime_.SpendBytes(text.size()));
    out_.Append(text, Origin::kTemplate);
    return absl::OkStatus();
  }

  static absl::StatusOr<std::string> Scalar(const Value& value) {
    if (value.IsNone()) return std::string("null");
    if (const bool* flag = value.As<bool>()) return std::string(*flag ? "true" : "false");
    if (const int64_t* number = value.As<int64_t>()) return Concat(*number);
    if (const double* real = value.As<double>()) {
      if (std::isnan(*real)) return std::string("NaN");
      if (std::isinf(*real)) return std::string(*real < 0 ? "-Infinity" : "Infinity");
      return FormatReal(*real);
    }
    return TypeError("writing as JSON", value);
  }

  absl::Status NewLine(int level) {
    if (!style_.indent.has_value()) return absl::OkStatus();
    M3_RETURN_IF_ERROR(Put("\n"));
    for (int i = 0; i < level; ++i) M3_RETURN_IF_ERROR(Put(*style_.indent));
    return absl::OkStatus();
  }

  absl::Status WriteList(const std::vector<Value>& items, int level) {
    if (items.empty()) return Put("[]");
    M3_RETURN_IF_ERROR(Put("["));
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) M3_RETURN_IF_ERROR(Put(style_.item_separator));
      M3_RETURN_IF_ERROR(NewLine(level + 1));
      M3_RETURN_IF_ERROR(Write(items[i], level + 1));
    }
    M3_RETURN_IF_ERROR(NewLine(level));
    return Put("]");
  }

  absl::Status WriteDict(const Dict& dict, int level) {
    if (dict.entries.empty()) return Put("{}");
    std::vector<std::pair<Value, Value>> entries = dict.entries;
    if (style_.sort_keys) {
      M3_RETURN_IF_ERROR(SortBy(runtime_, entries, /*reverse=*/false,
                                [](const auto& entry) { return entry.first; }));
    }
    M3_RETURN_IF_ERROR(Put("{"));
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) M3_RETURN_IF_ERROR(Put(style_.item_separator));
      M3_RETURN_IF_ERROR(NewLine(level + 1));
      M3_RETURN_IF_ERROR(WriteKey(entries[i].first));
      M3_RETURN_IF_ERROR(Put(style_.key_separator));
      M3_RETURN_IF_ERROR(Write(entries[i].second, level + 1));
    }
    M3_RETURN_IF_ERROR(NewLine(level));
    return Put("}");
  }

  absl::Status WriteKey(const Value& key) {
    if (const Text* text = key.AsText()) return WriteString(*text);
    M3_ASSIGN_OR_RETURN(const std::string scalar, Scalar(key));
    return Put(Concat("\"", scalar, "\""));
  }

  absl::Status WriteString(const Text& text) {
    const std::string& bytes = text.bytes();
    M3_RETURN_IF_ERROR(runtime_.SpendBytes(6 * bytes.size()));
    out_.Append("\"", Origin::kTemplate);
    for (size_t i = 0; i < bytes.size();) {
      const CodePoint c = DecodeAt(bytes, i);
      const std::string escaped = EscapeJson(c.value, style_.ensure_ascii);
      if (escaped.empty()) {
        out_.AppendRange(text, i, i + c.length);
      } else {
        out_.Append(escaped, text.OriginAt(i));
      }
      i += c.length;
    }
    out_.Append("\"", Origin::kTemplate);
    return absl::OkStatus();
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  Text out_;
};

}  // namespace

absl::StatusOr<Text> ToJson(Runtime& runtime, const Value& value, const JsonStyle& style) {
  JsonWriter writer(runtime, style);
  M3_RETURN_IF_ERROR(writer.Write(value, 0));
  return writer.Take();
}

}  // namespace memory3::jinja
