#include "activity/look_back.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>

#include "activity/booked_rows.h"
#include "activity/intake_stage.h"
#include "activity/person_stage.h"

namespace tanhui::activity {
namespace {

using journal::Column;
constexpr journal::ColumnSet kKeyColumns{Column::person, Column::event, Column::object, Column::activity};
constexpr journal::ColumnSet kMeterColumns{Column::person, Column::object, Column::activity};
constexpr journal::ColumnSet kRuleColumns{Column::person,   Column::event,  Column::object,     Column::start,
                                          Column::activity, Column::region, Column::methodology};
constexpr core::Millis kBeyondADay = core::kMillisPerDay - 1;

class Backward {
 public:
  explicit Backward(LookBackInput& input) : input_(input), uses_(KeyUse::kWords, input.memory_bytes / 4, input.spill_folder) {}

  core::Result<LookBack> run() {
    LookBack result;
    std::vector<std::uint64_t> candidates = std::move(input_.candidates);
    if (input_.corrects) {
      if (auto status = note_corrected(result, candidates); !status) return status.error();
    }
    if (input_.filter != nullptr) {
      if (auto status = note_earlier_uses(candidates); !status) return status.error();
    }
    const bool everything = candidates.size() > Packer::kCandidatesMax;
    if (!everything) result.repeated = std::make_unique<KeySet>(candidates);
    if (everything || !result.repeated->empty()) note_fresh_uses(result.repeated.get());
    if (input_.fresh->rows() > 0 && any_readings()) {
      if (auto status = note_meter_days(); !status) return status.error();
    }
    const Contested contested = find_contested(uses_);

    std::vector<core::Day> touched = input_.touched;
    touched.insert(touched.end(), result.corrected_on.begin(), result.corrected_on.end());
    touched.insert(touched.end(), contested.earlier_days.begin(), contested.earlier_days.end());
    const auto load = [&](int margin) {
      result.margin_days = margin;
      result.window = Window(touched, margin);
      return load_earlier(result);
    };
    // Earlier records may bring rules with longer acts than the new ones have.
    if (auto status = load(std::max(input_.margin_days, margin_of(input_.rules->rules()))); !status) return status.error();
    while (result.margin_days < margin_of(input_.rules->rules())) {
      if (auto status = load(margin_of(input_.rules->rules())); !status) return status.error();
    }
    if (!contested.events.empty() || !contested.objects.empty()) result.verdicts = judge_contested(contested, result);
    return result;
  }

 private:
  // Records that a new correction concerns count as new ones: their days are touched, and objects they share are contested again.
  core::Status note_corrected(LookBack& result, std::vector<std::uint64_t>& candidates) {
    const auto concerned = [&](const journal::CataloguedSegment& segment) { return input_.corrects->hold(segment.day); };
    std::uint64_t rows = 0;
    for (const auto& segment : input_.segments) rows += concerned(segment) ? segment.info.rows : 0;
    auto filter = std::make_unique<KeyFilter>(rows);
    std::vector<std::uint64_t> keys;
    for (const auto& segment : input_.segments) {
      if (!concerned(segment)) continue;
      const std::uint64_t before = result.corrected;
      auto status = each_row_group(segment, kRuleColumns, [&](const journal::Columns& columns) -> core::Status {
        keys.clear();
        for (std::size_t i = 0; i < columns.size(); ++i) {
          const auto rule = rule_of(columns, i);
          if (!rule) return rule.error();
          if (rule->before == rule->now) continue;
          ++result.corrected;
          if (!columns.object.empty() && columns.object[i] != 0 && input_.rules->rule(rule->now).part != Part::reading)
            keys.push_back(columns.object[i]);
        }
        if (candidates.size() <= Packer::kCandidatesMax) filter->note(keys, candidates);
        return core::Done{};
      });
      if (!status) return status;
      if (result.corrected > before) result.corrected_on.push_back(segment.day);
    }
    corrected_keys_ = std::move(filter);
    input_.filter = corrected_keys_.get();
    return core::Done{};
  }

