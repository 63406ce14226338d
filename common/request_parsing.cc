#include "common/request_parsing.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::UnknownFieldSet;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

absl::Status Malformed(std::string_view path, const Descriptor& type) {
  if (!path.empty()) return FieldError(path, "is malformed");
  return absl::InvalidArgumentError(
      absl::StrCat("the request is not a well-formed ", type.full_name()));
}

std::string Join(std::string_view prefix, std::string_view name) {
  return prefix.empty() ? std::string(name) : absl::StrCat(AbslView(prefix), ".", AbslView(name));
}

// Why a parser refused `bytes`: walks the wire data by the message's description. Only runs after a
// parse has failed. Our messages do not recurse, so neither does this without end.
absl::Status ExplainParseFailure(std::string_view bytes, const Descriptor& type,
                                 std::string_view prefix) {
  CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()),
                         static_cast<int>(bytes.size()));
  std::map<const FieldDescriptor*, int> occurrences;
  while (const uint32_t tag = input.ReadTag()) {
    const FieldDescriptor* field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
    std::string path(prefix);
    if (field != nullptr) {
      path = Join(prefix, field->name());
      if (field->is_repeated()) absl::StrAppend(&path, "[", occurrences[field]++, "]");
    }
    if (field == nullptr ||
        WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&input, tag)) return Malformed(path, type);
      continue;
    }
    uint32_t length = 0;
    std::string value;
    if (!input.ReadVarint32(&length) || length > bytes.size() ||
        !input.ReadString(&value, static_cast<int>(length))) {
      return Malformed(path, type);
    }
    if (field->type() == FieldDescriptor::TYPE_STRING && !IsValidUtf8(value)) {
      return FieldError(path, "is not valid UTF-8");
    }
    if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
      M3_RETURN_IF_ERROR(ExplainParseFailure(value, *field->message_type(), path));
    }
  }
  return prefix.empty() ? Malformed("", type) : absl::OkStatus();
}

// First field of the message, or of one inside it, that its description does not have.
absl::Status RefuseUnknownFields(const Message& message, std::string_view prefix) {
  const Reflection& reflection = *message.GetReflection();
  const UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
  if (!unknown.empty()) {
    const int number = unknown.field(0).number();
    const FieldDescriptor* known = message.GetDescriptor()->FindFieldByNumber(number);
    if (known != nullptr) return FieldError(Join(prefix, known->name()), "has the wrong type");
    return FieldError(Join(prefix, absl::StrCat("#", number)),
                      absl::StrCat("unknown field number of ", message.GetTypeName()));
  }
  std::vector<const FieldDescriptor*> set;
  reflection.ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    const std::string path = Join(prefix, field->name());
    if (!field->is_repeated()) {
      M3_RETURN_IF_ERROR(RefuseUnknownFields(reflection.GetMessage(message, field), path));
      continue;
    }
    const int count = reflection.FieldSize(message, field);
    for (int i = 0; i < count; ++i) {
      M3_RETURN_IF_ERROR(RefuseUnknownFields(reflection.GetRepeatedMessage(message, field, i),
                                             absl::StrCat(path, "[", i, "]")));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseRequest(std::string_view bytes, Message* request) {
  if (bytes.size() > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError("the request is larger than 2 GiB");
  }
  if (!request->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return ExplainParseFailure(bytes, *request->GetDescriptor(), "");
  }
  return RefuseUnknownFields(*request, "");
}

absl::Status ParseRequest(const grpc::ByteBuffer& buffer, Message* request) {
  grpc::Slice slice;
  if (buffer.Valid() && !buffer.TrySingleSlice(&slice).ok() &&
      !buffer.DumpToSingleSlice(&slice).ok()) {
    return absl::InternalError("cannot read the request's bytes");
  }
  return ParseRequest(std::string_view(reinterpret_cast<const char*>(slice.begin()), slice.size()),
                      request);
}

grpc::ByteBuffer SerializeReply(const Message& reply) {
  grpc::ByteBuffer buffer;
  bool owned = false;
  grpc::SerializationTraits<Message>::Serialize(reply, &buffer, &owned);
  return buffer;
}

}  // namespace memory3
