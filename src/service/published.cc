#include "service/published.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tanhui::service {
namespace {

using activity::Evidence;
using activity::ForeignRecord;
using activity::Reason;

using Item = std::string;                        // 16 bytes
constexpr std::int64_t kUnwindingsMax = 20'000;  // at once; the rest comes with the next publication

Item item_of(std::string_view event) {
  const core::Digest digest = core::sha256(event);
  return {reinterpret_cast<const char*>(digest.data()), 16};
}

struct Stored {
  Item item;
  std::int64_t revision = 0;
  bool withdrawn = false;
  std::int64_t period = 0;
  ForeignRecord record;  // its event without the revision
};

std::string event_of(const Stored& stored) {
  return stored.revision == 0 ? stored.record.event : fmt::format("{}~{}", stored.record.event, stored.revision);
}

constexpr std::string_view kColumns =
    "item, revision, withdrawn, period, event, person, object, activity, evidence, start_ms, end_ms, quantity";

// Rows of published_record that fit `where`, whose parameters begin with programme and source.
template <class... Args>
std::vector<Stored> read_rows(db::Reader& reader, std::string_view where, const Args&... args) {
  std::vector<Stored> all;
  for (const auto& [item, revision, withdrawn, period, event, person, object, activity, evidence, start, end, quantity] :
       reader.query<std::string, std::int64_t, bool, std::int64_t, std::string, core::PersonKey, std::string, std::string, std::int64_t,
                    std::int64_t, std::int64_t, std::int64_t>(
           fmt::format("SELECT {} FROM published_record WHERE programme = $1 AND source = $2 AND {}", kColumns, where), args...)) {
    Stored stored{item, revision, withdrawn, period, {}};
    stored.record.event = event;
    stored.record.person = person;
    stored.record.object = object;
    stored.record.activity = activity;
    stored.record.evidence = Evidence(evidence);
    stored.record.start_ms = start;
    stored.record.end_ms = end;
    stored.record.quantity = quantity;
    all.push_back(std::move(stored));
  }
  return all;
}

class Planner {
 public:
  Planner(db::Transaction& tx, const activity::RecordMaker& maker, std::string_view programme, std::string_view source,
          const PublicationRules& rules)
      : tx_(tx), maker_(maker), programme_(programme), source_(source), rules_(rules) {}

  PublicationPlan plan(const std::vector<ForeignRecord>& records) {
    for (const ForeignRecord& record : records) place(record);
    if (rules_.period != 0) withdraw_missing();
    take_unwindings();
    plan_.records.insert(plan_.records.end(), std::make_move_iterator(counting_.begin()), std::make_move_iterator(counting_.end()));
    return std::move(plan_);
  }

 private:
  std::optional<Stored> find(const Item& item) {
    auto rows = read_rows(tx_, "item = $3", programme_, source_, db::Bytes{item});
    return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
  }

  void place(ForeignRecord record) {
    if (record.reason == Reason::none && !record.person) record.person = maker_.key_of(record.subject);
    if (record.event.empty()) {
      ++plan_.refused;
      counting_.push_back(std::move(record));
      return;
    }
    const Item item = item_of(record.event);
    seen_.insert(item);
    auto stored = find(item);
    if (record.reason != Reason::none) return refuse(std::move(record), stored);
    const bool must_be_kept = rules_.replace == Replace::always || record.evidence != Evidence::metered;
    if (!stored) {
      ++plan_.fresh;
      if (must_be_kept) keep({item, 0, false, rules_.period, record});
    } else if (!stored->withdrawn && same(stored->record, record)) {
      ++plan_.same;
      record.event = event_of(*stored);
      if (rules_.period != 0 && stored->period != rules_.period) {  // pushed before, and now part of an hour
        stored->period = rules_.period;
        keep(*stored);
      }
    } else if (!stored->withdrawn && rules_.replace == Replace::better_evidence && record.evidence >= stored->record.evidence) {
      ++plan_.same;  // what is known is as good: it stays, and this is its repetition
      const std::uint32_t element = record.element;
      record = stored->record;
      record.element = element;
      record.event = event_of(*stored);
    } else {
      ++plan_.corrected;
      if (!stored->withdrawn) unwind(*stored);
      keep({item, stored->revision + 1, false, rules_.period, record});
      record.event = event_of({item, stored->revision + 1, false, rules_.period, record});
    }
    counting_.push_back(std::move(record));
  }

