// activity/rule_book.h: from methodologies to rules. A rule is a methodology as it stands for one activity, region and year; rows carry
// its index. Rules are made when the first record needs them, by any thread, and never change afterwards.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "activity/act.h"
#include "activity/row.h"
#include "core/time.h"
#include "journal/correction.h"
#include "ledger/ledger.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

class RuleBook {
 public:
  /// What a programme adds: how a trial looks up methods (every region as one, every day as one: identity::Trial), and its own caps.
  struct Lookup {
    std::string as_region;                         // empty: the record's own
    std::map<std::size_t, std::string> elsewhere;  // by the activity an act is quantified as
    std::optional<core::Day> as_day;               // the day that decides validity and factors, instead of the record's own
    std::map<std::size_t, Cap> caps = {};          // by the activity an act is quantified as; the stricter limit counts
  };
  RuleBook(const methodology::Library& library, const methodology::Selection& selection, Lookup lookup);

  /// Index of the rule, or kNoRule when no method is in force.
  std::uint16_t find(std::uint16_t activity, std::string_view region, core::Day day);
  /// Corrections that earlier runs made, and those that this run makes. Before the first question about booked records.
  void know(std::vector<journal::Correction> corrections) { known_corrections_ = std::move(corrections); }
  void correct(std::vector<journal::Correction> corrections) { new_corrections_ = std::move(corrections); }
  /// The rule of a record that earlier runs booked: as they and their corrections left it, and as this run's corrections make it.
  struct BookedRule {
    std::uint16_t before = kNoRule, now = kNoRule;
  };
  /// Errors: account.methodology-gone, recalculate.category-changed.
  core::Result<BookedRule> find_booked(std::string_view methodology, std::uint16_t activity, std::string_view region, core::Day day);

  /// All rules, for the second half of a run, which adds none.
  std::span<const ActRule> rules() const { return rules_; }
  /// One rule, at any time and from any thread that was given its index.
  const ActRule& rule(std::uint16_t index) const { return rules_.data()[index]; }
  /// Exact milligrams of many acts of one rule: one column per quantity of its activity.
  void quantify(std::uint16_t rule, std::span<const std::span<const std::int64_t>> quantities, std::span<std::int64_t> milligrams) const;
  std::size_t quantities(std::uint16_t rule) const { return made_[rule].quantities; }
  /// Whether records of this activity are meter readings. False for one the library does not know.
  bool is_reading(std::uint16_t activity) const {
    return activity < library_.activities().size() && library_.activities()[activity].readings.has_value();
  }
  /// "cn-420100-rail-2024@1" of each methodology that has a rule, by ActRule::methodology.
  const std::vector<std::string>& methodologies() const { return methodology_names_; }
  const std::vector<std::string>& categories() const { return categories_; }
  /// What reports must say about the methods they used: those that are illustrative.
  std::vector<std::string> illustrative() const;

 private:
  struct Made {
    const methodology::Methodology* methodology;
    methodology::Program program;
    std::size_t quantities;
  };
  core::Result<const methodology::Methodology*> corrected(const methodology::Methodology& booked, std::size_t act, std::string_view region,
                                                          core::Day day, std::span<const journal::Correction> corrections) const;
  std::string_view place(std::size_t act, std::string_view region) const;
  std::uint16_t make(const methodology::Methodology& method, std::uint16_t activity, std::string_view region, int year);
  std::uint16_t intern(std::vector<std::string>& names, std::string_view name);

  const methodology::Library& library_;
  const methodology::Selection& selection_;
  Lookup lookup_;
  std::vector<journal::Correction> known_corrections_, new_corrections_;
  std::mutex mutex_;
  std::map<std::tuple<const methodology::Methodology*, std::uint16_t, std::string, int>, std::uint16_t> index_;
  std::vector<ActRule> rules_;
  std::vector<Made> made_;
  std::vector<std::string> methodology_names_, categories_, groups_;
};

/// A thread's memory of what it asked the rule book: a comparison for most records.
class RuleCache {
 public:
  explicit RuleCache(RuleBook& book) : book_(book), last_(kActivitiesMax) {}
  /// `code_of(region)` is asked only when the answer is not remembered.
  template <class CodeOf>
  std::uint16_t find(std::uint16_t activity, std::uint16_t region, const CodeOf& code_of, core::Day day) {
    Last& last = last_[activity];
    if (last.day == day && last.region == region) [[likely]]
      return last.rule;
    const std::uint64_t key = std::uint64_t(activity) << 48 | std::uint64_t(region) << 32 | std::uint32_t(day.count);
    auto found = known_.find(key);
    if (found == known_.end()) found = known_.emplace(key, book_.find(activity, code_of(region), day)).first;
    last = {day, region, found->second};
    return last.rule;
  }

 private:
  struct Last {
    core::Day day{INT32_MIN};
    std::uint16_t region = 0, rule = kNoRule;
  };
  RuleBook& book_;
  std::vector<Last> last_;
  std::unordered_map<std::uint64_t, std::uint16_t> known_;
};

/// The ledger assets a run credits, by index; indexes stay.
class AssetBook {
 public:
  AssetBook(std::string programme, std::int64_t points_expire_after_days)
      : programme_(std::move(programme)), expire_(points_expire_after_days) {}
  std::uint32_t reduction(std::string_view category, int vintage_year);
  std::uint32_t points(core::Day earned);
  std::vector<ledger::Asset> assets() const;
  bool is_points(std::uint32_t asset) const;

 private:
  std::uint32_t intern(ledger::Asset asset);
  std::string programme_;
  std::int64_t expire_;
  mutable std::mutex mutex_;
  std::vector<ledger::Asset> assets_;
};

/// A thread's memory of the assets of each day.
class DayAssets {
 public:
  DayAssets(AssetBook& book, const std::vector<std::string>& categories) : book_(book), categories_(categories) {}
  std::uint32_t reduction(core::Day day, std::uint16_t category);
  std::uint32_t points(core::Day day);

 private:
  struct OfDay {
    int year = 0;
    std::uint32_t points = 0;
  };
  const OfDay& of(core::Day day);
  AssetBook& book_;
  const std::vector<std::string>& categories_;
  core::Day last_day_{INT32_MIN};
  OfDay last_;
  std::unordered_map<std::int32_t, OfDay> days_;
  std::map<std::pair<int, std::uint16_t>, std::uint32_t> reductions_;
};

}  // namespace tanhui::activity
