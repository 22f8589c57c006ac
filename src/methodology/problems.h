// methodology/problems.h: mistakes in a text file, each with its place, the source line with a caret, and what would be right.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "methodology/methodology.h"

namespace tanhui::methodology {

/// The text of one file by lines. Lines and columns count from 1; columns count bytes here and characters in a Problem.
class Source {
 public:
  Source(std::string file, std::string text);
  const std::string& file() const { return file_; }
  const std::string& text() const { return text_; }
  std::string_view line(int number) const;
  std::size_t offset_of(int line, int column) const;
  std::pair<int, int> place_of(std::size_t offset) const;

 private:
  std::string file_, text_;
  std::vector<std::size_t> line_starts_;
};

struct Place {
  int line = 0, column = 0;  // 0: the file as a whole
  std::size_t length = 1;
};

class Reporter {
 public:
  Reporter(const Source& source, std::vector<Problem>& problems) : source_(source), problems_(problems) {}
  void mistake(Place place, std::string message, std::string hint = "");
  void warning(Place place, std::string message, std::string hint = "");
  std::size_t mistakes() const { return mistakes_; }
  const Source& source() const { return source_; }

 private:
  void add(Place place, std::string message, std::string hint, bool is_warning);
  const Source& source_;
  std::vector<Problem>& problems_;
  std::size_t mistakes_ = 0;
};

/// The candidate that `word` was probably meant to be, or empty.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);
/// "did you mean 'unit'?", or "known fields: a, b, c".
std::string hint_of(std::string_view word, std::span<const std::string_view> candidates, std::string_view kind);

}  // namespace tanhui::methodology
