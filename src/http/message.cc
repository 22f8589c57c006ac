#include "http/message.h"

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/status.hpp>

namespace tanhui::http {
namespace {

constexpr std::array<std::string_view, kMethods> kMethodNames{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; };
           return lower(x) == lower(y);
         });
}

}  // namespace

std::string_view name_of(Method method) { return method == Method::other ? "other" : kMethodNames[std::size_t(method)]; }

Method method_of(std::string_view name) {
  const auto found = std::find(kMethodNames.begin(), kMethodNames.end(), name);
  return found == kMethodNames.end() ? Method::other : Method(found - kMethodNames.begin());
}

std::string_view Request::header(std::string_view name) const {
  for (const Field& field : fields_) {
    if (same_name(view(field.name), name)) return view(field.value);
  }
  return {};
}

bool Request::has_header(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const Field& field) { return same_name(view(field.name), name); });
}

Request::Span Request::keep(std::string_view text) {
  const Span span{std::uint32_t(head_.size()), std::uint32_t(text.size())};
  head_.append(text);
  return span;
}

void Request::clear() {
  constexpr std::size_t kKeptMax = 64 * 1024;  // a large body's memory is not kept for small ones
  context.reset();
  method_ = Method::other;
  version_ = 11;
  target_ = path_ = query_ = {};
  head_.clear();
  fields_.clear();
  if (body_.capacity() > kKeptMax) body_ = {};
  body_.clear();
  query_parameters_.clear();
  route_ = nullptr;
  parameter_names_ = nullptr;
}

std::string_view reason_of(int status) {
  const boost::beast::string_view reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(unsigned(status)));
  return {reason.data(), reason.size()};
}

}  // namespace tanhui::http
