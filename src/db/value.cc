#include "db/value.h"

#include <bit>
#include <cstring>
#include <limits>

#include "db/connection.h"

namespace tanhui::db {

static_assert(std::endian::native == std::endian::little, "person keys are swapped into big-endian bytes");

PersonBytes to_bytes(const core::PersonKey& key) {
  const std::uint64_t halves[2] = {__builtin_bswap64(key.high), __builtin_bswap64(key.low)};
  PersonBytes bytes;
  std::memcpy(bytes.data(), halves, sizeof halves);
  return bytes;
}

core::PersonKey person_from(std::string_view sixteen_bytes) {
  std::uint64_t halves[2];
  if (sixteen_bytes.size() != sizeof halves) throw Failure("a person key in the store is not 16 bytes long");
  std::memcpy(halves, sixteen_bytes.data(), sizeof halves);
  return {__builtin_bswap64(halves[0]), __builtin_bswap64(halves[1])};
}

bool Row::is_null(int column) const { return statement_.is_null(column); }
std::int64_t Row::integer(int column) const { return statement_.integer(column); }
std::string_view Row::text(int column) const { return statement_.text(column); }
std::string_view Row::bytes(int column) const { return statement_.bytes(column); }

template <>
std::int64_t Row::get<std::int64_t>(int column) const {
  return integer(column);
}
template <>
std::int32_t Row::get<std::int32_t>(int column) const {
  const std::int64_t value = integer(column);
  if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
    throw Failure("the stored number " + std::to_string(value) + " does not fit 32 bits");
  return std::int32_t(value);
}
template <>
bool Row::get<bool>(int column) const {
  return integer(column) != 0;
}
template <>
std::string Row::get<std::string>(int column) const {
  return std::string(bytes(column));
}
template <>
core::PersonKey Row::get<core::PersonKey>(int column) const {
  return person_from(bytes(column));
}
template <>
core::Digest Row::get<core::Digest>(int column) const {
  const std::string_view stored = bytes(column);
  core::Digest digest;
  if (stored.size() != digest.size()) throw Failure("a digest in the store is not 32 bytes long");
  std::memcpy(digest.data(), stored.data(), digest.size());
  return digest;
}

}  // namespace tanhui::db
