// http/structured.h: structured field values (RFC 8941), as far as signatures and digests need them: dictionaries whose members are items
// or inner lists, with parameters; integers, strings, tokens, byte sequences, booleans. Nothing is copied: views into the field's value.
// Decimals and dictionaries beyond the limits are refused, and so is a key that comes twice (the RFC would let the last one win, and two
// readers that disagree about which one that is are an attack).
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tanhui::http::structured {

constexpr std::size_t kMembersMax = 8, kItemsMax = 32, kParametersMax = 16;

struct Bare {
  enum class Kind : std::uint8_t { integer, string, token, bytes, boolean };
  Kind kind = Kind::boolean;
  std::int64_t integer = 0;    // and 0 or 1 of a boolean
  std::string_view text = {};  // string: between its quotes, escapes as they stand; token; bytes: base64 between its colons
};

struct Parameter {
  std::string_view key;
  Bare value;
};

template <class T, std::size_t N>
class Few {  // at most N, in place
 public:
  bool push(const T& value) {
    if (count_ == N) return false;
    values_[count_++] = value;
    return true;
  }
  std::span<const T> all() const { return {values_.data(), count_}; }
  T& back() { return values_[count_ - 1]; }

 private:
  std::array<T, N> values_{};
  std::size_t count_ = 0;
};

struct Parameters : Few<Parameter, kParametersMax> {
  const Bare* find(std::string_view key) const;
};

/// An inner list as signatures have it: strings (components) and the list's own parameters. An item of it that has parameters sets
/// `items_have_parameters`.
struct InnerList {
  Few<Bare, kItemsMax> items;
  bool items_have_parameters = false;
};

struct Member {
  std::string_view key;
  bool is_list = false;
  Bare item = {};       // when it is no list
  InnerList list = {};  // when it is one
  Parameters parameters = {};
};

/// Reads a dictionary member by member; `next` returns nothing at its end, and after a mistake, which `failed` tells.
class Dictionary {
 public:
  explicit Dictionary(std::string_view value);
  bool next(Member& member);
  bool failed() const { return failed_; }

 private:
  bool fail() {
    failed_ = true;
    return false;
  }
  std::string_view rest_;
  Few<std::string_view, kMembersMax> keys_;
  bool failed_ = false, first_ = true;
};

/// Writes values in their one way (RFC 8941 section 4.1).
void write(std::string& out, const Bare& value);
void write(std::string& out, std::span<const Parameter> parameters);

}  // namespace tanhui::http::structured
