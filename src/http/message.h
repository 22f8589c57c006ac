// http/message.h: a request as handlers read it and a response as they give it. Views into a request live as long as the request.
#pragma once
#include <boost/asio/awaitable.hpp>

#include <any>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "http/query.h"

namespace tanhui::http {

namespace asio = boost::asio;

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options, other };
constexpr std::size_t kMethods = 7;  // without other
std::string_view name_of(Method method);
Method method_of(std::string_view name);
/// Changes nothing (RFC 9110 9.2.1): several may run at once, whatever their order.
constexpr bool is_safe(Method method) { return method == Method::get || method == Method::head || method == Method::options; }

struct Route;  // http/router.h

/// A text that is there as long as the program: media types and header names that are written on every answer cost no memory.
struct Literal {
  std::string_view text;
  consteval Literal(const char* literal) : text(literal) {}
};

class Request {
 public:
  static constexpr std::size_t kPathParametersMax = 8, kFieldsMax = 100;

  Method method() const { return method_; }
  std::string_view target() const { return view(target_); }    // as sent: path and query
  std::string_view path() const { return view(path_); }        // as sent, before the first ?
  std::string_view raw_query() const { return view(query_); }  // as sent, after the first ?
  std::string_view body() const { return body_; }
  std::string take_body() { return std::move(body_); }
  int version() const { return version_; }            // 10 or 11
  bool secure() const { return secure_; }             // came over TLS
  const std::string& peer() const { return *peer_; }  // the address at the other end, without its port

  /// The value of a header field, empty when it is missing; the first when there are several.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
  std::size_t field_count() const { return fields_.size(); }
  std::pair<std::string_view, std::string_view> field(std::size_t i) const { return {view(fields_[i].name), view(fields_[i].value)}; }

  /// The value of {name} in the route's path, percent-decoded. Asking for a name that the route lacks is a broken invariant.
  std::string_view path_parameter(std::string_view name) const;
  /// Query parameters; the first question reads them.
  const Query& query() const { return query_parameters_; }
  const Route& route() const { return *route_; }

  /// Identifies the request in answers, logs and problems: the trace id of a W3C traceparent header, or one that was made here; 32 hex
  /// digits.
  std::string_view request_id() const { return {request_id_.data(), request_id_.size()}; }

  /// What an outer layer knows about this request, for example who calls; of the type that this layer agreed on with itself.
  std::any context;

 private:
  friend class RequestReader;
  friend class Router;
  friend class Engine;
  struct Span {
    std::uint32_t at = 0, size = 0;
  };
  struct Field {
    Span name, value;
    std::uint16_t known = 0;  // beast::http::field
  };
  std::string_view view(Span span) const { return std::string_view(head_).substr(span.at, span.size); }
  Span keep(std::string_view text);
  void clear();

  Method method_ = Method::other;
  bool secure_ = false;
  int version_ = 11;
  Span target_, path_, query_;
  std::string head_;  // everything that spans point into; its memory is used again for the next request
  std::vector<Field> fields_;
  std::string body_;
  Query query_parameters_;
  std::array<Span, kPathParametersMax> path_values_;
  const Route* route_ = nullptr;
  const std::vector<std::string>* parameter_names_ = nullptr;
  const std::string* peer_ = nullptr;
  void* shared_ = nullptr;  // of the server; http/engine.h
  std::array<char, 32> request_id_{};
};

/// Takes pieces of a long answer; http/server.h makes it. Belongs to the thread of its connection.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  /// Sends a piece; waits while the other side is slow. False when it has gone, or the server stops.
  virtual asio::awaitable<bool> write(std::string_view piece) = 0;
  /// True when the server asks to come to an end: finish soon.
  virtual bool stopping() const = 0;
  /// Called once, on this thread, when the other side has gone or the server asks to come to an end: for who waits for something else.
  virtual void when_over(std::function<void()> hook) = 0;
};
using BodyStream = std::function<asio::awaitable<void>(BodyWriter&)>;

constexpr Literal kJson = "application/json", kProblemJson = "application/problem+json", kText = "text/plain; charset=utf-8",
                  kHtml = "text/html; charset=utf-8", kEventStream = "text/event-stream";

struct Response {
  int status = 200;
  Literal content_type = kJson;  // left out when there is no body
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};  // names and values must hold no line ends: checked when written
  BodyStream stream = {};                                         // instead of body: sent in pieces as it comes
  std::string error_id = {};                                      // of a problem, for logs
  bool close = false;                                             // the connection ends after this

  Response& header(std::string name, std::string value) & {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  Response&& header(std::string name, std::string value) && {
    headers.emplace_back(std::move(name), std::move(value));
    return std::move(*this);
  }
};

/// "Not Found" for 404; "Unknown" when there is no such status.
std::string_view reason_of(int status);

}  // namespace tanhui::http
