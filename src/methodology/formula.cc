#include "methodology/formula.h"

#include <optional>
#include <unordered_map>

namespace tanhui::methodology {
namespace {

constexpr std::size_t kLengthMax = 4000;
constexpr int kDepthMax = 60;
constexpr std::size_t kNodesMax = 2000;

struct Stop {};  // leaves the recursive descent once the error is noted

struct Function {
  Op op;
  std::size_t least, most;
};

const std::unordered_map<std::string_view, Function>& functions() {
  static const std::unordered_map<std::string_view, Function> table{
      {"min", {Op::min, 1, 20}},    {"max", {Op::max, 1, 20}}, {"clamp", {Op::clamp, 3, 3}}, {"abs", {Op::abs, 1, 1}},
      {"round", {Op::round, 2, 2}}, {"exp", {Op::exp, 1, 1}},  {"ln", {Op::ln, 1, 1}},       {"pow", {Op::pow, 2, 2}},
      {"count", {Op::count, 1, 1}}, {"sum", {Op::sum, 1, 1}},
  };
  return table;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, const std::set<std::string, std::less<>>& tables) : text_(text), tables_(tables) {}

  std::variant<Expr, FormulaError> parse() {
    try {
      if (text_.size() > kLengthMax) fail("the formula is longer than 4000 characters", "split it with let:", 0, 1);
      skip_spaces();
      if (at_ == text_.size()) fail("the formula is empty", "write for example distance * reduction_factor", 0, 1);
      Expr expr = expression(0);
      if (at_ < text_.size()) unexpected("an operator or the end of the formula");
      return expr;
    } catch (const Stop&) {
      return error_;
    }
  }

 private:
  [[noreturn]] void fail(std::string message, std::string hint, std::size_t begin, std::size_t end) {
    error_ = {std::move(message), std::move(hint), begin, end};
    throw Stop{};
  }
  [[noreturn]] void unexpected(std::string_view wanted) {
    if (at_ >= text_.size()) fail(fmt::format("the formula ends where {} should follow", wanted), "", text_.size(), text_.size() + 1);
    std::size_t length = 1;
    if (is_letter(text_[at_])) length = word_at(at_).size();
    while (at_ + length < text_.size() && (text_[at_ + length] & 0xC0) == 0x80) ++length;  // the rest of a UTF-8 character
    std::string hint;
    const std::string_view found = text_.substr(at_, length);
    if (found == "=") hint = "equality is ==";
    if (found == "^") hint = "a power is pow(x, y)";
    if (found == "%") hint = "write 0.05 instead of 5%";
    fail(fmt::format("'{}' stands where {} should be", found, wanted), std::move(hint), at_, at_ + length);
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }
  std::string_view word_at(std::size_t at) const {
    std::size_t end = at;
    if (end < text_.size() && is_letter(text_[end]))
      while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
    return text_.substr(at, end - at);
  }
  bool take(std::string_view symbol) {
    if (text_.substr(at_, symbol.size()) != symbol) return false;
    at_ += symbol.size();
    skip_spaces();
    return true;
  }
  bool take_word(std::string_view word) {
    if (word_at(at_) != word) return false;
    return take(word);
  }
  void require(std::string_view symbol) {
    if (!take(symbol)) unexpected(fmt::format("'{}'", symbol));
  }
  void require_word(std::string_view word) {
    if (!take_word(word)) unexpected(fmt::format("'{}'", word));
  }

  Expr node(Op op, std::size_t begin, std::vector<Expr> items = {}) {
    if (++nodes_ > kNodesMax) fail("the formula has more than 2000 parts", "split it with let:", begin, begin + 1);
    Expr expr;
    expr.op = op;
    expr.begin = begin;
    expr.end = last_end();
    expr.items = std::move(items);
    return expr;
  }
  std::size_t last_end() const {
    std::size_t end = at_;
    while (end > 0 && (text_[end - 1] == ' ' || text_[end - 1] == '\n' || text_[end - 1] == '\r' || text_[end - 1] == '\t')) --end;
    return end;
  }
  static std::vector<Expr> pair(Expr a, Expr b) {
    std::vector<Expr> items;
    items.push_back(std::move(a));
    items.push_back(std::move(b));
    return items;
  }

