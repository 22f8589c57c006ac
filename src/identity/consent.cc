#include "identity/consent.h"

#include <fmt/format.h>

#include <algorithm>

namespace tanhui::identity {
namespace {

constexpr std::string_view kPurposeNames[] = {"crediting", "statistics", "marketing", "sharing"};
constexpr std::string_view kSaidByNames[] = {"person", "partner", "operator"};
const std::string_view kCrediting = kPurposeNames[std::size_t(Purpose::crediting)];

/// The same word again changes nothing; at the same millisecond the withdrawal stays.
void say(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source, core::Millis at_ms,
         int given, const Saying& saying) {
  tx.exec(
      "INSERT INTO consent (programme, person, source, purpose, at_ms, given, said_by, wording) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
      "ON CONFLICT (programme, person, source, purpose, at_ms) DO UPDATE SET given = 0 WHERE excluded.given = 0",
      programme, person, source, name(saying.purpose), at_ms, given, name(saying.said_by), saying.wording);
}

}  // namespace

std::string_view name(Purpose purpose) { return kPurposeNames[std::size_t(purpose)]; }
std::string_view name(SaidBy said_by) { return kSaidByNames[std::size_t(said_by)]; }

core::Result<Purpose> parse_purpose(std::string_view text) {
  for (const Purpose purpose : kPurposes)
    if (name(purpose) == text) return purpose;
  return core::Error{core::ErrorCode::invalid_input,
                     "consent.unknown-purpose",
                     fmt::format("there is no purpose '{}'", text),
                     "use crediting, statistics, marketing or sharing",
                     {{"purpose", std::string(text)}}};
}

void record_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source,
                    core::Millis at_ms, const Saying& saying) {
  say(tx, programme, person, source, at_ms, 1, saying);
}

void withdraw_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source,
                      core::Millis at_ms, const Saying& saying) {
  say(tx, programme, person, source, at_ms, 0, saying);
}

bool change_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source, bool given,
                    core::Millis now_ms, const Saying& saying) {
  // A word on every source overrules all others, so it must come after all of them.
  const auto last = tx.find<std::string, std::int64_t, bool>(
      "SELECT source, at_ms, given FROM consent WHERE programme = $1 AND person = $2 AND purpose = $3 AND (source = $4 OR source = '*' OR "
      "$5 = 1) ORDER BY at_ms DESC, given LIMIT 1",
      programme, person, name(saying.purpose), source, source == kEverySource ? 1 : 0);
  if (last && std::get<0>(*last) == source && std::get<2>(*last) == given) return false;
  say(tx, programme, person, source, last ? std::max(now_ms, std::get<1>(*last) + 1) : now_ms, given ? 1 : 0, saying);
  return true;
}

std::vector<core::PersonKey> withdrawn(db::Reader& reader, std::string_view programme) {
  // A word on one source is overruled by a later word on all of them; so a withdrawal stands unless a later agreement covers it.
  std::vector<core::PersonKey> people;
  reader.each(
      "SELECT DISTINCT w.person FROM consent w WHERE w.programme = $1 AND w.purpose = $2 AND w.given = 0 AND NOT EXISTS "
      "(SELECT 1 FROM consent c WHERE c.programme = w.programme AND c.person = w.person AND c.purpose = w.purpose "
      "AND (c.source = w.source OR c.source = '*') AND c.given = 1 AND c.at_ms > w.at_ms) ORDER BY w.person",
      [&](const db::Row& row) { people.push_back(row.get<core::PersonKey>(0)); }, programme, kCrediting);
  return people;
}

bool anybody_spoke(db::Reader& reader, std::string_view programme) {
  return reader.find<std::int64_t>("SELECT 1 FROM consent WHERE programme = $1 LIMIT 1", programme).has_value() ||
         reader.find<std::int64_t>("SELECT 1 FROM erased_pseudonym LIMIT 1").has_value();
}

std::vector<ConsentWord> consent_history(db::Reader& reader, const core::PersonKey& person) {
  std::vector<ConsentWord> words;
  reader.each(
      "SELECT programme, source, wording, purpose, at_ms, given, said_by FROM consent WHERE person = $1 ORDER BY at_ms, programme, source, "
      "purpose",
      [&](const db::Row& row) {
        ConsentWord word{.programme = row.get<std::string>(0), .source = row.get<std::string>(1), .wording = row.get<std::string>(2)};
        for (const Purpose purpose : kPurposes)
          if (name(purpose) == row.text(3)) word.purpose = purpose;
        word.at_ms = row.integer(4);
        word.given = row.get<bool>(5);
        for (const SaidBy said_by : {SaidBy::person, SaidBy::partner, SaidBy::operator_})
          if (name(said_by) == row.text(6)) word.said_by = said_by;
        words.push_back(std::move(word));
      },
      person);
  return words;
}

