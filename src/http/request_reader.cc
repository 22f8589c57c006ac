#include "http/request_reader.h"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <fmt/format.h>

namespace tanhui::http {
namespace {

std::string_view text_of(beast::string_view view) { return {view.data(), view.size()}; }

core::Error bad_request(std::string message, std::string action) {
  return {core::ErrorCode::invalid_input, "http.bad-request", std::move(message), std::move(action)};
}

}  // namespace

RequestReader::RequestReader(Request& request, std::size_t header_bytes_max) : request_(request) {
  request_.clear();
  header_limit(std::uint32_t(header_bytes_max));
  body_limit(boost::none);  // ours is limit_body
}

void RequestReader::refuse(beast::error_code& ec, std::string_view id, std::string message, std::string action) {
  if (!refused_) refused_ = core::Error{core::ErrorCode::invalid_input, std::string(id), std::move(message), std::move(action)};
  ec = beast::http::error::bad_field;
}

core::Result<std::size_t> RequestReader::feed(std::string_view bytes) {
  beast::error_code ec;
  const std::size_t taken = put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
  if (!ec || ec == beast::http::error::need_more) return taken;
  if (refused_) return *refused_;
  if (ec == beast::http::error::header_limit) {
    return core::Error{core::ErrorCode::invalid_input, "http.header-too-large", "the header of the request is too long",
                       "send fewer or shorter header fields"};
  }
  if (ec == beast::http::error::bad_version) {
    return core::Error{core::ErrorCode::invalid_input, "http.unsupported-version", "the request is not HTTP/1.1 or HTTP/1.0",
                       "send HTTP/1.1"};
  }
  return bad_request(fmt::format("the request breaks the rules of HTTP/1.1: {}", ec.message()), "send requests as RFC 9112 says");
}

core::Status RequestReader::limit_body(std::size_t bytes_max) {
  body_bytes_max_ = bytes_max;
  const auto length = content_length();
  if (!length || *length <= bytes_max) return core::Done{};
  return core::Error{core::ErrorCode::invalid_input,
                     "http.body-too-large",
                     bytes_max == 0 ? fmt::format("the body has {} bytes, and none is taken here", *length)
                                    : fmt::format("the body has {} bytes, more than the {} that are taken here", *length, bytes_max),
                     bytes_max == 0 ? "send no body" : "send less at once",
                     {{"bytes_max", std::to_string(bytes_max)}}};
}

void RequestReader::on_request_impl(beast::http::verb, View method, View target, int version, beast::error_code& ec) {
  request_.method_ = method_of(text_of(method));
  request_.version_ = version;
  std::string_view sent = text_of(target);
  request_.target_ = request_.keep(sent);
  // Absolute form (RFC 9112 3.2.2): the host in it counts, and is not looked at, for there is one host.
  std::size_t at = 0;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (sent.starts_with(scheme)) at = std::min(sent.find_first_of("/?", scheme.size()), sent.size());
  }
  if (sent != "*" && (at == sent.size() || sent[at] != '/')) {
    return refuse(ec, "http.bad-request", "the request's target is not a path that begins with /",
                  "send a path, for example GET /health/live");
  }
  if (sent.find('#') != std::string_view::npos) {
    return refuse(ec, "http.bad-request", "the request's target has a fragment (#)", "leave out what begins with #");
  }
  const std::size_t question = std::min(sent.find('?', at), sent.size());
  request_.path_ = {request_.target_.at + std::uint32_t(at), std::uint32_t(question - at)};
  const std::size_t query = std::min(question + 1, sent.size());
  request_.query_ = {request_.target_.at + std::uint32_t(query), std::uint32_t(sent.size() - query)};
}

void RequestReader::on_field_impl(Field field, View name, View value, beast::error_code& ec) {
  if (header_complete_) return;  // trailers say nothing that counts here
  if (request_.fields_.size() == Request::kFieldsMax) {
    return refuse(ec, "http.header-too-large", fmt::format("the request has more than {} header fields", Request::kFieldsMax),
                  "send fewer header fields");
  }
  switch (field) {
    case Field::host:
      if (++hosts_ > 1) return refuse(ec, "http.bad-request", "the request has two Host fields", "send one");
      break;
    case Field::content_length:
      // Beast lets equal lengths pass; two readers need not agree on that.
      if (++lengths_ > 1 || value.find(',') != View::npos) {
        return refuse(ec, "http.bad-request", "the request has two Content-Length values", "send one");
      }
      break;
    case Field::transfer_encoding:
      if (request_.version_ < 11) {
        return refuse(ec, "http.bad-request", "HTTP/1.0 has no Transfer-Encoding", "send HTTP/1.1 or Content-Length");
      }
      if (!beast::iequals(value, "chunked")) {
        return refuse(ec, "http.unsupported-encoding", "Transfer-Encoding is something other than chunked",
                      "send chunked or a Content-Length");
      }
      chunked_ = true;
      break;
    case Field::expect:
      if (!beast::iequals(value, "100-continue")) {
        return refuse(ec, "http.expectation-failed", "Expect is something other than 100-continue", "leave out Expect");
      }
      expects_continue_ = request_.version_ >= 11;
      break;
    default:
      break;
  }
  Request::Field kept;
  kept.name = request_.keep(text_of(name));
  kept.value = request_.keep(text_of(value));
  kept.known = std::uint16_t(field);
  request_.fields_.push_back(kept);
}

void RequestReader::on_header_impl(beast::error_code& ec) {
  header_complete_ = true;
  if (request_.version_ >= 11 && hosts_ == 0) return refuse(ec, "http.bad-request", "the request has no Host field", "send Host");
  if (chunked_ && lengths_ > 0) {
    return refuse(ec, "http.bad-request", "the request has both Content-Length and Transfer-Encoding", "send one of them");
  }
}

std::size_t RequestReader::on_body_impl(View body, beast::error_code& ec) {
  if (body.size() > body_bytes_max_ - std::min(body_bytes_max_, request_.body_.size())) {
    refuse(ec, "http.body-too-large",
           body_bytes_max_ == 0 ? "the request has a body, and none is taken here"
                                : fmt::format("the body has more than the {} bytes that are taken here", body_bytes_max_),
           body_bytes_max_ == 0 ? "send no body" : "send less at once");
    return 0;
  }
  request_.body_.append(body.data(), body.size());
  return body.size();
}

}  // namespace tanhui::http
