// The values a template computes with: the part of Python's object model that chat templates use.
//
// A Value is cheap to copy; strings, sequences and dictionaries are shared and never change, only a
// Namespace does. Nesting is bounded (kMaxValueDepth), so that recursion over a value is safe.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_VALUE_H_
#define MEMORY3_ENGINE_TEXT_JINJA_VALUE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/text/jinja/text.h"

namespace memory3::jinja {

struct Statement;
struct Sequence;
struct Dict;
struct Namespace;
struct LoopState;
struct Callable;

inline constexpr int kMaxValueDepth = 64;

// Jinja2's default Undefined: empty when printed, iterated or measured; an error otherwise.
struct Undefined {
  std::shared_ptr<const std::string> reason;  // "'x' is undefined"
};
struct None {};

class Value {
 public:
  using Data = std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>,
                            std::shared_ptr<Sequence>, std::shared_ptr<const Dict>,
                            std::shared_ptr<Namespace>, std::shared_ptr<LoopState>,
                            std::shared_ptr<const Callable>>;

  Value() : data_(None{}) {}
  Value(Data data) : data_(std::move(data)) {}  // NOLINT(google-explicit-constructor)
  static Value OfUndefined(std::string reason);
  static Value OfString(Text text);
  static Value OfTemplateString(std::string_view text);

  // Null (or false) when the value is of another kind.
  template <typename T>
  const T* As() const {
    return std::get_if<T>(&data_);
  }
  bool IsUndefined() const { return As<Undefined>() != nullptr; }
  bool IsNone() const { return As<None>() != nullptr; }
  const Text* AsText() const;
  Sequence* AsSequence() const;
  const Dict* AsDict() const;
  Namespace* AsNamespace() const;
  LoopState* AsLoop() const;
  const Callable* AsCallable() const;

  // Name of the kind as Python spells its type ("str", "dict"), for messages.
  std::string_view TypeName() const;
  // Levels of containers, 0 for a scalar.
  int Depth() const;

  const Data& data() const { return data_; }

 private:
  Data data_;
};

struct Sequence {
  enum class Type { kList, kTuple, kRange, kView, kGenerator };
  Type type;
  std::vector<Value> items;
  int depth = 1;
  // What a range prints as, or the name in front of a view's items ("dict_items").
  std::string label;
  // A generator gives each of its items once.
  size_t consumed = 0;
};

// Entries in the order of insertion. Looked up linearly: templates and messages have a handful.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  int depth = 1;
};

// The one value a template can change, through {% set ns.attribute = ... %}.
struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
};

struct LoopState {
  std::vector<Value> items;
  size_t index = 0;
  int depth = 1;
};

struct Callable {
  enum class Type { kFunction, kMethod, kMacro };
  Type type;
  std::string name;
  Value self;                        // kMethod
  const Statement* macro = nullptr;  // kMacro; owned by the parsed template
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_VALUE_H_
