#include "methodology/problems.h"

#include "core/text.h"

namespace tanhui::methodology {
namespace {

constexpr std::size_t kProblemsMax = 200;      // per file: more tell nobody more
constexpr std::size_t kShownColumnsMax = 140;  // of a source line

bool continues_character(char c) { return (c & 0xC0) == 0x80; }

std::size_t characters(std::string_view text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

/// The part of a long line around the caret, tabs as spaces, and the caret's text below it.
std::string excerpt(std::string_view line, std::size_t begin, std::size_t length, int number) {
  std::string shown(line);
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  begin = std::min(begin, shown.size());
  std::size_t from = 0;
  if (begin > kShownColumnsMax / 2) {
    from = begin - kShownColumnsMax / 2;
    while (from < begin && continues_character(shown[from])) ++from;
  }
  std::size_t to = std::min(shown.size(), from + kShownColumnsMax);
  while (to < shown.size() && continues_character(shown[to])) ++to;
  const std::string_view window = std::string_view(shown).substr(from, to - from);
  const std::string_view before = window.substr(0, begin - from);
  const std::string_view marked = window.substr(begin - from, length);
  const std::string prefix = from > 0 ? "... " : "";
  const std::string carets = "^" + std::string(std::max<std::size_t>(core::display_width(marked), 1) - 1, '~');
  return fmt::format("{:>6} | {}{}{}\n       | {}{}\n", number, prefix, window, to < shown.size() ? " ..." : "",
                     std::string(prefix.size() + core::display_width(before), ' '), carets);
}

/// Letters to insert, remove, replace or swap with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_before, before, row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    two_before = std::exchange(before, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_before[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

Source::Source(std::string file, std::string text) : file_(std::move(file)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i)
    if (text_[i] == '\n') line_starts_.push_back(i + 1);
}

std::string_view Source::line(int number) const {
  if (number < 1 || std::size_t(number) > line_starts_.size()) return {};
  const std::size_t begin = line_starts_[std::size_t(number) - 1];
  std::size_t end = std::min(text_.find('\n', begin), text_.size());
  if (end > begin && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(begin, end - begin);
}

std::size_t Source::offset_of(int line, int column) const {
  if (line < 1 || std::size_t(line) > line_starts_.size()) return text_.size();
  return std::min(line_starts_[std::size_t(line) - 1] + std::size_t(std::max(column, 1)) - 1, text_.size());
}

std::pair<int, int> Source::place_of(std::size_t offset) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const auto line = std::size_t(after - line_starts_.begin());
  return {int(line), int(offset - line_starts_[line - 1]) + 1};
}

void Reporter::mistake(Place place, std::string message, std::string hint) {
  ++mistakes_;
  add(place, std::move(message), std::move(hint), false);
}

void Reporter::warning(Place place, std::string message, std::string hint) { add(place, std::move(message), std::move(hint), true); }

void Reporter::add(Place place, std::string message, std::string hint, bool is_warning) {
  if (mistakes_ > kProblemsMax) return;
  const std::string_view line = source_.line(place.line);
  const std::size_t begin = std::min(std::size_t(std::max(place.column, 1)) - 1, line.size());
  Problem problem{.file = source_.file(),
                  .line = place.line,
                  .column = 0,
                  .message = std::move(message),
                  .hint = std::move(hint),
                  .warning = is_warning,
                  .text = {}};
  problem.column = place.line > 0 ? int(characters(line.substr(0, begin))) + 1 : 0;
  const char* kind = is_warning ? "warning" : "mistake";
  if (place.line > 0)
    problem.text = fmt::format("{}:{}:{}: {}: {}\n{}", problem.file, problem.line, problem.column, kind, problem.message,
                               excerpt(line, begin, place.length, place.line));
  else
    problem.text = fmt::format("{}: {}: {}\n", problem.file, kind, problem.message);
  if (!problem.hint.empty()) problem.text += fmt::format("       = {}\n", problem.hint);
  problems_.push_back(std::move(problem));
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  std::size_t least = std::max<std::size_t>(word.size() / 3, 1) + 1;
  if (word.size() > 60) return best;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string hint_of(std::string_view word, std::span<const std::string_view> candidates, std::string_view kind) {
  if (const std::string_view best = nearest(word, candidates); !best.empty()) return fmt::format("did you mean '{}'?", best);
  if (candidates.empty()) return fmt::format("there are no {}", kind);
  constexpr std::size_t kListedMax = 40;
  std::string list;
  for (std::size_t i = 0; i < candidates.size() && i < kListedMax; ++i) list.append(list.empty() ? "" : ", ").append(candidates[i]);
  if (candidates.size() > kListedMax) list += ", ...";
  return fmt::format("{}: {}", kind, list);
}

}  // namespace tanhui::methodology
