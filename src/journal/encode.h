// journal/encode.h: private to the room: values of one page to the bytes of Parquet's encodings. Arrow's column writers give the same
// bytes at a fifth of the speed (they hash, buffer and dispatch value by value); pages, headers and footers are still written by Arrow.
// Encodings: https://parquet.apache.org/docs/file-format/data-pages/encodings/ . Everything appends to `out`.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/hash.h"

namespace tanhui::journal::encode {

/// DELTA_BINARY_PACKED. Differences wrap, as the format asks; 32-bit values keep 32-bit differences.
void delta(std::span<const std::int64_t> values, std::string& out);
void delta(std::span<const std::int32_t> values, std::string& out);

/// DELTA_BYTE_ARRAY of 16-byte keys in order: neighbours share their first bytes or all of them.
void delta_keys(std::span<const core::PersonKey> keys, std::string& out);

/// RLE_DICTIONARY: a byte with the width, then runs and bit-packed groups of the indexes. `words` is the size of the dictionary.
void indexes(std::span<const std::uint16_t> values, std::size_t words, std::string& out);

/// Definition levels of an optional column in a version 1 page: which of the rows has a value.
void levels(std::span<const std::uint8_t> present, std::size_t present_count, std::string& out);

/// PLAIN.
void plain(std::span<const std::uint64_t> values, std::string& out);
void plain_word(std::string_view word, std::string& out);

}  // namespace tanhui::journal::encode