  // Event and object keys of the whole journal that a new record may share.
  core::Status note_earlier_uses(std::vector<std::uint64_t>& candidates) {
    auto freed_objects = find_freed();
    if (!freed_objects) return freed_objects.error();
    const KeySet freed(*freed_objects);
    Shuffle::Writer writer(uses_);
    for (const auto& segment : input_.segments) {
      const bool may_be_corrected = input_.corrects && input_.corrects->hold(segment.day);
      auto status = each_row_group(segment, may_be_corrected ? kRuleColumns : kKeyColumns, [&](const journal::Columns& columns) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
          bool earlier = true;
          if (may_be_corrected) {
            const auto rule = rule_of(columns, i);
            if (!rule) return core::Status(rule.error());
            earlier = rule->before == rule->now;
          }
          const auto note = [&](std::uint64_t key, bool object) {
            if (key == 0 || !input_.filter->may_hold(key)) return;
            write_use(writer, KeyUse::of(key, columns.person[i], segment.day, earlier, object));
            if (candidates.size() <= Packer::kCandidatesMax) candidates.push_back(key);
          };
          note(columns.event[i], false);
          const std::uint64_t claimed = booked_claim(columns, i, segment.day);
          if (claimed == 0) continue;
          const bool reading = input_.rules->is_reading(columns.activity[i]);
          if (!reading) note(claimed, true);
          if (!freed.holds(claimed)) continue;
          if (reading || !input_.filter->may_hold(claimed))
            write_use(writer, KeyUse::of(claimed, columns.person[i], segment.day, earlier, true));
          write_use(writer, KeyUse::of(claimed, columns.person[i], segment.day, false, true));
        }
        return core::Status(core::Done{});
      });
      if (!status) return status;
    }
    return core::Done{};
  }

  std::uint64_t booked_claim(const journal::Columns& columns, std::size_t i, core::Day day) const {
    if (columns.object.empty() || columns.object[i] == 0) return 0;
    return input_.rules->is_reading(columns.activity[i]) ? meter_day_key(columns.object[i], day) : columns.object[i];
  }

  // What earlier records claim that new ones take back. A reversal need not name the object, and others may have lost it.
  core::Result<std::vector<std::uint64_t>> find_freed() {
    std::vector<std::uint64_t> freed;
    if (input_.reversals.empty()) return freed;
    const KeySet reversals(input_.reversals);
    for (const auto& segment : input_.segments) {
      auto status = each_row_group(segment, kKeyColumns, [&](const journal::Columns& columns) {
        for (std::size_t i = 0; i < columns.object.size(); ++i) {
          if (columns.object[i] != 0 && reversals.holds(columns.event[i])) freed.push_back(booked_claim(columns, i, segment.day));
        }
        return core::Status(core::Done{});
      });
      if (!status) return status.error();
    }
    return freed;
  }

  void note_fresh_uses(const KeySet* repeated) {
    Shuffle::Writer writer(uses_);
    each_row(*input_.fresh, input_.fresh_layout, [&](const RowView& view) {
      const Row& row = view.row();
      const core::Day day = input_.zone.local_day(row.start_ms());
      if (repeated == nullptr || repeated->holds(row.event)) write_use(writer, KeyUse::of(row.event, row.person, day, false, false));
      if (view.object() != 0 && (repeated == nullptr || repeated->holds(view.object()))) {
        write_use(writer, KeyUse::of(view.object(), row.person, day, false, true));
      }
    });
  }

  bool any_readings() const {
    const std::span<const ActRule> rules = input_.rules->rules();
    return std::any_of(rules.begin(), rules.end(), [](const ActRule& rule) { return rule.part == Part::reading; });
  }

  // Who reads which meter on the days of new readings. Earlier readings of other days compete with none of them.
  core::Status note_meter_days() {
    const std::span<const ActRule> rules = input_.rules->rules();
    DistinctUses distinct(uses_);
    const auto add_fresh = [&](const RowView& view) {
      const Row& row = view.row();
      if (rules[row.rule].part != Part::reading || row.reversal()) return;
      const core::Day day = input_.zone.local_day(row.start_ms());
      const std::uint64_t claimed = claim_key(view.object(), rules[row.rule], day);
      if (claimed != 0) distinct.add(KeyUse::of(claimed, row.person, day, false, true));
    };
    each_row(*input_.fresh, input_.fresh_layout, add_fresh);
    for (const auto& segment : input_.segments) {
      if (!std::binary_search(input_.touched.begin(), input_.touched.end(), segment.day)) continue;
      auto status = each_row_group(segment, kMeterColumns, [&](const journal::Columns& columns) {
        for (std::size_t i = 0; i < columns.object.size(); ++i) {
          if (columns.object[i] == 0 || !input_.rules->is_reading(columns.activity[i])) continue;
          distinct.add(KeyUse::of(meter_day_key(columns.object[i], segment.day), columns.person[i], segment.day, true, true));
        }
        return core::Status(core::Done{});
      });
      if (!status) return status;
    }
    distinct.flush();
    return core::Done{};
  }

