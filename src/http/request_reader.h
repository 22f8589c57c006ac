// http/request_reader.h: bytes in, one request out. Beast's parser does the syntax; what HTTP allows but nobody honest sends, and what
// two parties could read in two ways (request smuggling), is refused here. Private to this folder.
#pragma once
#include <boost/beast/http/basic_parser.hpp>

#include <optional>
#include <string_view>

#include "core/result.h"
#include "http/message.h"

namespace tanhui::http {

namespace beast = boost::beast;

/// Reads one request into `request`, which is cleared first. put() until done(); then a new reader for the next one.
class RequestReader final : public beast::http::basic_parser<true> {
 public:
  RequestReader(Request& request, std::size_t header_bytes_max);

  /// Takes what it can of `bytes` and tells how much. Stops after the header (has_header()), so that the body's limit can be set.
  /// Errors: http.bad-request, http.header-too-large, http.body-too-large, http.unsupported-version, http.unsupported-encoding.
  core::Result<std::size_t> feed(std::string_view bytes);
  bool has_header() const { return is_header_done(); }
  bool done() const { return is_done(); }
  /// After the header: refuses a longer body at once, where its length was sent, or as soon as it is longer.
  core::Status limit_body(std::size_t bytes_max);
  bool expects_continue() const { return expects_continue_; }
  bool keeps_alive() const { return keep_alive(); }

 private:
  using Field = beast::http::field;
  using View = beast::string_view;
  void on_request_impl(beast::http::verb, View method, View target, int version, beast::error_code& ec) override;
  void on_response_impl(int, View, int, beast::error_code&) override {}
  void on_field_impl(Field field, View name, View value, beast::error_code& ec) override;
  void on_header_impl(beast::error_code& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(View body, beast::error_code& ec) override;
  void on_chunk_header_impl(std::uint64_t, View, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, beast::error_code& ec) override { return on_body_impl(body, ec); }
  void on_finish_impl(beast::error_code&) override {}
  /// Keeps the first mistake and stops the parser.
  void refuse(beast::error_code& ec, std::string_view id, std::string message, std::string action);

  Request& request_;
  std::size_t body_bytes_max_ = 0;
  int hosts_ = 0, lengths_ = 0;
  bool chunked_ = false, expects_continue_ = false, header_complete_ = false;
  std::optional<core::Error> refused_;
};

}  // namespace tanhui::http
