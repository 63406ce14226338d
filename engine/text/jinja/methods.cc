#include "engine/text/jinja/methods.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/access.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/string_operations.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

using Method = absl::StatusOr<Value> (*)(Runtime& runtime, const Value& self, std::string_view name,
                                         Arguments arguments);

struct NamedMethod {
  std::string_view name;
  Method method;
};

absl::StatusOr<Value> StripMethod(Runtime& runtime, const Value& self, std::string_view name,
                                  Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"chars"}));
  M3_ASSIGN_OR_RETURN(const Text* chars, bound.GetText(0));
  return runtime.NewString(Strip(*self.AsText(), chars, name != "rstrip", name != "lstrip"));
}

absl::StatusOr<Value> SplitMethod(Runtime& runtime, const Value& self, std::string_view name,
                                  Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"sep", "maxsplit"}));
  M3_ASSIGN_OR_RETURN(const Text* separator, bound.GetText(0));
  M3_ASSIGN_OR_RETURN(const int64_t count, bound.GetInt(1, -1));
  const int64_t limit = count < 0 ? -1 : count;
  M3_ASSIGN_OR_RETURN(std::vector<Value> parts,
                      name == "split" ? Split(runtime, *self.AsText(), separator, limit)
                                      : SplitFromRight(runtime, *self.AsText(), separator, limit));
  return runtime.NewSequence(Sequence::Type::kList, std::move(parts));
}

absl::StatusOr<Value> SplitLinesMethod(Runtime& runtime, const Value& self, std::string_view name,
                                       Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  const Text& text = *self.AsText();
  M3_RETURN_IF_ERROR(runtime.SpendItems(4 * text.size()));
  std::vector<Value> lines;
  for (const ByteRange& line : SplitLines(text.bytes())) {
    lines.push_back(Value::OfString(text.Substring(line.begin, line.end)));
  }
  return runtime.NewSequence(Sequence::Type::kList, std::move(lines));
}

absl::StatusOr<Value> AffixMethod(Runtime& runtime, const Value& self, std::string_view name,
                                  Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"affix"}, 1));
  std::vector<Value> affixes{bound[0]};
  if (bound[0].TypeName() == "tuple") affixes = bound[0].AsSequence()->items;
  for (const Value& affix : affixes) {
    if (affix.AsText() == nullptr) return TypeError(name, affix);
    const std::string& text = self.AsText()->bytes();
    const std::string& wanted = affix.AsText()->bytes();
    M3_RETURN_IF_ERROR(runtime.SpendBytes(wanted.size()));
    const bool has =
        name == "startswith" ? absl::StartsWith(text, wanted) : absl::EndsWith(text, wanted);
    if (has) return Value(true);
  }
  return Value(false);
}

absl::StatusOr<Value> RemoveAffixMethod(Runtime& runtime, const Value& self, std::string_view name,
                                        Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"affix"}, 1));
  const Text* affix = bound[0].AsText();
  if (affix == nullptr) return TypeError(name, bound[0]);
  const Text& text = *self.AsText();
  const bool prefix = name == "removeprefix";
  if (prefix ? !absl::StartsWith(text.bytes(), affix->bytes())
             : !absl::EndsWith(text.bytes(), affix->bytes())) {
    return self;
  }
  return runtime.NewString(prefix ? text.Substring(affix->size(), text.size())
                                  : text.Substring(0, text.size() - affix->size()));
}

absl::StatusOr<Value> CaseMethod(Runtime& runtime, const Value& self, std::string_view name,
                                 Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  const Case mode = name == "upper"   ? Case::kUpper
                    : name == "lower" ? Case::kLower
                    : name == "title" ? Case::kTitle
                                      : Case::kCapitalized;
  return runtime.NewString(MapCase(*self.AsText(), mode));
}

absl::StatusOr<Value> ReplaceMethod(Runtime& runtime, const Value& self, std::string_view name,
                                    Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"old", "new", "count"}, 2));
  if (bound[0].AsText() == nullptr) return TypeError(name, bound[0]);
  if (bound[1].AsText() == nullptr) return TypeError(name, bound[1]);
  M3_ASSIGN_OR_RETURN(const int64_t count, bound.GetInt(2, -1));
  M3_ASSIGN_OR_RETURN(Text text, Replace(runtime, *self.AsText(), bound[0].AsText()->bytes(),
                                         *bound[1].AsText(), count < 0 ? -1 : count));
  return Value::OfString(std::move(text));
}

