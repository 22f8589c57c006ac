// identity/programme.h: a carbon inclusion scheme as data, one YAML file each in programmes/<id>.yaml. Nothing is inherited: a file
// says everything about its programme, so that its digest covers everything a run was settled by.
//
//   id: wuhan-demo                       file name without .yaml; a-z, 0-9, - and .
//   name: {en: ..., zh: ...}
//   region: "420100"                     where a record without a region of its own happened
//   time_zone: Asia/Shanghai             decides the local day
//   parent: hubei                        optional: the programme above
//   currency: CNY
//   methodologies:
//     statuses: [official, reported-by-platform, derived]    what is on without being named
//     illustrative: [cn-420100-bus-2024]                     switched on although illustrative; reports say so
//     only: [...]                                            optional: nothing but these
//     off: [...]                                             optional: never these
//   sources:                             who sends records, by id
//     metro-gate: {name: {en: ..., zh: ...}, priority: 1, evidence: metered}     lower priority wins a collision
//   points: {per_kilogram: 10, daily_cap: 500, expires_after_days: 365}           0 days: never
//   clock: {earliest_day: 2020-01-01, future_tolerance: 10 min}
//   consent: {required: false}           true: nobody is credited who has not agreed
//   caps: {metro-ride: {acts_per_day: 4, kilograms_per_day: 2.5}}      optional: of a person, activity and local day, beside the
//                                        methodology's own caps: the stricter one counts
//   window: {open_days: 3}               optional: how many local days records may come late before their day is sealed
//   brand: {colour: "#00A86B", logo: "https://...", slogan: {en: ..., zh: ...}}    optional, each part too: for pages and applications
//   languages: [zh, en]                  optional: what people may choose, the first one unless they do
//   trial: {as_region: "420100", elsewhere: {home-electricity: "310000"}, as_day: 2025-06-01, warning: {en: ..., zh: ...}}  optional; see
//   Trial
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/decimal.h"
#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"

namespace tanhui::identity {

struct Text {
  std::string en, zh;
  friend bool operator==(const Text&, const Text&) = default;
  const std::string& in(bool chinese) const { return chinese ? zh : en; }
};

struct Source {
  static constexpr std::int64_t kPriorityMax = 255;
  std::string id;
  Text name;
  std::uint8_t priority = 0;  // lower wins
  std::string evidence;       // metered, inferred or declared: what its records are unless they say otherwise
};

struct MethodologyChoice {
  std::vector<std::string> statuses;      // of official, reported-by-platform, derived
  std::vector<std::string> illustrative;  // ids
  std::vector<std::string> only, off;     // ids
};

struct PointRule {
  core::Factor per_milligram;           // exact, in lowest terms: 10 points per kilogram are 1/100000
  std::int64_t daily_cap = 0;           // points of a person and local day
  std::int64_t expires_after_days = 0;  // 0: never
};

/// What one person may be credited for one activity on one local day.
struct ActivityCap {
  std::optional<std::int64_t> acts, milligrams;
  friend bool operator==(const ActivityCap&, const ActivityCap&) = default;
};

struct Brand {
  std::string colour = {}, logo = {};  // "#00A86B"; an https address
  std::optional<Text> slogan = {};
};

/// A trial runs data of another place through chosen methods: every region counts as one, every day as one. Nothing in it is an
/// official reduction, and every report carries the warning.
struct Trial {
  std::string as_region;
  std::map<std::string, std::string> elsewhere;  // by activity: the region whose method is tried instead
  core::Day as_day;
  Text warning;
};

struct Programme {
  static constexpr std::int64_t kOpenDays = 3;
  std::string id;
  Text name;
  std::string region, time_zone, currency;
  std::optional<std::string> parent;
  MethodologyChoice methodologies;
  std::vector<Source> sources;  // in order of id
  PointRule points;
  core::Day earliest_day;  // an earlier local day is a clock that was reset
  core::Millis future_tolerance_ms = 0;
  bool consent_required = false;
  std::map<std::string, ActivityCap> caps;  // by activity
  std::int64_t open_days = kOpenDays;
  Brand brand;
  std::vector<std::string> languages = {"zh", "en"};
  std::optional<Trial> trial;
  core::Digest digest{};  // SHA-256 of the file

  const Source* find_source(std::string_view source) const;
};

/// 1 to 60 of a-z, 0-9, - and . and neither of these first: ids of programmes, organisations and sources.
bool is_id(std::string_view id);

/// Errors: programme.not-found (lists the programmes that are there), programme.invalid (file:line:column, what is wrong, what is right).
core::Result<Programme> read_programme(const std::filesystem::path& file);
core::Result<Programme> parse_programme(std::string_view yaml, std::string_view file_name);
core::Result<Programme> find_programme(const std::filesystem::path& folder, std::string_view id);
/// All programmes of a folder, parents before children. Errors also: programme.parent (missing, or a circle).
core::Result<std::vector<Programme>> read_programmes(const std::filesystem::path& folder);

}  // namespace tanhui::identity