  static void write_use(Shuffle::Writer& writer, const KeyUse& use) { new (writer.add(use.key)) KeyUse(use); }

  template <class Use>
  static void each_row(const Shuffle& shuffle, const Layout& layout, Use&& use) {
    for (std::size_t partition = 0; partition < Shuffle::kPartitions; ++partition) {
      shuffle.each_block(partition, [&](const std::uint64_t* words, std::size_t rows) {
        for (std::size_t i = 0; i < rows; ++i, words += layout.words()) use(RowView(words, layout));
      });
    }
  }

  template <class Use>
  core::Status each_row_group(const journal::CataloguedSegment& segment, journal::ColumnSet wanted, Use&& use) {
    auto reader = journal::SegmentReader::open(input_.journal / segment.info.path);
    if (!reader) return reader.error();
    auto opened = *std::move(reader);
    journal::Columns columns;
    for (std::size_t group = 0; group < opened.row_groups(); ++group) {
      if (auto status = opened.read(group, wanted, *input_.names, columns); !status) return status;
      const journal::Names& names = *input_.names;
      if (names.reasons.size() > kReasons || names.outcomes.size() > kOutcomes || names.evidences.size() > kEvidences ||
          names.sources.size() > kSourcesMax) {
        return core::Error{
            core::ErrorCode::refused,
            "account.newer-journal",
            fmt::format("{} holds outcomes, reasons or grades of evidence that this version does not know", segment.info.path.string()),
            "use the version of tanhui that wrote it, or a newer one",
            {{"segment", segment.info.path.string()}}};
      }
      if (auto status = use(columns); !status) return status;
    }
    return core::Done{};
  }

  core::Status load_earlier(LookBack& result) {
    result.earlier.reset();
    std::optional<Shuffle::Writer> writer;
    for (const auto& segment : input_.segments) {
      if (result.window.of(segment.day) == Window::Place::outside) continue;
      if (!result.earlier) {
        result.earlier = std::make_unique<Shuffle>(kBookedLayout.words(), input_.memory_bytes, input_.spill_folder);
        writer.emplace(*result.earlier);
      }
      auto status = each_row_group(segment, journal::ColumnSet::all(), [&](const journal::Columns& columns) -> core::Status {
        for (std::size_t i = 0; i < columns.size(); ++i) {
          if (const auto column = impossible(columns, i)) return damaged(segment, *column);
          const auto rule = rule_of(columns, i);
          if (!rule) return rule.error();
          pack_booked(columns, i, *rule, writer->add(columns.person[i].high));
        }
        return core::Done{};
      });
      if (!status) return status;
    }
    return core::Done{};
  }

  // The first column of a row whose value no run writes, and a packed row has no room for: the file was damaged or is not ours.
  std::optional<Column> impossible(const journal::Columns& columns, std::size_t i) const {
    const journal::Names& names = *input_.names;
    const auto within = [](std::int64_t value, std::int64_t least, std::int64_t beyond) {
      return value == journal::kMissing || (least <= value && value < beyond);
    };
    if (columns.start_ms[i] < 0 || columns.start_ms[i] >= kStartLimit) return Column::start;
    if (!within(columns.duration_ms[i], 0, kDurationLimit)) return Column::duration_ms;
    if (!within(columns.quantity[i], 0, kQuantityLimit)) return Column::quantity;
    if (columns.points[i] != std::int32_t(columns.points[i])) return Column::points;
    if (columns.source[i] >= names.sources.size()) return Column::source;
    if (columns.evidence[i] >= names.evidences.size()) return Column::evidence;
    if (columns.outcome[i] >= names.outcomes.size()) return Column::outcome;
    if (columns.reason[i] >= names.reasons.size()) return Column::reason;
    return std::nullopt;
  }
  static core::Error damaged(const journal::CataloguedSegment& segment, Column column) {
    return {core::ErrorCode::refused,
            "account.segment-damaged",
            fmt::format("'{}' has a row whose {} is none that a run writes", segment.info.path.string(), name(column)),
            "find out with `tanhui verify --all` what was changed, and restore the file from a copy",
            {{"path", segment.info.path.string()}, {"column", std::string(name(column))}}};
  }

