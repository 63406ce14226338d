#include "engine/text/jinja/value.h"

namespace memory3::jinja {
namespace {

template <typename T>
auto* Pointee(const T* pointer) {
  return pointer == nullptr ? nullptr : pointer->get();
}

std::string_view SequenceTypeName(Sequence::Type type) {
  switch (type) {
    case Sequence::Type::kList:
      return "list";
    case Sequence::Type::kTuple:
      return "tuple";
    case Sequence::Type::kRange:
      return "range";
    case Sequence::Type::kView:
      return "view";
    case Sequence::Type::kGenerator:
      return "generator";
  }
  return "sequence";
}

}  // namespace

Value Value::OfUndefined(std::string reason) {
  return Value(Undefined{std::make_shared<const std::string>(std::move(reason))});
}

Value Value::OfString(Text text) { return Value(std::make_shared<const Text>(std::move(text))); }

Value Value::OfTemplateString(std::string_view text) {
  return OfString(Text(text, Origin::kTemplate));
}

const Text* Value::AsText() const { return Pointee(As<std::shared_ptr<const Text>>()); }
Sequence* Value::AsSequence() const { return Pointee(As<std::shared_ptr<Sequence>>()); }
const Dict* Value::AsDict() const { return Pointee(As<std::shared_ptr<const Dict>>()); }
Namespace* Value::AsNamespace() const { return Pointee(As<std::shared_ptr<Namespace>>()); }
LoopState* Value::AsLoop() const { return Pointee(As<std::shared_ptr<LoopState>>()); }
const Callable* Value::AsCallable() const { return Pointee(As<std::shared_ptr<const Callable>>()); }

std::string_view Value::TypeName() const {
  if (IsUndefined()) return "undefined";
  if (IsNone()) return "None";
  if (As<bool>() != nullptr) return "bool";
  if (As<int64_t>() != nullptr) return "int";
  if (As<double>() != nullptr) return "float";
  if (AsText() != nullptr) return "str";
  if (AsSequence() != nullptr) return SequenceTypeName(AsSequence()->type);
  if (AsDict() != nullptr) return "dict";
  if (AsNamespace() != nullptr) return "namespace";
  if (AsLoop() != nullptr) return "loop";
  return "function";
}

int Value::Depth() const {
  if (const Sequence* sequence = AsSequence()) return sequence->depth;
  if (const Dict* dict = AsDict()) return dict->depth;
  if (const LoopState* loop = AsLoop()) return loop->depth;
  if (const Callable* callable = AsCallable()) return callable->self.Depth() + 1;
  return 0;
}

}  // namespace memory3::jinja