absl::StatusOr<Value> FindMethod(Runtime& runtime, const Value& self, std::string_view name,
                                 Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"sub"}, 1));
  const Text* wanted = bound[0].AsText();
  if (wanted == nullptr) return TypeError(name, bound[0]);
  const std::string& text = self.AsText()->bytes();
  M3_RETURN_IF_ERROR(runtime.SpendBytes(text.size()));
  const size_t found = name == "rfind" ? text.rfind(wanted->bytes()) : text.find(wanted->bytes());
  if (found == std::string::npos && name == "index") {
    return absl::InvalidArgumentError(".index() of a string that is not there");
  }
  if (found == std::string::npos) return Value(int64_t{-1});
  return Value(static_cast<int64_t>(CountCodePoints(std::string_view(text).substr(0, found))));
}

absl::StatusOr<Value> CountMethod(Runtime& runtime, const Value& self, std::string_view name,
                                  Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"sub"}, 1));
  int64_t count = 0;
  if (const Sequence* sequence = self.AsSequence()) {
    for (const Value& item : sequence->items) {
      M3_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, item, bound[0]));
      count += equal ? 1 : 0;
    }
    return Value(count);
  }
  const Text* wanted = bound[0].AsText();
  if (wanted == nullptr) return TypeError(name, bound[0]);
  const std::string& text = self.AsText()->bytes();
  M3_RETURN_IF_ERROR(runtime.SpendBytes(text.size()));
  if (wanted->empty()) return Value(static_cast<int64_t>(CountCodePoints(text)) + 1);
  for (size_t at = text.find(wanted->bytes()); at != std::string::npos;
       at = text.find(wanted->bytes(), at + wanted->size())) {
    ++count;
  }
  return Value(count);
}

absl::StatusOr<Value> JoinMethod(Runtime& runtime, const Value& self, std::string_view name,
                                 Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"iterable"}, 1));
  M3_ASSIGN_OR_RETURN(const std::vector<Value> parts, Iterate(runtime, bound[0]));
  for (const Value& part : parts) {
    if (part.AsText() == nullptr) return TypeError(name, part);
  }
  M3_ASSIGN_OR_RETURN(Text text, Join(runtime, *self.AsText(), parts));
  return Value::OfString(std::move(text));
}

absl::StatusOr<Value> IndexMethod(Runtime& runtime, const Value& self, std::string_view name,
                                  Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"value"}, 1));
  const std::vector<Value>& items = self.AsSequence()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    M3_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, items[i], bound[0]));
    if (equal) return Value(static_cast<int64_t>(i));
  }
  return absl::InvalidArgumentError(".index() of a value that is not in the list");
}

absl::StatusOr<Value> GetMethod(Runtime& runtime, const Value& self, std::string_view name,
                                Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"key", "default"}, 1));
  M3_ASSIGN_OR_RETURN(const Value* entry, FindEntry(runtime, *self.AsDict(), bound[0]));
  if (entry != nullptr) return *entry;
  return bound.GetOr(1, Value());
}

absl::StatusOr<Value> ViewMethod(Runtime& runtime, const Value& self, std::string_view name,
                                 Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  std::vector<Value> items;
  for (const auto& [key, value] : self.AsDict()->entries) {
    if (name == "items") {
      M3_ASSIGN_OR_RETURN(Value pair, runtime.NewSequence(Sequence::Type::kTuple, {key, value}));
      items.push_back(std::move(pair));
    } else {
      items.push_back(name == "keys" ? key : value);
    }
  }
  M3_ASSIGN_OR_RETURN(Value view, runtime.NewSequence(Sequence::Type::kView, std::move(items)));
  view.AsSequence()->label = Concat("dict_", name);
  return view;
}

absl::StatusOr<Value> CycleMethod(Runtime& runtime, const Value& self, std::string_view name,
                                  Arguments arguments) {
  if (arguments.positional.empty() || !arguments.keyword.empty()) {
    return absl::InvalidArgumentError("loop.cycle() needs items and nothing else");
  }
  return arguments.positional[self.AsLoop()->index % arguments.positional.size()];
}