  // A null or a word that is nowhere is a methodology that is not in the library, too.
  core::Result<RuleBook::BookedRule> rule_of(const journal::Columns& columns, std::size_t i) {
    const core::Day day = input_.zone.local_day(columns.start_ms[i]);
    const std::uint64_t what =
        std::uint64_t(columns.methodology[i]) << 48 | std::uint64_t(columns.activity[i]) << 32 | std::uint64_t(columns.region[i]) << 16;
    const auto key = std::pair(what, day.count);
    if (key == last_key_) return last_rule_;
    if (const auto known = rules_.find(key); known != rules_.end()) {
      last_key_ = key;
      return last_rule_ = known->second;
    }
    const auto word = [](const std::vector<std::string>& words, std::size_t index) {
      return index < words.size() ? std::string_view(words[index]) : std::string_view("(none)");
    };
    const journal::Names& names = *input_.names;
    auto rule = input_.rules->find_booked(word(names.methodologies, columns.methodology[i]), columns.activity[i],
                                          word(names.regions, columns.region[i]), day);
    if (rule) rules_[key] = *rule;
    return rule;
  }

  Verdicts judge_contested(const Contested& contested, const LookBack& result) {
    const KeySet events(contested.events), objects(contested.objects);
    const std::span<const ActRule> rules = input_.rules->rules();
    std::vector<Claim> claims;
    std::unordered_set<std::uint64_t> claiming;                                          // events that claim an object
    std::map<std::pair<std::uint64_t, core::PersonKey>, std::pair<int, Reason>> booked;  // of their latest revision
    const auto claim = [&](const RowView& view, bool earlier) {
      const Row& row = view.row();
      claims.push_back({row.person, act_of(view, rules[row.rule], input_.priority(row.source()), input_.zone, earlier)});
    };
    const auto claims_contested = [&](const RowView& view) {
      if (view.object() == 0) return false;
      const ActRule& rule = rules[view.row().rule];
      const core::Day day = rule.part == Part::reading ? input_.zone.local_day(view.row().start_ms()) : core::Day{};
      const std::uint64_t claimed = claim_key(view.object(), rule, day);
      return claimed != 0 && objects.holds(claimed);
    };
    const auto is_contested = [&](const RowView& view, bool earlier) {
      const bool object = claims_contested(view);
      if (!object && !events.holds(view.row().event)) return false;
      if (earlier && refused_now(view, rules[view.row().rule]) != Reason::none) return false;
      if (object) claiming.insert(view.row().event);
      return true;
    };
    const auto take_earlier = [&](const RowView& view) {
      if (!is_contested(view, true)) return;
      claim(view, true);
      auto& latest = booked[{view.row().event, view.row().person}];
      if (view.booked().revision >= latest.first) latest = {view.booked().revision, view.booked().reason};
    };
    if (result.earlier) each_row(*result.earlier, kBookedLayout, take_earlier);
    each_row(*input_.fresh, input_.fresh_layout, [&](const RowView& view) {
      if (is_contested(view, false)) claim(view, false);
    });
    // Reversals that do not name the object. One that is beyond the days in view is known by what it did.
    const auto take_reversal = [&](const RowView& view, bool earlier) {
      const bool taken = events.holds(view.row().event) || claims_contested(view);
      if (view.row().reversal() && !taken && claiming.contains(view.row().event)) claim(view, earlier);
    };
    each_row(*input_.fresh, input_.fresh_layout, [&](const RowView& view) { take_reversal(view, false); });
    if (result.earlier) each_row(*result.earlier, kBookedLayout, [&](const RowView& view) { take_reversal(view, true); });
    for (Claim& one : claims) {
      const auto latest = booked.find({one.act.event, one.person});
      if (one.act.earlier && !one.act.reversal && latest->second.second == Reason::reversed)
        one.act.decide(Outcome::rejected, Reason::reversed);
    }
    return judge(std::move(claims), contested, rules);
  }

  using RuleKey = std::pair<std::uint64_t, std::int32_t>;  // methodology, activity and region; day
  LookBackInput& input_;
  Shuffle uses_;
  std::unique_ptr<KeyFilter> corrected_keys_;
  std::map<RuleKey, RuleBook::BookedRule> rules_;
  RuleKey last_key_{~std::uint64_t{0}, 0};
  RuleBook::BookedRule last_rule_;
};

}  // namespace

// Readings reach seven days back and forth; anything else as far as its longest act, and a day for the clock.
int margin_of(std::span<const ActRule> rules) {
  core::Millis longest = 0;
  bool readings = false;
  for (const ActRule& rule : rules) {
    readings |= rule.part == Part::reading;
    longest = std::max(longest, std::min(rule.limits.duration_max_ms, kDurationLimit));
  }
  const int days = 1 + int((longest + kBeyondADay) / core::kMillisPerDay);
  return readings ? std::max(days, kBaselineDays + 1) : days;
}

core::Result<LookBack> look_back(LookBackInput input) { return Backward(input).run(); }

}  // namespace tanhui::activity
