// A gRPC client that speaks HTTP/2 by hand over a plain socket, to behave as no library does: it
// grants no flow control window but the one it began with, and reads only when told to.
#ifndef MEMORY3_TESTS_INTEGRATION_RAW_HTTP2_CLIENT_H_
#define MEMORY3_TESTS_INTEGRATION_RAW_HTTP2_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "memory3/v1/chat.pb.h"

namespace memory3 {

class RawHttp2Client {
 public:
  // Connects to a port of loopback, with the smallest receive buffer the system has. Every
  // stream may send `window` bytes, the connection no fewer.
  RawHttp2Client(int port, uint32_t window);
  ~RawHttp2Client();
  RawHttp2Client(const RawHttp2Client&) = delete;
  RawHttp2Client& operator=(const RawHttp2Client&) = delete;

  // Starts ChatService.Chat; one call per client.
  void StartChat(const v1::ChatRequest& request);

  // Takes in what has arrived, without waiting.
  void Receive();
  // Bytes of messages received.
  int64_t data_bytes() const { return data_bytes_; }
  // The answer's last header block as it came, once the call has ended: the server's statuses are
  // not compressed.
  const std::optional<std::string>& trailers() const { return trailers_; }

 private:
  void Send(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) const;
  void SendBytes(std::string_view bytes) const;
  void OnFrame(uint8_t type, uint8_t flags, std::string_view payload);

  int socket_ = -1;
  std::string received_;  // not yet a whole frame
  int64_t data_bytes_ = 0;
  std::optional<std::string> trailers_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_RAW_HTTP2_CLIENT_H_
