#include "engine/text/jinja/runtime.h"

#include <algorithm>
#include <string>

#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"

namespace memory3::jinja {
namespace {

absl::Status CheckDepth(int depth) {
  if (depth <= kMaxValueDepth) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Concat("a value is nested deeper than ", kMaxValueDepth, " levels"));
}

}  // namespace

Runtime::~Runtime() {
  for (const std::shared_ptr<Namespace>& made : namespaces_) made->attributes.clear();
}

absl::Status Runtime::Spend(int64_t work) {
  work_ += std::min(work, kMaxRenderWork + 1);
  if (work_ <= kMaxRenderWork) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Concat("rendering takes more than ", kMaxRenderWork, " units of work"));
}

absl::Status Runtime::SpendItems(size_t items) {
  return Spend(1 + 4 * static_cast<int64_t>(std::min<size_t>(items, kMaxRenderWork)));
}

absl::StatusOr<Value> Runtime::NewString(Text text) {
  M3_RETURN_IF_ERROR(SpendBytes(text.size()));
  return Value::OfString(std::move(text));
}

absl::StatusOr<Value> Runtime::NewSequence(Sequence::Type type, std::vector<Value> items) {
  M3_RETURN_IF_ERROR(SpendItems(items.size()));
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.Depth());
  M3_RETURN_IF_ERROR(CheckDepth(depth + 1));
  return Value(std::make_shared<Sequence>(
      Sequence{.type = type, .items = std::move(items), .depth = depth + 1}));
}

absl::StatusOr<Value> Runtime::NewDict(std::vector<std::pair<Value, Value>> entries) {
  M3_RETURN_IF_ERROR(SpendItems(2 * entries.size()));
  int depth = 0;
  for (const auto& [key, value] : entries) depth = std::max({depth, key.Depth(), value.Depth()});
  M3_RETURN_IF_ERROR(CheckDepth(depth + 1));
  return Value(std::shared_ptr<const Dict>(
      std::make_shared<Dict>(Dict{.entries = std::move(entries), .depth = depth + 1})));
}

Value Runtime::NewNamespace(std::vector<std::pair<std::string, Value>> attributes) {
  namespaces_.push_back(std::make_shared<Namespace>(Namespace{std::move(attributes)}));
  return Value(namespaces_.back());
}

}  // namespace memory3::jinja
