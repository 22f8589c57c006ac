#include "db/dialect.h"

namespace tanhui::db {
namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// Where a quoted text or a comment that starts at `at` ends; `at` itself when none starts there.
std::size_t end_of_quiet(std::string_view sql, std::size_t at) {
  if (sql[at] == '\'' || sql[at] == '"') {
    const std::size_t close = sql.find(sql[at], at + 1);
    return close == std::string_view::npos ? sql.size() : close + 1;
  }
  if (sql.substr(at, 2) == "--") {
    const std::size_t close = sql.find('\n', at);
    return close == std::string_view::npos ? sql.size() : close + 1;
  }
  return at;
}

/// Calls quiet(text) for quoted texts and comments, word(text) for words and numbers, sign(c) for every other character.
template <class Quiet, class Word, class Sign>
void scan(std::string_view sql, Quiet quiet, Word word, Sign sign) {
  for (std::size_t at = 0; at < sql.size();) {
    std::size_t end = end_of_quiet(sql, at);
    if (end != at) {
      quiet(sql.substr(at, end - at));
    } else if (is_word(sql[at])) {
      while (end < sql.size() && is_word(sql[end])) ++end;
      word(sql.substr(at, end - at));
    } else {
      sign(sql[at]);
      end = at + 1;
    }
    at = end;
  }
}

/// Takes blanks and one comma off the end: what stood before a word that is left out.
void drop_comma(std::string& out) {
  while (!out.empty() && (out.back() == ' ' || out.back() == '\n')) out.pop_back();
  if (!out.empty() && out.back() == ',') out.pop_back();
}

}  // namespace

std::string to_sqlite(std::string_view sql) {
  std::string out;
  out.reserve(sql.size());
  scan(
      sql, [&](std::string_view text) { out += text; },
      [&](std::string_view word) { out += word == "BIGINT"  ? "INTEGER"
                                          : word == "BYTEA" ? "BLOB"
                                                            : word; },
      [&](char c) { out += c == '$' ? '?' : c; });
  return out;
}

std::string to_postgres(std::string_view sql) {
  std::string out;
  out.reserve(sql.size());
  std::string_view first, previous;  // words of the statement
  scan(
      sql, [&](std::string_view text) { out += text; },
      [&](std::string_view word) {
        if (first.empty()) first = word;
        const bool shapes_a_table = first == "CREATE" || first == "ALTER";
        if (shapes_a_table && (word == "STRICT" || word == "WITHOUT" || word == "ROWID")) {
          drop_comma(out);
        } else {
          out += word;
          if (shapes_a_table && word == "TEXT" && previous != "AS") out += " COLLATE \"C\"";
        }
        previous = word;
      },
      [&](char c) {
        out += c;
        if (c == ';') first = previous = {};
      });
  return out;
}

int parameters_in(std::string_view sql) {
  int highest = 0;
  bool dollar = false;
  scan(
      sql, [&](std::string_view) { dollar = false; },
      [&](std::string_view word) {
        int number = 0;
        for (const char c : word) number = c >= '0' && c <= '9' && number < 100'000 ? number * 10 + (c - '0') : 100'000;
        if (dollar && number < 100'000) highest = std::max(highest, number);
        dollar = false;
      },
      [&](char c) { dollar = c == '$'; });
  return highest;
}

}  // namespace tanhui::db
