#include "activity/account_json.h"

#include <algorithm>

namespace tanhui::activity {
namespace {

boost::json::object outcomes_json(const Tally& tally) {
  boost::json::object outcomes;
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    boost::json::object reasons;
    for (std::size_t j = 0; j < kReasons; ++j) {
      if (tally.records[i][j] > 0) reasons[name(Reason(j))] = tally.records[i][j];
    }
    outcomes[name(Outcome(i))] = {{"records", tally.of(Outcome(i))}, {"reasons", std::move(reasons)}};
  }
  return outcomes;
}

}  // namespace

boost::json::array changes_json(const AccountReport& report) {
  boost::json::array changes;
  for (const auto& [key, change] : report.tally.changes) {
    changes.push_back({{"activity", report.names.activities[key.activity]},
                       {"methodology_before", report.methodologies[key.methodology_before]},
                       {"methodology", report.methodologies[key.methodology_after]},
                       {"records", change.records},
                       {"adjusted", change.adjusted},
                       {"milligrams_before", change.milligrams_before},
                       {"milligrams", change.milligrams_after},
                       {"points_before", change.points_before},
                       {"points", change.points_after}});
  }
  return changes;
}

boost::json::object report_json(const AccountReport& report, const identity::Programme& programme) {
  boost::json::array activities;
  Tally tally = report.tally;
  for (std::size_t activity = 0; activity < report.names.activities.size(); ++activity) {
    for (std::size_t source = 0; source < programme.sources.size(); ++source) {
      const std::size_t at = activity * std::max<std::size_t>(programme.sources.size(), 1) + source;
      if (at >= tally.cells.size() || tally.cells[at].records == 0) continue;
      const Tally::Cell& cell = tally.cells[at];
      activities.push_back({{"activity", report.names.activities[activity]},
                            {"source", report.names.sources[source]},
                            {"records", cell.records},
                            {"credited", cell.credited},
                            {"quantity", cell.quantity},
                            {"milligrams", cell.milligrams},
                            {"points", cell.points}});
    }
  }
  boost::json::object json;
  json["programme"] = report.programme;
  json["profile"] = report.profile;
  json["run"] = report.run == 0 ? boost::json::value(nullptr) : boost::json::value(report.run);
  json["repeats"] = report.repeats ? boost::json::value(*report.repeats) : boost::json::value(nullptr);
  json["dry_run"] = report.dry_run;
  json["inputs_sha256"] = report.inputs_digest;
  json["records"] = tally.all();
  json["outcomes"] = outcomes_json(tally);
  json["activities"] = std::move(activities);
  json["milligrams"] = tally.milligrams;
  json["points"] = tally.points;
  json["people_credited"] = tally.people_credited;
  json["adjusted"] = {{"records", tally.adjusted}, {"milligrams", tally.adjusted_milligrams}, {"points", tally.adjusted_points}};
  json["changes"] = changes_json(report);
  json["new_debts"] = report.debts;
  if (report.first_day <= report.last_day)
    json["days"] = {{"first", core::to_text(report.first_day)}, {"last", core::to_text(report.last_day)}};
  json["journal"] = {{"segments", report.segments}, {"rows", report.segment_rows}, {"bytes", report.segment_bytes}};
  json["methodologies"] = boost::json::value_from(report.methodologies);
  json["illustrative"] = boost::json::value_from(report.illustrative);
  json["trial"] = programme.trial.has_value();
  json["seconds"] = {{"intake", report.seconds_intake},
                     {"look_back", report.seconds_look_back},
                     {"settle", report.seconds_settle},
                     {"book", report.seconds_book},
                     {"all", report.seconds()}};
  json["records_per_second"] = std::uint64_t(double(tally.all()) / std::max(report.seconds(), 1e-9));
  return json;
}

}  // namespace tanhui::activity
