#include "activity/rule_book.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/invariant.h"

namespace tanhui::activity {
namespace {

constexpr std::size_t kRulesMax = 32'768;

int year_of(core::Day day) {
  const std::string text = core::to_text(day);
  int year = 0;
  std::from_chars(text.data(), text.data() + 4, year);
  return year;
}

// The activity an act is quantified as: a tap or reading stands for the act it completes.
std::size_t act_of(const methodology::ActivityType& type, std::size_t activity) {
  return type.taps ? type.taps->act : type.readings ? type.readings->act : activity;
}

Part part_of(const methodology::ActivityType& type) {
  if (type.readings) return Part::reading;
  if (type.taps) return type.taps->entry ? Part::entry : Part::exit;
  return Part::whole;
}

Limits limits_of(const methodology::Methodology& method, const methodology::Served& served) {
  Limits limits;
  limits.quantity_min.fill(0);
  limits.quantity_max.fill(kNoLimit);
  for (std::size_t i = 0; i < std::min(served.bounds.size(), kQuantities); ++i) {
    if (!served.bounds[i]) continue;
    limits.quantity_min[i] = served.bounds[i]->min;
    limits.quantity_max[i] = served.bounds[i]->max;
  }
  limits.duration_min_ms = method.limits.duration_ms_min.value_or(0);
  limits.duration_max_ms = method.limits.duration_ms_max.value_or(kNoLimit);
  limits.speed_min_mph = method.limits.speed_m_per_h_min.value_or(0);
  limits.speed_max_mph = method.limits.speed_m_per_h_max.value_or(kNoLimit);
  return limits;
}

core::Error methodology_gone(std::string_view methodology) {
  return {
      core::ErrorCode::not_found,
      "account.methodology-gone",
      fmt::format("earlier records were quantified by methodology {} for an activity type; the library no longer has both", methodology),
      "put the file of that version back; released versions are never removed",
      {{"methodology", std::string(methodology)}}};
}

core::Error category_changed(const methodology::Methodology& before, const methodology::Methodology& now) {
  return {core::ErrorCode::refused,
          "recalculate.category-changed",
          fmt::format("{}@{} counts as '{}', but the records it would correct were booked as '{}' by version {}", now.id, now.version,
                      now.category, before.category, before.version),
          "keep the category in a corrected version; what belongs to another category is another methodology and gets its own id",
          {{"methodology", now.id}, {"before", before.category}, {"now", now.category}}};
}

}  // namespace

RuleBook::RuleBook(const methodology::Library& library, const methodology::Selection& selection, Lookup lookup)
    : library_(library), selection_(selection), lookup_(std::move(lookup)) {
  rules_.reserve(kRulesMax);  // rules never move, so threads read them while others are added
  made_.reserve(kRulesMax);
}

std::uint16_t RuleBook::intern(std::vector<std::string>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return std::uint16_t(found - names.begin());
  names.emplace_back(name);
  return std::uint16_t(names.size() - 1);
}

std::string_view RuleBook::place(std::size_t act, std::string_view region) const {
  if (const auto other = lookup_.elsewhere.find(act); other != lookup_.elsewhere.end()) return other->second;
  return lookup_.as_region.empty() ? region : std::string_view(lookup_.as_region);
}

std::uint16_t RuleBook::find(std::uint16_t activity, std::string_view region, core::Day day) {
  const std::size_t act = act_of(library_.activities()[activity], activity);
  const std::string_view where = place(act, region);
  const core::Day when = lookup_.as_day.value_or(day);
  const methodology::Methodology* method = selection_.choose(act, where, when);
  if (method == nullptr) return kNoRule;
  const std::scoped_lock lock(mutex_);
  return make(*method, activity, where, year_of(when));
}

core::Result<RuleBook::BookedRule> RuleBook::find_booked(std::string_view methodology, std::uint16_t activity, std::string_view region,
                                                         core::Day day) {
  const std::size_t at = methodology.rfind('@');
  int version = 0;
  if (at != std::string_view::npos) std::from_chars(methodology.data() + at + 1, methodology.data() + methodology.size(), version);
  const methodology::Methodology* booked = library_.find(methodology.substr(0, at), version);
  if (booked == nullptr || activity >= library_.activities().size()) return methodology_gone(methodology);
  const std::size_t act = act_of(library_.activities()[activity], activity);
  const std::string_view where = place(act, region);
  auto before = corrected(*booked, act, where, day, known_corrections_);
  if (!before) return before.error();
  auto now = corrected(**before, act, where, day, new_corrections_);
  if (!now) return now.error();
  if ((*now)->category != (*before)->category) return category_changed(**before, **now);
  const int year = year_of(lookup_.as_day.value_or(day));
  const std::scoped_lock lock(mutex_);
  BookedRule rule{make(**before, activity, where, year), make(**now, activity, where, year)};
  // A correction without a factor for this region and year says nothing about the record.
  if (rule.before == kNoRule) rule.before = make(*booked, activity, where, year);
  if (rule.now == kNoRule) rule.now = rule.before;
  core::invariant(rule.before != kNoRule, "what was quantified once can be quantified again");
  return rule;
}

core::Result<const methodology::Methodology*> RuleBook::corrected(const methodology::Methodology& booked, std::size_t act,
                                                                  std::string_view region, core::Day day,
                                                                  std::span<const journal::Correction> corrections) const {
  const methodology::Methodology* best = &booked;
  for (const journal::Correction& correction : corrections) {
    if (correction.methodology != booked.id || correction.version <= best->version) continue;
    if (day < correction.first || correction.last < day) continue;
    const methodology::Methodology* version = library_.find(correction.methodology, correction.version);
    if (version == nullptr) return methodology_gone(fmt::format("{}@{}", correction.methodology, correction.version));
    const std::vector<std::string> chain = library_.region_chain(region);
    const bool there = std::any_of(version->regions.begin(), version->regions.end(),
                                   [&](const std::string& code) { return std::find(chain.begin(), chain.end(), code) != chain.end(); });
    if (there && version->in_force(lookup_.as_day.value_or(day)) && version->find_activity(act) != nullptr) best = version;
  }
  return best;
}

std::uint16_t RuleBook::make(const methodology::Methodology& method, std::uint16_t activity, std::string_view region, int year) {
  const auto key = std::tuple(&method, activity, std::string(region), year);
  if (const auto known = index_.find(key); known != index_.end()) return known->second;
  const methodology::ActivityType& type = library_.activities()[activity];
  const std::size_t act = act_of(type, activity);
  const methodology::Served* served = method.find_activity(act);
  auto program = methodology::Program::compile(library_, method, region, year, act);
  // No factor for this region and year is the same to a record as no method; nothing is guessed.
  if (served == nullptr || !program || rules_.size() == kRulesMax) return index_[key] = kNoRule;

  ActRule rule;
  rule.activity = std::uint16_t(act);
  rule.category = intern(categories_, method.category);
  rule.methodology = intern(methodology_names_, fmt::format("{}@{}", method.id, method.version));
  rule.main = std::uint8_t(std::min(served->main, kQuantities - 1));
  const auto& quantities = library_.activities()[act].quantities;
  for (std::size_t i = 0; i < std::min(quantities.size(), kQuantities); ++i) {
    if (quantities[i].base_unit == "m") rule.distance = std::uint8_t(i);
  }
  rule.part = part_of(type);
  rule.limits = limits_of(method, *served);
  rule.cap = {method.cap.acts.value_or(kNoLimit), served->cap_quantity.value_or(kNoLimit), method.cap.reduction_mg.value_or(kNoLimit)};
  if (const auto cap = lookup_.caps.find(act); cap != lookup_.caps.end())
    rule.cap = {std::min(rule.cap.acts, cap->second.acts), rule.cap.quantity, std::min(rule.cap.milligrams, cap->second.milligrams)};
  const methodology::DoubleCounting& counting = method.double_counting;
  if (!counting.group().empty()) {
    rule.collision.group = std::uint8_t(intern(groups_, counting.group()));
    core::invariant(rule.collision.group < Collision::kGroupsMax, "there are fewer groups than reconciliation has room for");
  }
  rule.collision.scope = counting.scope == methodology::Scope::object ? Collision::Scope::object : Collision::Scope::person;
  rule.collision.when = counting.when == methodology::When::overlap    ? Collision::When::overlap
                        : counting.when == methodology::When::same_day ? Collision::When::same_day
                                                                       : Collision::When::always;
  rule.collision.rank = std::uint8_t(counting.rank);
  for (const std::string& excluded : counting.excludes) rule.collision.excludes |= std::uint64_t{1} << intern(groups_, excluded);
  rule.collision.car_baseline = counting.baseline_mode == "private-car";
  rule.collision.window_ms = rule.limits.duration_min_ms;
  rules_.push_back(rule);
  made_.push_back({&method, *std::move(program), quantities.size()});
  return index_[key] = std::uint16_t(rules_.size() - 1);
}

void RuleBook::quantify(std::uint16_t rule, std::span<const std::span<const std::int64_t>> quantities,
                        std::span<std::int64_t> milligrams) const {
  constexpr std::size_t kPiece = 1024;
  std::array<std::uint8_t, kPiece> flags;
  std::array<std::span<const std::int64_t>, kQuantities> piece;
  for (std::size_t begin = 0; begin < milligrams.size(); begin += kPiece) {
    const std::size_t count = std::min(kPiece, milligrams.size() - begin);
    for (std::size_t i = 0; i < quantities.size(); ++i)
      piece[i] = quantities[i].empty() ? quantities[i] : quantities[i].subspan(begin, count);
    made_[rule].program.evaluate(std::span(piece).first(quantities.size()), milligrams.subspan(begin, count),
                                 std::span(flags).first(count));
  }
}

std::vector<std::string> RuleBook::illustrative() const {
  std::vector<std::string> ids;
  for (const Made& made : made_) {
    if (made.program.status() == methodology::Status::illustrative &&
        std::find(ids.begin(), ids.end(), made.methodology->id) == ids.end()) {
      ids.push_back(made.methodology->id);
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::uint32_t AssetBook::intern(ledger::Asset asset) {
  const std::scoped_lock lock(mutex_);
  const auto found = std::find(assets_.begin(), assets_.end(), asset);
  if (found != assets_.end()) return std::uint32_t(found - assets_.begin());
  assets_.push_back(std::move(asset));
  return std::uint32_t(assets_.size() - 1);
}

std::uint32_t AssetBook::reduction(std::string_view category, int vintage_year) {
  return intern(ledger::reduction_asset(programme_, category, vintage_year));
}

std::uint32_t AssetBook::points(core::Day earned) { return intern(ledger::points_asset(programme_, earned, expire_)); }

bool AssetBook::is_points(std::uint32_t asset) const {
  const std::scoped_lock lock(mutex_);
  return assets_[asset].kind == ledger::AssetKind::points;
}

std::vector<ledger::Asset> AssetBook::assets() const {
  const std::scoped_lock lock(mutex_);
  return assets_;
}

const DayAssets::OfDay& DayAssets::of(core::Day day) {
  if (day == last_day_) return last_;
  auto known = days_.find(day.count);
  if (known == days_.end()) known = days_.emplace(day.count, OfDay{year_of(day), book_.points(day)}).first;
  last_day_ = day;
  return last_ = known->second;
}

std::uint32_t DayAssets::reduction(core::Day day, std::uint16_t category) {
  const int year = of(day).year;
  const auto known = reductions_.find({year, category});
  if (known != reductions_.end()) return known->second;
  return reductions_[{year, category}] = book_.reduction(categories_[category], year);
}

std::uint32_t DayAssets::points(core::Day day) { return of(day).points; }

}  // namespace tanhui::activity
