#include "identity/consent.h"

#include "core/invariant.h"

namespace tanhui::identity {
namespace {

constexpr std::string_view kCrediting = "crediting";

/// The same word again changes nothing; at the same millisecond the withdrawal stays.
void say(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source, core::Millis at_ms,
         int given) {
  tx.exec(
      "INSERT INTO consent (programme, person, source, purpose, at_ms, given) VALUES ($1, $2, $3, $4, $5, $6) "
      "ON CONFLICT (programme, person, source, purpose, at_ms) DO UPDATE SET given = 0 WHERE excluded.given = 0",
      programme, person, source, kCrediting, at_ms, given);
}

}  // namespace

void record_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source,
                    core::Millis at_ms) {
  say(tx, programme, person, source, at_ms, 1);
}

void withdraw_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source,
                      core::Millis at_ms) {
  say(tx, programme, person, source, at_ms, 0);
}

bool change_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source, bool given,
                    core::Millis now_ms) {
  // A word on every source overrules all others, so it must come after all of them.
  const auto last = tx.find<std::string, std::int64_t, bool>(
      "SELECT source, at_ms, given FROM consent WHERE programme = $1 AND person = $2 AND purpose = $3 AND (source = $4 OR source = '*' OR "
      "$5 = 1) ORDER BY at_ms DESC, given LIMIT 1",
      programme, person, kCrediting, source, source == kEverySource ? 1 : 0);
  if (last && std::get<0>(*last) == source && std::get<2>(*last) == given) return false;
  say(tx, programme, person, source, last ? std::max(now_ms, std::get<1>(*last) + 1) : now_ms, given ? 1 : 0);
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
  return reader.find<std::int64_t>("SELECT 1 FROM consent WHERE programme = $1 LIMIT 1", programme).has_value();
}

ConsentBook::ConsentBook(db::Reader& reader, std::string_view programme, std::span<const std::string> sources, bool required)
    : required_(required) {
  reader.each(
      "SELECT person, source, at_ms, given FROM consent WHERE programme = $1 AND purpose = $2 ORDER BY person, source, at_ms",
      [&](const db::Row& row) { take(row, sources); }, programme, kCrediting);
}

ConsentBook::ConsentBook(db::Transaction& tx, std::string_view programme, std::span<const std::string> sources, bool required,
                         std::span<const core::PersonKey> people)
    : required_(required) {
  db::BatchQuery asked(tx,
                       "SELECT c.person, c.source, c.at_ms, c.given FROM batch JOIN consent c ON c.programme = c1 AND c.person = c0 "
                       "AND c.purpose = c2",
                       {db::BatchQuery::bytes, db::BatchQuery::text, db::BatchQuery::text});
  const std::vector<std::string_view> programmes(people.size(), programme), purposes(people.size(), kCrediting);
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