bool has_consent(db::Reader& reader, std::string_view programme, const core::PersonKey& person, std::string_view source, Purpose purpose,
                 bool without_a_word) {
  if (reader.find<std::int64_t>("SELECT 1 FROM erased_pseudonym WHERE key = $1", person)) return false;
  const auto last = reader.find<bool>(
      "SELECT given FROM consent WHERE programme = $1 AND person = $2 AND purpose = $3 AND (source = $4 OR source = '*') "
      "ORDER BY at_ms DESC, given LIMIT 1",
      programme, person, name(purpose), source);
  return last.value_or(without_a_word);
}

ConsentBook::ConsentBook(db::Reader& reader, std::string_view programme, std::span<const std::string> sources, bool required,
                         Purpose purpose)
    : required_(required) {
  reader.each("SELECT key FROM erased_pseudonym ORDER BY key", [&](const db::Row& row) { erased_.push_back(row.get<core::PersonKey>(0)); });
  reader.each(
      "SELECT person, source, at_ms, given FROM consent WHERE programme = $1 AND purpose = $2 ORDER BY person, source, at_ms",
      [&](const db::Row& row) { take(row, sources); }, programme, name(purpose));
}

ConsentBook::ConsentBook(db::Transaction& tx, std::string_view programme, std::span<const std::string> sources, bool required,
                         std::span<const core::PersonKey> people, Purpose purpose)
    : required_(required) {
  db::BatchQuery erased(tx, "SELECT e.key FROM batch JOIN erased_pseudonym e ON e.key = c0", {db::BatchQuery::bytes});
  erased.each({people}, [&](const db::Row& row) { erased_.push_back(row.get<core::PersonKey>(0)); });
  std::sort(erased_.begin(), erased_.end());
  db::BatchQuery asked(tx,
                       "SELECT c.person, c.source, c.at_ms, c.given FROM batch JOIN consent c ON c.programme = c1 AND c.person = c0 "
                       "AND c.purpose = c2",
                       {db::BatchQuery::bytes, db::BatchQuery::text, db::BatchQuery::text});
  const std::vector<std::string_view> programmes(people.size(), programme), purposes(people.size(), name(purpose));
  asked.each({people, std::span(programmes), std::span(purposes)}, [&](const db::Row& row) { take(row, sources); });
  const auto before = [](const Word& a, const Word& b) {
    return std::tie(a.person, a.source, a.at_ms, b.given) < std::tie(b.person, b.source, b.at_ms, a.given);
  };
  std::sort(words_.begin(), words_.end(), before);
}

// Words on one source after the other, each source's in order of time, leave only the latest; in any other order all of them stay.
void ConsentBook::take(const db::Row& row, std::span<const std::string> sources) {
  std::int64_t source = -1;
  if (row.text(1) != kEverySource) {
    const auto found = std::find(sources.begin(), sources.end(), row.text(1));
    if (found == sources.end()) return;  // a source the programme no longer has
    source = found - sources.begin();
  }
  const Word word{row.get<core::PersonKey>(0), source, row.integer(2), row.get<bool>(3)};
  if (!words_.empty() && words_.back().person == word.person && words_.back().source == source && words_.back().at_ms < word.at_ms)
    words_.pop_back();
  words_.push_back(word);
}

bool ConsentBook::allows(const core::PersonKey& person, std::size_t source) const {
  if (std::binary_search(erased_.begin(), erased_.end(), person)) return false;
  auto at = std::lower_bound(words_.begin(), words_.end(), person,
                             [](const Word& word, const core::PersonKey& key) { return word.person < key; });
  const Word* latest = nullptr;
  for (; at != words_.end() && at->person == person; ++at) {
    if (at->source != -1 && at->source != std::int64_t(source)) continue;
    const bool newer = latest == nullptr || at->at_ms > latest->at_ms || (at->at_ms == latest->at_ms && !at->given);
    if (newer) latest = &*at;
  }
  return latest != nullptr ? latest->given : !required_;
}

}  // namespace tanhui::identity
