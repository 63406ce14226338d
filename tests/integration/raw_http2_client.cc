#include "tests/integration/raw_http2_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"

namespace memory3 {
namespace {

// RFC 9113.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr uint8_t kData = 0, kHeaders = 1, kSettings = 4, kPing = 6, kWindowUpdate = 8;
constexpr uint8_t kAck = 0x1, kEndStream = 0x1, kEndHeaders = 0x4;
constexpr size_t kFrameHeaderBytes = 9;
constexpr int kSegment = 1460;  // as on Ethernet
constexpr uint32_t kDefaultWindow = 65535;
constexpr uint32_t kConnection = 0, kCall = 1;  // stream ids

std::string BigEndian(uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

// A header in HPACK without any compression.
std::string Literal(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  for (const std::string_view text : {name, value}) {
    M3_CHECK(text.size() < 127);
    out += static_cast<char>(text.size());
    out += text;
  }
  return out;
}

std::string SetInitialWindow(uint32_t window) { return BigEndian(4, 2) + BigEndian(window, 4); }

}  // namespace

RawHttp2Client::RawHttp2Client(int port, uint32_t window) {
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int smallest = 1;
  M3_CHECK(setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)) == 0);
  // The peer's kernel sizes its send buffer by segments, which loopback makes as large as 64 KiB.
  M3_CHECK(setsockopt(socket_, IPPROTO_TCP, TCP_MAXSEG, &kSegment, sizeof(kSegment)) == 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  M3_CHECK(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  SendBytes(kPreface);
  Send(kSettings, 0, kConnection, SetInitialWindow(window));
  if (window > kDefaultWindow)
    Send(kWindowUpdate, 0, kConnection, BigEndian(window - kDefaultWindow, 4));
}

RawHttp2Client::~RawHttp2Client() { close(socket_); }

void RawHttp2Client::StartChat(const v1::ChatRequest& request) {
  Send(kHeaders, kEndHeaders, kCall,
       Literal(":method", "POST") + Literal(":scheme", "http") +
           Literal(":path", "/memory3.v1.ChatService/Chat") + Literal(":authority", "localhost") +
           Literal("content-type", "application/grpc") + Literal("te", "trailers"));
  const std::string message = request.SerializeAsString();
  const std::string prefix = '\0' + BigEndian(static_cast<uint32_t>(message.size()), 4);
  Send(kData, kEndStream, kCall, prefix + message);
}

void RawHttp2Client::Receive() {
  char buffer[16384];
  ssize_t bytes = 0;
  while ((bytes = recv(socket_, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
    received_.append(buffer, bytes);
  }
  const auto at = [this](size_t i) { return static_cast<uint8_t>(received_[i]); };
  while (received_.size() >= kFrameHeaderBytes) {
    const size_t length = at(0) << 16 | at(1) << 8 | at(2);
    if (received_.size() < kFrameHeaderBytes + length) return;
    OnFrame(at(3), at(4), std::string_view(received_).substr(kFrameHeaderBytes, length));
    received_.erase(0, kFrameHeaderBytes + length);
  }
}

void RawHttp2Client::OnFrame(uint8_t type, uint8_t flags, std::string_view payload) {
  if (type == kData) data_bytes_ += static_cast<int64_t>(payload.size());
  if (type == kHeaders && (flags & kEndStream) != 0) trailers_ = payload;
  if (type == kSettings && (flags & kAck) == 0) Send(kSettings, kAck, kConnection, "");
  if (type == kPing && (flags & kAck) == 0) Send(kPing, kAck, kConnection, payload);
}

void RawHttp2Client::Send(uint8_t type, uint8_t flags, uint32_t stream,
                          std::string_view payload) const {
  std::string frame = BigEndian(static_cast<uint32_t>(payload.size()), 3);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += BigEndian(stream, 4);
  SendBytes(frame.append(payload));
}

void RawHttp2Client::SendBytes(std::string_view bytes) const {
  M3_CHECK(send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size()));
}

}  // namespace memory3