constexpr NamedMethod kStringMethods[] = {
    {"strip", StripMethod},
    {"lstrip", StripMethod},
    {"rstrip", StripMethod},
    {"split", SplitMethod},
    {"rsplit", SplitMethod},
    {"splitlines", SplitLinesMethod},
    {"startswith", AffixMethod},
    {"endswith", AffixMethod},
    {"upper", CaseMethod},
    {"lower", CaseMethod},
    {"title", CaseMethod},
    {"capitalize", CaseMethod},
    {"replace", ReplaceMethod},
    {"find", FindMethod},
    {"rfind", FindMethod},
    {"index", FindMethod},
    {"count", CountMethod},
    {"join", JoinMethod},
    {"removeprefix", RemoveAffixMethod},
    {"removesuffix", RemoveAffixMethod},
};
constexpr NamedMethod kListMethods[] = {{"index", IndexMethod}, {"count", CountMethod}};
constexpr NamedMethod kDictMethods[] = {
    {"get", GetMethod}, {"items", ViewMethod}, {"keys", ViewMethod}, {"values", ViewMethod}};
constexpr NamedMethod kLoopMethods[] = {{"cycle", CycleMethod}};

constexpr std::string_view kUnsupportedStringMethods[] = {
    "casefold",    "center",  "encode",     "expandtabs", "format",       "format_map", "isalnum",
    "isalpha",     "isascii", "isdecimal",  "isdigit",    "isidentifier", "islower",    "isnumeric",
    "isprintable", "isspace", "istitle",    "isupper",    "ljust",        "maketrans",  "partition",
    "rindex",      "rjust",   "rpartition", "swapcase",   "translate",    "zfill"};
constexpr std::string_view kUnsupportedListMethods[] = {
    "append", "clear", "copy", "extend", "insert", "pop", "remove", "reverse", "sort"};
constexpr std::string_view kUnsupportedDictMethods[] = {"clear",   "copy",       "fromkeys", "pop",
                                                        "popitem", "setdefault", "update"};
constexpr std::string_view kUnsupportedLoopMethods[] = {"changed"};

template <size_t n>
Method Lookup(const NamedMethod (&methods)[n], std::string_view name) {
  for (const NamedMethod& entry : methods) {
    if (entry.name == name) return entry.method;
  }
  return nullptr;
}

Method Lookup(const Value& object, std::string_view name) {
  if (object.AsText() != nullptr) return Lookup(kStringMethods, name);
  if (object.AsDict() != nullptr) return Lookup(kDictMethods, name);
  if (object.AsLoop() != nullptr) return Lookup(kLoopMethods, name);
  const Sequence* sequence = object.AsSequence();
  if (sequence != nullptr && sequence->type != Sequence::Type::kGenerator &&
      sequence->type != Sequence::Type::kView) {
    return Lookup(kListMethods, name);
  }
  return nullptr;
}

template <size_t n>
bool IsIn(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

bool IsMethod(std::string_view name) {
  return Lookup(kStringMethods, name) != nullptr || Lookup(kListMethods, name) != nullptr ||
         Lookup(kDictMethods, name) != nullptr || Lookup(kLoopMethods, name) != nullptr;
}

bool HasMethod(const Value& object, std::string_view name) {
  return Lookup(object, name) != nullptr;
}

bool IsUnsupportedMethod(const Value& object, std::string_view name) {
  if (object.AsText() != nullptr) return IsIn(kUnsupportedStringMethods, name);
  if (object.AsDict() != nullptr) return IsIn(kUnsupportedDictMethods, name);
  if (object.AsLoop() != nullptr) return IsIn(kUnsupportedLoopMethods, name);
  return object.TypeName() == "list" && IsIn(kUnsupportedListMethods, name);
}

absl::StatusOr<Value> CallMethod(Runtime& runtime, const Value& self, std::string_view name,
                                 Arguments arguments) {
  return Lookup(self, name)(runtime, self, name, std::move(arguments));
}

}  // namespace memory3::jinja
