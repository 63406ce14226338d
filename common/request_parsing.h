// Bytes -> request message, refusing what a generated parser would let pass or report without a
// name: strings that are not UTF-8, fields nobody knows, malformed wire data.
#ifndef MEMORY3_COMMON_REQUEST_PARSING_H_
#define MEMORY3_COMMON_REQUEST_PARSING_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include <string_view>

#include "absl/status/status.h"

namespace memory3 {

// InvalidArgument, with the field's path ("messages[2].content") where one is known. Unknown fields
// are refused because a field that is accepted must be honoured.
absl::Status ParseRequest(std::string_view bytes, google::protobuf::Message* request);
absl::Status ParseRequest(const grpc::ByteBuffer& buffer, google::protobuf::Message* request);

// The message as a gRPC payload.
grpc::ByteBuffer SerializeReply(const google::protobuf::Message& reply);

}  // namespace memory3

#endif  // MEMORY3_COMMON_REQUEST_PARSING_H_
