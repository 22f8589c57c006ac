// http/query.h: the query of a request's address: percent-decoded parameters, read as what they are meant to be. Errors name the parameter.
//
//   const auto limit = request.query().whole("limit", 1, 500);    // Result<optional<int64>>: nothing when it was not given
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace tanhui::http {

/// Appends `text` with %XX turned into bytes (and + into a space, where `form`); false when a % is not followed by two hexadecimal digits,
/// or the result is no UTF-8 or holds a NUL.
bool append_decoded(std::string_view text, bool form, std::string& out);
/// All but unreserved characters (RFC 3986) as %XX.
std::string encode_component(std::string_view text);

class Query {
 public:
  static constexpr std::size_t kParametersMax = 64;

  /// Reads `raw` (without the ?). Errors: http.bad-query.
  core::Status parse(std::string_view raw);
  void clear();

  std::size_t size() const { return parameters_.size(); }
  bool has(std::string_view name) const { return find(name).has_value(); }
  std::optional<std::string_view> find(std::string_view name) const;
  std::pair<std::string_view, std::string_view> at(std::size_t i) const { return {name(i), value(i)}; }

  /// Each: nothing when the parameter was not given. Errors: http.bad-parameter.
  core::Result<std::optional<std::int64_t>> whole(std::string_view name, std::int64_t least, std::int64_t most) const;
  core::Result<std::optional<std::string_view>> text(std::string_view name, std::size_t bytes_max) const;
  core::Result<std::optional<std::string_view>> one_of(std::string_view name, std::initializer_list<std::string_view> choices) const;
  core::Result<std::optional<bool>> boolean(std::string_view name) const;   // true or false
  core::Result<std::optional<core::Day>> day(std::string_view name) const;  // 2024-09-02
  /// Refuses parameters that are not among `names`, and one that is given twice. Errors: http.unknown-parameter, http.repeated-parameter.
  core::Status only(std::span<const std::string> names) const;

 private:
  struct Span {
    std::uint32_t at = 0, size = 0;
  };
  struct Parameter {
    Span name, value;
  };
  std::string_view name(std::size_t i) const { return std::string_view(text_).substr(parameters_[i].name.at, parameters_[i].name.size); }
  std::string_view value(std::size_t i) const { return std::string_view(text_).substr(parameters_[i].value.at, parameters_[i].value.size); }
  std::string text_;  // decoded, one after the other
  std::vector<Parameter> parameters_;
};

core::Error bad_parameter(std::string_view name, std::string_view value, std::string_view expected);

}  // namespace tanhui::http