  void refuse(ForeignRecord record, std::optional<Stored>& stored) {
    ++plan_.refused;
    // An element that is broken says nothing about the one before, unless the last word counts and it is readable: then it says that this
    // is no act any more.
    const bool says_so = record.reason == Reason::unknown_activity;
    if (stored && !stored->withdrawn && rules_.replace == Replace::always && says_so) {
      unwind(*stored);
      stored->withdrawn = true;
      keep(*stored);
      ++plan_.withdrawn;
    }
    counting_.push_back(std::move(record));
  }

  void withdraw_missing() {
    for (Stored& stored : read_rows(tx_, "period = $3 AND withdrawn = 0 ORDER BY item", programme_, source_, rules_.period)) {
      if (seen_.contains(stored.item)) continue;
      unwind(stored);
      stored.withdrawn = true;
      keep(stored);
      ++plan_.withdrawn;
    }
  }

  static bool same(const ForeignRecord& a, const ForeignRecord& b) {
    return a.person == b.person && a.object == b.object && a.activity == b.activity && a.evidence == b.evidence &&
           a.start_ms == b.start_ms && a.end_ms == b.end_ms && a.quantity == b.quantity;
  }

  void unwind(const Stored& stored) {
    const ForeignRecord& record = stored.record;
    tx_.exec(
        "INSERT INTO published_unwinding (programme, source, event, person, object, activity, start_ms, end_ms, quantity) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (programme, source, event) DO NOTHING",
        programme_, source_, event_of(stored), *record.person, record.object, record.activity, record.start_ms, record.end_ms,
        record.quantity);
  }

  // Also what a process that ended left behind.
  void take_unwindings() {
    for (const auto& [event, person, object, activity, start, end, quantity] :
         tx_.query<std::string, core::PersonKey, std::string, std::string, std::int64_t, std::int64_t, std::int64_t>(
             "SELECT event, person, object, activity, start_ms, end_ms, quantity FROM published_unwinding "
             "WHERE programme = $1 AND source = $2 ORDER BY event LIMIT $3",
             programme_, source_, kUnwindingsMax)) {
      ForeignRecord& record = plan_.records.emplace_back();
      record.event = event;
      record.person = person;
      record.object = object;
      record.activity = activity;
      record.start_ms = start;
      record.end_ms = end;
      record.quantity = quantity;
      record.reversal = true;
    }
  }

  void keep(const Stored& stored) {
    const ForeignRecord& record = stored.record;
    tx_.exec(
        "INSERT INTO published_record (programme, source, item, period, revision, withdrawn, event, person, object, activity, evidence, "
        "start_ms, end_ms, quantity) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
        "ON CONFLICT (programme, source, item) DO UPDATE SET period = excluded.period, revision = excluded.revision, "
        "withdrawn = excluded.withdrawn, person = excluded.person, object = excluded.object, activity = excluded.activity, "
        "evidence = excluded.evidence, start_ms = excluded.start_ms, end_ms = excluded.end_ms, quantity = excluded.quantity",
        programme_, source_, db::Bytes{stored.item}, stored.period, stored.revision, stored.withdrawn ? 1 : 0, record.event, *record.person,
        record.object, record.activity, std::int64_t(record.evidence), record.start_ms, record.end_ms, record.quantity);
  }

  db::Transaction& tx_;
  const activity::RecordMaker& maker_;
  const std::string programme_, source_;
  const PublicationRules rules_;
  PublicationPlan plan_;
  std::vector<ForeignRecord> counting_;
  std::set<Item> seen_;
};

}  // namespace

PublicationPlan plan_publication(db::Transaction& tx, const activity::RecordMaker& maker, std::string_view programme,
                                 std::string_view source, const std::vector<ForeignRecord>& records, const PublicationRules& rules) {
  return Planner(tx, maker, programme, source, rules).plan(records);
}

void publication_done(db::Transaction& tx, std::string_view programme, std::string_view source, const PublicationPlan& plan) {
  for (const ForeignRecord& record : plan.records) {
    if (record.reversal)
      tx.exec("DELETE FROM published_unwinding WHERE programme = $1 AND source = $2 AND event = $3", programme, source, record.event);
  }
}

}  // namespace tanhui::service
