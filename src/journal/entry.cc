#include "journal/entry.h"

#include <fmt/format.h>

#include "core/json.h"

namespace tanhui::journal {
namespace {

namespace json = boost::json;
constexpr std::int64_t kVersion = 1;

json::object head(std::string_view type) { return {{"type", type}, {"version", kVersion}}; }

json::object write(const KeyEntry& entry) {
  json::object out = head("tanhui/key");
  out["key"] = entry.key;
  out["replaces"] = entry.replaces.empty() ? json::value(nullptr) : json::value(entry.replaces);
  return out;
}

json::object write(const RunEntry& entry) {
  const Run& run = entry.run;
  json::object out = head("tanhui/run");
  out["run"] = std::int64_t(run.id);
  out["key"] = run.key;
  out["programme"] = run.programme;
  out["inputs"] = core::to_hex(run.inputs_digest);
  out["settings"] = core::to_hex(run.settings_digest);
  out["postings"] = core::to_hex(run.postings_digest);
  out["started_ms"] = run.started_ms;
  out["finished_ms"] = run.finished_ms;
  out["records"] = run.records;
  out["accepted"] = run.accepted;
  out["duplicate"] = run.duplicate;
  out["capped"] = run.capped;
  out["rejected"] = run.rejected;
  out["held"] = run.held;
  out["no_consent"] = run.no_consent;
  out["adjusted"] = run.adjusted;
  out["people"] = run.people;
  out["milligrams"] = run.milligrams;
  out["points"] = run.points;
  out["segments"] = entry.segments;
  out["points_expire_days"] = entry.points_expire_days;
  json::array methodologies;
  for (const MethodologyUsed& used : entry.methodologies) methodologies.push_back(json::object{{"id", used.id}, {"sha256", used.sha256}});
  out["methodologies"] = std::move(methodologies);
  json::array corrections;
  for (const Correction& one : entry.corrections)
    corrections.push_back(json::object{
        {"id", one.methodology}, {"version", one.version}, {"from", core::to_text(one.first)}, {"to", core::to_text(one.last)}});
  out["corrections"] = std::move(corrections);
  return out;
}

json::object write(const SegmentEntry& entry) {
  json::object out = head("tanhui/segment");
  out["programme"] = entry.programme;
  out["day"] = core::to_text(entry.day);
  out["run"] = std::int64_t(entry.run);
  out["records"] = entry.records;
  out["milligrams"] = entry.milligrams;
  out["points"] = entry.points;
  out["bytes"] = entry.bytes;
  out["sha256"] = core::to_hex(entry.sha256);
  out["root"] = core::to_hex(entry.root);
  return out;
}

json::object write(const CompactionEntry& entry) {
  json::object out = head("tanhui/compaction");
  out["programme"] = entry.programme;
  out["day"] = core::to_text(entry.day);
  out["file"] = entry.file;
  out["bytes"] = entry.bytes;
  out["sha256"] = core::to_hex(entry.sha256);
  json::array runs;
  for (const RunId run : entry.runs) runs.push_back(std::int64_t(run));
  out["runs"] = std::move(runs);
  return out;
}

json::object write(const StaffActionsEntry& entry) {
  json::object out = head("tanhui/staff-actions");
  out["first"] = entry.first;
  out["count"] = entry.count;
  out["root"] = core::to_hex(entry.root);
  return out;
}

core::Day day_of(const core::MemberReader& in, std::string_view member = "day") {
  const auto day = core::parse_day(in.text(member));
  if (!day) in.fail(member, "is not a day like 2025-03-01");
  return *day;
}

RunId run_id(const core::MemberReader& in, std::int64_t number) {
  if (number <= 0) in.fail("run", "is not a run");
  return RunId(number);
}

// What a run counts and adds up; the ledger's amounts have the same bound.
constexpr std::int64_t kSumMax = (std::int64_t{1} << 62) - 1;
std::int64_t count_member(const core::MemberReader& in, std::string_view name, std::int64_t least = 0) {
  const std::int64_t count = in.integer(name);
  if (count < least || count > kSumMax) in.fail(name, fmt::format("is not a count of {} or more", least));
  return count;
}
std::int64_t sum_member(const core::MemberReader& in, std::string_view name) {
  const std::int64_t sum = in.integer(name);
  if (sum < -kSumMax || sum > kSumMax) in.fail(name, "is beyond what a ledger holds");
  return sum;
}

KeyEntry read_key(const core::MemberReader& in) { return {in.text("key"), in.text_or_null("replaces").value_or("")}; }

RunEntry read_run(const core::MemberReader& in) {
  RunEntry entry;
  Run& run = entry.run;
  run.id = run_id(in, in.integer("run"));
  run.key = in.text("key");
  run.programme = in.text("programme");
  run.inputs_digest = in.hex_digest("inputs");
  run.settings_digest = in.hex_digest("settings");
  run.postings_digest = in.hex_digest("postings");
  run.started_ms = in.integer("started_ms");
  run.finished_ms = in.integer("finished_ms");
  run.records = count_member(in, "records");
  run.accepted = count_member(in, "accepted");
  run.duplicate = count_member(in, "duplicate");
  run.capped = count_member(in, "capped");
  run.rejected = count_member(in, "rejected");
  run.held = count_member(in, "held");
  run.no_consent = count_member(in, "no_consent");
  run.adjusted = count_member(in, "adjusted");
  run.people = count_member(in, "people");
  run.milligrams = sum_member(in, "milligrams");
  run.points = sum_member(in, "points");
  entry.segments = count_member(in, "segments");
  entry.points_expire_days = in.integer("points_expire_days");
  for (const json::value& value : in.array("methodologies")) {
    const core::MemberReader used(value, "a methodology of the run");
    entry.methodologies.push_back({used.text("id"), used.text("sha256")});
  }
  for (const json::value& value : in.array("corrections")) {
    const core::MemberReader one(value, "a correction of the run");
    entry.corrections.push_back({one.text("id"), int(one.integer("version")), day_of(one, "from"), day_of(one, "to")});
  }
  return entry;
}

SegmentEntry read_segment(const core::MemberReader& in) {
  return {in.text("programme"),          day_of(in),
          run_id(in, in.integer("run")), count_member(in, "records", 1),
          sum_member(in, "milligrams"),  sum_member(in, "points"),
          count_member(in, "bytes", 1),  in.hex_digest("sha256"),
          in.hex_digest("root")};
}

CompactionEntry read_compaction(const core::MemberReader& in) {
  CompactionEntry entry{in.text("programme"), day_of(in), in.text("file"), in.integer("bytes"), in.hex_digest("sha256"), {}};
  for (const json::value& value : in.array("runs")) {
    if (!value.is_int64()) in.fail("runs", "is not a list of runs");
    entry.runs.push_back(run_id(in, value.get_int64()));
  }
  return entry;
}

StaffActionsEntry read_staff_actions(const core::MemberReader& in) {
  const StaffActionsEntry entry{in.integer("first"), in.integer("count"), in.hex_digest("root")};
  if (entry.first <= 0) in.fail("first", "is not the number of an act");
  if (entry.count <= 0 || entry.count > std::numeric_limits<std::int64_t>::max() - entry.first) in.fail("count", "is not a number of acts");
  return entry;
}

core::Error bad(std::string_view why) {
  return {core::ErrorCode::invalid_input,
          "entry.bad",
          fmt::format("an entry of the log cannot be read: {}", why),
          "get it again from the log, unchanged",
          {{"reason", std::string(why)}}};
}

}  // namespace

std::string_view type_name(const Entry& entry) {
  constexpr std::string_view names[] = {"key", "run", "segment", "compaction", "staff-actions"};
  return names[entry.index()];
}

std::string entry_bytes(const Entry& entry) {
  return json::serialize(std::visit([](const auto& one) { return write(one); }, entry));
}

core::Result<Entry> parse_entry(std::string_view bytes) {
  const auto document = core::parse_json(bytes);
  if (!document) return bad("it is not JSON");
  try {
    const core::MemberReader in(*document, "the entry");
    const std::string type = in.text("type");
    const bool known_version = in.integer("version") == kVersion;
    std::optional<Entry> entry;
    if (known_version && type == "tanhui/key") entry = read_key(in);
    if (known_version && type == "tanhui/run") entry = read_run(in);
    if (known_version && type == "tanhui/segment") entry = read_segment(in);
    if (known_version && type == "tanhui/compaction") entry = read_compaction(in);
    if (known_version && type == "tanhui/staff-actions") entry = read_staff_actions(in);
    if (!entry)
      return core::Error{
          core::ErrorCode::invalid_input,
          "entry.unknown-type",
          fmt::format("the log has an entry of type '{}', version {}, which this program does not know", type, in.integer("version")),
          "use a newer tanhui",
          {{"type", type}}};
    if (entry_bytes(*entry) != bytes) return bad("it is not written in the one way that entries are written");
    return *entry;
  } catch (const core::BadMember& problem) {
    return bad(problem.what());
  }
}

}  // namespace tanhui::journal
