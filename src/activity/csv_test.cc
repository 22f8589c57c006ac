#include "activity/csv.h"

#include <gtest/gtest.h>

#include <random>

namespace tanhui::activity {
namespace {

struct PlainRow {
  std::vector<std::string> fields;
  std::size_t line = 0;
  bool bad = false;
};

// The grammar once more, byte by byte: what the scanner must agree with.
std::vector<PlainRow> read_plainly(std::string text, char delimiter, bool quotes, std::size_t columns) {
  if (!text.empty() && text.back() != '\n') text += '\n';
  std::vector<PlainRow> rows;
  std::size_t line = 0, at = 0;
  while (at < text.size()) {
    PlainRow row;
    row.line = line;
    const std::size_t row_begin = at;
    std::vector<std::pair<std::size_t, std::size_t>> fields;
    bool ended = false;
    while (!ended && at < text.size()) {
      const std::size_t begin = at;
      bool inside = quotes && at < text.size() && text[at] == '"';
      if (inside) ++at;
      for (; at < text.size(); ++at) {
        if (inside && text[at] == '"') {
          if (at + 1 < text.size() && text[at + 1] == '"')
            ++at;
          else
            inside = false;
        } else if (!inside && (text[at] == delimiter || text[at] == '\n')) {
          break;
        }
      }
      std::size_t end = at;
      if (at >= text.size()) {  // never closed: ends with the text
        end = text.size() - 1;
        ended = true;
      } else {
        ended = text[at] == '\n';
      }
      ++at;
      fields.emplace_back(begin, end);
    }
    const std::size_t row_end = fields.back().second;
    line += 1 + std::size_t(std::count(text.begin() + std::ptrdiff_t(row_begin), text.begin() + std::ptrdiff_t(row_end), '\n'));
    if (fields.size() == 1) {
      const std::string only = text.substr(row_begin, row_end - row_begin);
      if (only.empty() || only == "\r") continue;
    }
    row.bad = fields.size() != columns;
    for (std::size_t i = 0; i < fields.size() && !row.bad; ++i) {
      std::string field = text.substr(fields[i].first, fields[i].second - fields[i].first);
      if (i + 1 == fields.size() && !field.empty() && field.back() == '\r') field.pop_back();
      if (quotes && !field.empty() && field.front() == '"') {
        std::string inner;
        bool good = field.size() >= 2 && field.back() == '"';
        for (std::size_t k = 1; good && k + 1 < field.size(); ++k) {
          if (field[k] == '"') {
            good = k + 2 < field.size() && field[k + 1] == '"';
            ++k;
          }
          if (good) inner += '"' == field[k] ? '"' : field[k];
        }
        if (good)
          field = inner;
        else
          row.bad = true;
      }
      row.fields.push_back(std::move(field));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// Rows as the tokeniser gives them, wanting every column.
std::vector<PlainRow> read_fast(const std::string& text, CsvFormat format, std::size_t columns, Simd simd) {
  std::vector<char> buffer(text.begin(), text.end());
  buffer.resize(text.size() + 1 + Table::kSlack, '"');
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t i = 0; i < columns; ++i) wanted.push_back(i);
  Table table;
  CsvTokeniser(format, simd).tokenise({buffer.data(), text.size()}, {columns, false}, wanted, table);
  std::vector<PlainRow> rows;
  for (std::size_t r = 0; r < table.rows; ++r) {
    PlainRow& row = rows.emplace_back();
    row.line = table.lines[r];
    row.bad = table.reasons[r] != Reason::none;
    for (std::size_t c = 0; c < columns; ++c) row.fields.emplace_back(table.at(c, r));
  }
  return rows;
}

std::string shown(const std::vector<PlainRow>& rows) {
  std::string text;
  for (const PlainRow& row : rows) {
    text += std::to_string(row.line) + ":";
    if (row.bad)
      text += " bad";
    else
      for (const auto& field : row.fields) text += "[" + field + "]";
    text += "\n";
  }
  return text;
}

TEST(Csv, Rows) {
  const struct {
    const char* why;
    const char* text;
    const char* rows;
  } cases[] = {
      {"plain", "a,b\nc,d\n", "0:[a][b]\n1:[c][d]\n"},
      {"the last newline may be missing", "a,b\nc,d", "0:[a][b]\n1:[c][d]\n"},
      {"carriage returns", "a,b\r\nc,d\r\n", "0:[a][b]\n1:[c][d]\n"},
      {"empty fields", ",\na,\n,b\n", "0:[][]\n1:[a][]\n2:[][b]\n"},
      {"empty lines are no rows but count as lines", "a,b\n\n\r\nc,d\n", "0:[a][b]\n3:[c][d]\n"},
      {"too few and too many fields spoil one row each", "a\nb,c,d\ne,f\n", "0: bad\n1: bad\n2:[e][f]\n"},
      {"quotes hold delimiters", "\"a,b\",c\n", "0:[a,b][c]\n"},
      {"quotes hold newlines, lines go on counting", "\"a\nb\",c\nd,e\n", "0:[a\nb][c]\n2:[d][e]\n"},
      {"two quotes are one", "\"a\"\"b\",\"\"\n", "0:[a\"b][]\n"},
      {"a quote inside a plain field is a byte", "5\" pipe,b\nc,d\n", "0:[5\" pipe][b]\n1:[c][d]\n"},
      {"text behind a closing quote", "\"a\"x,b\nc,d\n", "0: bad\n1:[c][d]\n"},
      {"a quote never closed", "a,b\n\"c,d\ne,f", "0:[a][b]\n1: bad\n"},
      {"quoted last field before a carriage return", "a,\"b\"\r\n", "0:[a][b]\n"},
      {"nothing", "", ""},
  };
  for (const auto& [why, text, rows] : cases) {
    for (const Simd simd : available_simd())
      EXPECT_EQ(shown(read_fast(text, {}, 2, simd)), rows) << why << ", instruction set " << int(simd);
    EXPECT_EQ(shown(read_plainly(text, ',', true, 2)), rows) << why << ", plain reader";
  }
}

TEST(CsvProperty, EveryInstructionSetReadsAsThePlainReader) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    std::mt19937_64 random(seed);
    const std::size_t columns = 1 + random() % 4;
    const CsvFormat format{random() % 4 == 0 ? ';' : ',', random() % 4 != 0};
    // Weights that bring quotes rarely or often, and rows mostly of the right width.
    const std::string alphabet = random() % 2 == 0 ? std::string("ab,;\n\"\"\r") : std::string("abcdefghijklmnop,,\n\"\xE4\x00", 22);
    std::string text;
    const std::size_t size = random() % 400;
    while (text.size() < size) {
      if (random() % 3 == 0) {
        for (std::size_t i = 0; i < columns; ++i)
          text += (i > 0 ? std::string(1, format.delimiter) : "") + (random() % 5 == 0 ? "\"x,\n\"\"y\"" : "abc");
        text += random() % 3 == 0 ? "\r\n" : "\n";
      } else {
        text += alphabet[random() % alphabet.size()];
      }
    }
    const std::string expected = shown(read_plainly(text, format.delimiter, format.quotes, columns));
    for (const Simd simd : available_simd()) {
      ASSERT_EQ(shown(read_fast(text, format, columns, simd)), expected) << "seed " << seed << ", instruction set " << int(simd) << "\n"
                                                                         << text;
    }
  }
}

TEST(Csv, FirstRow) {
  EXPECT_EQ(CsvTokeniser::first_row("a,\"b \"\"c\",d\r\ne,f,g\n", {}), (std::vector<std::string>{"a", "b \"c", "d"}));
  EXPECT_EQ(CsvTokeniser::first_row("only", {}), (std::vector<std::string>{"only"}));
}

TEST(Csv, WantedColumnsOfWiderRows) {
  std::string text = "a,b,c\nd,e,f,g\nh,i\n";
  const std::size_t size = text.size();
  text.resize(size + 1 + Table::kSlack);
  Table table;
  const std::uint32_t wanted[] = {2, 0};
  CsvTokeniser({}).tokenise({text.data(), size}, {3, true}, wanted, table);
  ASSERT_EQ(table.rows, 3U);
  EXPECT_EQ(table.at(0, 0), "c");
  EXPECT_EQ(table.at(1, 0), "a");
  EXPECT_EQ(table.at(0, 1), "f");
  EXPECT_EQ(table.reasons[2], Reason::bad_row);
}

}  // namespace
}  // namespace tanhui::activity
