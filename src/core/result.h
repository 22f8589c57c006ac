// core/result.h: what somebody can act on comes back as a value; ignoring it does not compile, reading the wrong side throws.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tanhui::core {

enum class ErrorCode { invalid_input, not_found, conflict, refused };

/// Shown by every front end: `id` is stable ("profile.unknown-column") and, with `params`, lets a front end say it in the reader's
/// language; `message` says what happened with the values in it, `action` what the reader can do now.
struct Error {
  ErrorCode code = ErrorCode::invalid_input;
  std::string id;
  std::string message;
  std::string action;
  std::vector<std::pair<std::string, std::string>> params = {};
};

/// Reading a Result on its wrong side: the caller's mistake, not the user's.
struct WrongSide : std::logic_error {
  using std::logic_error::logic_error;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  explicit operator bool() const { return state_.index() == 0; }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(const_cast<T&>(value())); }  // by value: `for (auto& row : *read_rows())` must not dangle
  const T* operator->() const { return &value(); }
  const Error& error() const {
    if (state_.index() != 1) throw WrongSide("error() of a Result that holds a value");
    return std::get<1>(state_);
  }

 private:
  const T& value() const {
    if (state_.index() != 0) throw WrongSide("value of a Result that holds an error: " + std::get<1>(state_).message);
    return std::get<0>(state_);
  }
  std::variant<T, Error> state_;
};

struct Done {};
using Status = Result<Done>;

}  // namespace tanhui::core
