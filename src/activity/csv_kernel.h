// The scanner's loop, included once for each instruction set by csv_scan.cc inside a namespace that defines `Block`: 64 bytes of text with
// masks of equal bytes, and `flatten`, which writes the positions of set bits. Only builtins here: an inline function of the standard
// library compiled under wider instructions could be the copy the linker keeps for everybody.

struct Quoting {
  bool inside = false;     // within a quoted field
  bool skip_next = false;  // the next byte is the second of two quotes
  std::uint32_t field_begin = 0;
};

// Blocks with quotes: walks from one special byte to the next. Gives the masks of separators and newlines outside quotes.
inline void separate_quoted(const char* text, std::uint32_t base, std::uint64_t quotes, std::uint64_t newlines, std::uint64_t& separators,
                            std::uint64_t& row_ends, Quoting& quoting) {
  std::uint64_t special = quotes | separators;
  separators = row_ends = 0;
  while (special != 0) {
    const std::uint64_t bit = special & (0 - special);
    const std::uint32_t at = base + std::uint32_t(__builtin_ctzll(special));
    special ^= bit;
    if ((quotes & bit) != 0) {
      if (quoting.skip_next) {
        quoting.skip_next = false;
      } else if (quoting.inside) {
        if (text[at + 1] == '"') {
          quoting.skip_next = true;
        } else {
          quoting.inside = false;
        }
      } else if (at == quoting.field_begin) {
        quoting.inside = true;
      }
    } else if (!quoting.inside) {
      separators |= bit;
      row_ends |= newlines & bit;
      quoting.field_begin = at + 1;
    }
  }
}

inline void scan(const char* text, std::size_t size, const CsvFormat& format, CsvScan& out) {
  std::uint32_t* const separators = out.separators.get();
  std::uint32_t* const row_ends_out = out.row_ends.get();
  std::size_t count = 1, rows = 0;
  Quoting quoting;
  bool any_quoted = false;
  for (std::size_t base = 0; base < size; base += 64) {
    const Block block(text + base);
    const std::uint64_t valid = size - base >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (size - base)) - 1;
    const std::uint64_t newlines = block.equal('\n') & valid;
    std::uint64_t mask = (block.equal(format.delimiter) | newlines) & valid;
    std::uint64_t row_ends = newlines;
    if (format.quotes) {
      const std::uint64_t quotes = block.equal('"') & valid;
      if (quotes != 0 || quoting.inside) {
        any_quoted = true;
        separate_quoted(text, std::uint32_t(base), quotes, newlines, mask, row_ends, quoting);
      } else if (mask != 0) {
        quoting.field_begin = std::uint32_t(base) + 64 - std::uint32_t(__builtin_clzll(mask));
      }
    }
    for (; row_ends != 0; row_ends &= row_ends - 1) {
      const std::uint64_t before = (row_ends & (0 - row_ends)) - 1;
      row_ends_out[rows++] = std::uint32_t(count + std::size_t(__builtin_popcountll(mask & before)));
    }
    flatten(mask, std::uint32_t(base), separators + count);
    count += std::size_t(__builtin_popcountll(mask));
  }
  out.separator_count = count;
  out.row_count = rows;
  out.any_quoted = any_quoted;
  out.ends_in_quotes = quoting.inside;
}
