// http/compress.h: gzip for large texts, where the client takes it. Streams are never compressed.
#pragma once
#include <string>
#include <string_view>

#include "http/message.h"

namespace tanhui::http {

constexpr std::size_t kCompressedMin = 1024;  // bytes; less is not worth it

/// Whether Accept-Encoding takes gzip: named or *, not with q=0.
bool takes_gzip(std::string_view accept_encoding);
std::string gzip(std::string_view bytes);
/// Compresses the body where it is text of some size and the client takes it; the ETag's "x" becomes "x-gzip".
void compress(const Request& request, Response& response);
bool is_worth_compressing(const Request& request, const Response& response);

}  // namespace tanhui::http
