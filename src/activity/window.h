// activity/window.h: which local days of the journal a run reads back. New records lie on touched days. Decisions on earlier records may
// change on inner days; context days are read because inner ones depend on them, and keep their booked outcomes.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/time.h"

namespace tanhui::activity {

struct Days {  // both included
  core::Day first, last;
  bool hold(core::Day day) const { return first <= day && day <= last; }
};

class Window {
 public:
  enum class Place : std::uint8_t { outside, context, inner, edge };  // edge: the outermost inner day; a change there may reach further

  Window() = default;
  /// Inner days lie within `margin` days of a touched one, context days within `margin` of an inner one.
  Window(std::span<const core::Day> touched, int margin) {
    if (touched.empty()) return;
    const auto [first, last] = std::minmax_element(touched.begin(), touched.end());
    first_ = first->count - 2 * margin;
    places_.assign(std::size_t(std::int64_t{last->count} - first->count + 4 * std::int64_t{margin} + 1), Place::outside);
    const auto mark = [&](core::Day day, int reach, Place place) {
      for (int away = -reach; away <= reach; ++away) {
        Place& at = places_[std::size_t(day.count + away - first_)];
        at = std::max(at, place);
      }
    };
    for (const core::Day day : touched) mark(day, 2 * margin, Place::context);
    for (const core::Day day : touched) mark(day, margin, Place::inner);
    // An inner day with a context day beside it is an edge.
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto is_context = [&](std::size_t at) { return at < places_.size() && places_[at] == Place::context; };
      if (places_[i] == Place::inner && (is_context(i - 1) || is_context(i + 1))) places_[i] = Place::edge;
    }
  }
  Place of(core::Day day) const {
    const std::int64_t at = std::int64_t{day.count} - first_;
    return at < 0 || at >= std::int64_t(places_.size()) ? Place::outside : places_[std::size_t(at)];
  }
  bool empty() const { return places_.empty(); }
  core::Day first() const { return {first_}; }
  core::Day last() const { return {std::int32_t(first_ + std::int64_t(places_.size()) - 1)}; }

 private:
  std::int32_t first_ = 0;
  std::vector<Place> places_;
};

}  // namespace tanhui::activity