  Expr expression(int depth) {
    if (depth > kDepthMax) fail("the formula is nested more than 60 deep", "split it with let:", at_, at_ + 1);
    const std::size_t begin = at_;
    if (!take_word("if")) return disjunction(depth);
    std::vector<Expr> items;
    items.push_back(expression(depth + 1));
    require_word("then");
    items.push_back(expression(depth + 1));
    require_word("else");
    items.push_back(expression(depth + 1));
    return node(Op::choose, begin, std::move(items));
  }
  Expr disjunction(int depth) {
    const std::size_t begin = at_;
    Expr left = conjunction(depth);
    while (take_word("or")) {
      Expr right = conjunction(depth);
      left = node(Op::logical_or, begin, pair(std::move(left), std::move(right)));
    }
    return left;
  }
  Expr conjunction(int depth) {
    const std::size_t begin = at_;
    Expr left = negation(depth);
    while (take_word("and")) {
      Expr right = negation(depth);
      left = node(Op::logical_and, begin, pair(std::move(left), std::move(right)));
    }
    return left;
  }
  Expr negation(int depth) {
    const std::size_t begin = at_;
    if (depth > kDepthMax) fail("the formula is nested more than 60 deep", "split it with let:", at_, at_ + 1);
    if (!take_word("not")) return comparison(depth);
    std::vector<Expr> items;
    items.push_back(negation(depth + 1));
    return node(Op::logical_not, begin, std::move(items));
  }
  std::optional<Op> comparison_sign() {
    constexpr std::pair<std::string_view, Op> kSigns[] = {{"<=", Op::less_equal}, {">=", Op::greater_equal}, {"==", Op::equal},
                                                          {"!=", Op::not_equal},  {"<", Op::less},           {">", Op::greater}};
    for (const auto& [sign, op] : kSigns)
      if (take(sign)) return op;
    return std::nullopt;
  }
  Expr comparison(int depth) {
    const std::size_t begin = at_;
    Expr left = addition(depth);
    const std::size_t sign = at_;
    const auto op = comparison_sign();
    if (!op) return left;
    Expr right = addition(depth);
    const std::size_t second = at_;
    if (comparison_sign()) fail("a comparison of three parts", "write a < b and b < c", second, second + 1);
    Expr expr = node(*op, begin, pair(std::move(left), std::move(right)));
    expr.text = std::string(text_.substr(sign, *op == Op::less || *op == Op::greater ? 1 : 2));
    return expr;
  }
  Expr addition(int depth) {
    const std::size_t begin = at_;
    Expr left = product(depth);
    for (;;) {
      const bool plus = take("+");
      if (!plus && !take("-")) return left;
      Expr right = product(depth);
      left = node(plus ? Op::add : Op::subtract, begin, pair(std::move(left), std::move(right)));
    }
  }
  Expr product(int depth) {
    const std::size_t begin = at_;
    Expr left = signed_part(depth);
    for (;;) {
      const bool times = take("*");
      if (!times && !take("/")) return left;
      Expr right = signed_part(depth);
      left = node(times ? Op::multiply : Op::divide, begin, pair(std::move(left), std::move(right)));
    }
  }
  Expr signed_part(int depth) {
    const std::size_t begin = at_;
    if (depth > kDepthMax) fail("the formula is nested more than 60 deep", "split it with let:", at_, at_ + 1);
    if (!take("-")) return primary(depth);
    std::vector<Expr> items;
    items.push_back(signed_part(depth + 1));
    return node(Op::negate, begin, std::move(items));
  }

  Expr primary(int depth) {
    if (at_ >= text_.size()) unexpected("a value");
    const char c = text_[at_];
    if (c == '(') {
      const std::size_t begin = at_;
      take("(");
      Expr inner = expression(depth + 1);
      require(")");
      inner.begin = begin;
      inner.end = last_end();
      return inner;
    }
    if (is_digit(c) || c == '.') return number();
    if (c == '"' || c == '\'') return quoted();
    if (is_letter(c)) return named(depth);
    unexpected("a value");
  }

  Expr number() {
    const std::size_t begin = at_;
    std::size_t end = at_;
    while (end < text_.size() && (is_digit(text_[end]) || text_[end] == '.')) ++end;
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      std::size_t tail = end + 1;
      if (tail < text_.size() && (text_[tail] == '+' || text_[tail] == '-')) ++tail;
      if (tail < text_.size() && is_digit(text_[tail])) {
        while (tail < text_.size() && is_digit(text_[tail])) ++tail;
        end = tail;
      }
    }
    const std::string_view digits = text_.substr(begin, end - begin);
    const auto value = parse_number(digits);
    if (!value) fail(fmt::format("'{}' is not a number", digits), "digits with a decimal point, as in 0.0784", begin, end);
    at_ = end;
    skip_spaces();
    std::string unit;
    if (at_ < text_.size() && text_[at_] == '[') {
      const std::size_t close = text_.find(']', at_);
      if (close == std::string_view::npos)
        fail("this bracket is not closed", "a number's unit stands in brackets: 296 [g CO2e]", at_, at_ + 1);
      unit = std::string(text_.substr(at_ + 1, close - at_ - 1));
      at_ = close + 1;
      skip_spaces();
    } else if (at_ < text_.size() && is_letter(text_[at_]) && word_at(at_) != "then" && word_at(at_) != "else" && word_at(at_) != "and" &&
               word_at(at_) != "or") {
      fail("a number's unit stands in brackets", fmt::format("write {} [{}]", digits, word_at(at_)), at_, at_ + word_at(at_).size());
    }
    Expr expr = node(Op::number, begin);
    expr.number = *value;
    expr.unit_text = std::move(unit);
    return expr;
  }

