#include "http/compress.h"

#include <zlib.h>

#include <stdexcept>

namespace tanhui::http {
namespace {

constexpr int kLevel = 1, kGzipWindow = 15 + 16, kMemory = 8;  // level 1: JSON becomes a sixth, at some hundred MB a second

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// q=0, q=0.0, ... mean "not at all".
bool is_refused(std::string_view parameters) {
  const std::size_t at = parameters.find("q=");
  if (at == std::string_view::npos) return false;
  const std::string_view value = trim(parameters.substr(at + 2));
  return !value.empty() && value.find_first_not_of("0.") == std::string_view::npos;
}

bool is_text(std::string_view type) {
  return type.starts_with("text/") || type.find("json") != std::string_view::npos || type.find("javascript") != std::string_view::npos;
}

}  // namespace

bool takes_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const std::size_t end = std::min(accept_encoding.find(','), accept_encoding.size());
    const std::string_view one = accept_encoding.substr(0, end);
    accept_encoding.remove_prefix(std::min(end + 1, accept_encoding.size()));
    const std::size_t semicolon = std::min(one.find(';'), one.size());
    const std::string_view name = trim(one.substr(0, semicolon));
    const bool refused = is_refused(one.substr(semicolon));
    if (name == "gzip" || name == "x-gzip") return !refused;
    if (name == "*") any = !refused;
  }
  return any;
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  std::string out(deflateBound(&stream, uLong(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = uInt(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = uInt(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (ended != Z_STREAM_END) throw std::runtime_error("zlib did not compress an answer in one piece");
  return out;
}

bool is_worth_compressing(const Request& request, const Response& response) {
  constexpr std::size_t kMost = 1U << 30;  // zlib counts in 32 bits
  return response.body.size() >= kCompressedMin && response.body.size() <= kMost && !response.stream &&
         is_text(response.content_type.text) && takes_gzip(request.header("Accept-Encoding")) &&
         std::none_of(response.headers.begin(), response.headers.end(),
                      [](const auto& header) { return header.first == "Content-Encoding"; });
}

void compress(const Request& request, Response& response) {
  if (!is_worth_compressing(request, response)) return;
  response.body = gzip(response.body);
  response.header("Content-Encoding", "gzip");
  response.header("Vary", "Accept-Encoding");
  for (auto& [name, value] : response.headers) {
    if (name == "ETag" && value.size() > 2 && value.back() == '"') value.insert(value.size() - 1, "-gzip");
  }
}

}  // namespace tanhui::http
