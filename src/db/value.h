// db/value.h: what goes into a statement and what comes out of a row. Four kinds: nothing, a whole number, text, bytes. There is no
// floating point: a column that holds one is a broken law, and reading it throws.
#pragma once
#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/hash.h"

namespace tanhui::db {

/// The world failed: disk, lock, a damaged file. Caught at the rim only.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// A CHECK, UNIQUE, NOT NULL or FOREIGN KEY of the schema refused a row: the last guard against a mistake in this program.
struct ConstraintBroken : Failure {
  using Failure::Failure;
};

/// Bytes as a parameter; the bytes are looked at, not copied, and must live as long as the call.
struct Bytes {
  std::string_view view;
};

using PersonBytes = std::array<char, 16>;
PersonBytes to_bytes(const core::PersonKey& key);             // big-endian: the order of bytes is the order of keys
core::PersonKey person_from(std::string_view sixteen_bytes);  // throws Failure on any other length

/// One bound parameter, made from whatever the caller has.
class Parameter {
 public:
  enum class Kind { null, integer, text, bytes };
  Parameter(std::nullptr_t) {}
  template <std::integral T>
  requires(sizeof(T) <= 8 && !(std::unsigned_integral<T> && sizeof(T) == 8)) Parameter(T value)
      : kind_(Kind::integer), integer_(std::int64_t(value)) {}
  Parameter(std::string_view text) : kind_(Kind::text), view_(text) {}
  Parameter(const std::string& text) : Parameter(std::string_view(text)) {}
  Parameter(const char* text) : Parameter(std::string_view(text)) {}
  Parameter(Bytes bytes) : kind_(Kind::bytes), view_(bytes.view) {}
  Parameter(const core::PersonKey& key) : kind_(Kind::bytes), person_(to_bytes(key)), is_person_(true) {}
  Parameter(const core::Digest& digest) : Parameter(Bytes{{reinterpret_cast<const char*>(digest.data()), digest.size()}}) {}
  template <class T>
  Parameter(const std::optional<T>& value) : Parameter(value ? Parameter(*value) : Parameter(nullptr)) {}

  Kind kind() const { return kind_; }
  std::int64_t integer() const { return integer_; }
  std::string_view view() const { return is_person_ ? std::string_view(person_.data(), person_.size()) : view_; }

 private:
  Kind kind_ = Kind::null;
  std::int64_t integer_ = 0;
  std::string_view view_;
  PersonBytes person_{};
  bool is_person_ = false;
};

class Statement;

/// A row while it is being visited; columns count from 0. Views die with the visit.
class Row {
 public:
  explicit Row(Statement& statement) : statement_(statement) {}
  bool is_null(int column) const;
  std::int64_t integer(int column) const;  // throws Failure when the column holds anything else
  std::string_view text(int column) const;
  std::string_view bytes(int column) const;
  /// int64_t and narrower (checked), bool, std::string (text or bytes), PersonKey, Digest, optional of these.
  template <class T>
  T get(int column) const;

 private:
  Statement& statement_;
};

template <>
std::int64_t Row::get<std::int64_t>(int column) const;
template <>
std::int32_t Row::get<std::int32_t>(int column) const;
template <>
bool Row::get<bool>(int column) const;
template <>
std::string Row::get<std::string>(int column) const;
template <>
core::PersonKey Row::get<core::PersonKey>(int column) const;
template <>
core::Digest Row::get<core::Digest>(int column) const;

template <class T>
struct OptionalOf : std::false_type {};
template <class T>
struct OptionalOf<std::optional<T>> : std::true_type {
  using Inner = T;
};
/// get<T> that also knows optional<T>.
template <class T>
T read_column(const Row& row, int column) {
  if constexpr (OptionalOf<T>::value) {
    return row.is_null(column) ? T() : T(row.get<typename OptionalOf<T>::Inner>(column));
  } else {
    return row.get<T>(column);
  }
}

}  // namespace tanhui::db