  Expr quoted() {
    const std::size_t begin = at_;
    const std::size_t close = text_.find(text_[at_], at_ + 1);
    if (close == std::string_view::npos) fail("this quotation mark is not closed", "", begin, begin + 1);
    std::string word(text_.substr(begin + 1, close - begin - 1));
    at_ = close + 1;
    skip_spaces();
    Expr expr = node(Op::word, begin);
    expr.text = std::move(word);
    return expr;
  }

  /// Table names may have hyphens: the longest run of word characters and hyphens that is a known table followed by `[`.
  std::optional<std::string_view> table_here() const {
    std::size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]) || text_[end] == '-')) ++end;
    const std::string_view name = text_.substr(at_, end - at_);
    while (end < text_.size() && text_[end] == ' ') ++end;
    if (end >= text_.size() || text_[end] != '[') return std::nullopt;
    if (name.find('-') != std::string_view::npos && !tables_.contains(name)) {
      // "a - table[x]" without spaces: the table is what follows the last hyphen that makes a known name
      return std::nullopt;
    }
    return name;
  }

  Expr named(int depth) {
    const std::size_t begin = at_;
    if (const auto table = table_here()) return lookup(*table, depth);
    const std::string word(word_at(at_));
    if (word == "then" || word == "else" || word == "and" || word == "or" || word == "in") unexpected("a value");
    take(word);
    if (at_ < text_.size() && text_[at_] == '(') return call(word, begin, depth);
    if (at_ < text_.size() && text_[at_] == '.') {
      take(".");
      const std::string field(word_at(at_));
      if (field.empty()) unexpected("a field name");
      take(field);
      Expr expr = node(Op::field, begin);
      expr.text = word;
      expr.field = field;
      return expr;
    }
    Expr expr = node(Op::name, begin);
    expr.text = word;
    return expr;
  }

  Expr lookup(std::string_view table, int depth) {
    const std::size_t begin = at_;
    const std::string name(table);
    take(table);
    require("[");
    std::vector<Expr> keys;
    do keys.push_back(key(depth));
    while (take(","));
    require("]");
    Expr expr = node(Op::lookup, begin, std::move(keys));
    expr.text = name;
    return expr;
  }

  /// A key may be a word with hyphens (peak-hours, R-410A): such a run stands for itself when the table is looked up by words.
  /// Whether it is a word or a calculation is decided by the check, which knows the table.
  Expr key(int depth) {
    const std::size_t begin = at_;
    std::size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]) || text_[end] == '-' || text_[end] == '.')) ++end;
    const std::string_view run = text_.substr(begin, end - begin);
    std::size_t after = end;
    while (after < text_.size() && text_[after] == ' ') ++after;
    const bool alone = after < text_.size() && (text_[after] == ',' || text_[after] == ']');
    if (alone && run.find('-') != std::string_view::npos && is_letter(run.front())) {
      take(run);
      Expr expr = node(Op::word, begin);
      expr.text = std::string(run);
      return expr;
    }
    return expression(depth + 1);
  }

  Expr call(const std::string& word, std::size_t begin, int depth) {
    const auto found = functions().find(word);
    if (found == functions().end())
      fail(fmt::format("'{}' is not a function", word), "functions: min, max, clamp, abs, round, sum, count, exp, ln, pow", begin,
           begin + word.size());
    require("(");
    if (found->second.op == Op::sum) return sum(begin, depth);
    std::vector<Expr> items;
    do items.push_back(expression(depth + 1));
    while (take(","));
    require(")");
    if (items.size() < found->second.least || items.size() > found->second.most)
      fail(fmt::format("{} takes {} arguments, here are {}", word, found->second.least, items.size()), "", begin, at_);
    return node(found->second.op, begin, std::move(items));
  }

  Expr sum(std::size_t begin, int depth) {
    const std::string variable(word_at(at_));
    if (variable.empty()) unexpected("a name, as in sum(x in loads: x.mass)");
    take(variable);
    require_word("in");
    std::vector<Expr> items;
    items.push_back(expression(depth + 1));
    require(":");
    items.push_back(expression(depth + 1));
    require(")");
    Expr expr = node(Op::sum, begin, std::move(items));
    expr.text = variable;
    return expr;
  }

  std::string_view text_;
  const std::set<std::string, std::less<>>& tables_;
  std::size_t at_ = 0;
  std::size_t nodes_ = 0;
  FormulaError error_;
};

}  // namespace

std::variant<Expr, FormulaError> parse_formula(std::string_view text, const std::set<std::string, std::less<>>& tables) {
  return Parser(text, tables).parse();
}

}  // namespace tanhui::methodology
