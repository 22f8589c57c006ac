#include "activity/person_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "activity/open_window.h"
#include "identity/consent.h"
#include "identity/programmes.h"
#include "journal/segment.h"
#include "ledger/ledger.h"

namespace tanhui::activity {
namespace {

boost::json::object balance_json(const ledger::Balance& balance) {
  return {{"kind", ledger::name(balance.asset.kind)},
          {"programme", balance.asset.programme},
          {"category", balance.asset.category},
          {"period", balance.asset.period},
          {"amount", balance.amount},
          {"held", balance.held},
          {"available", balance.available()}};
}

boost::json::array consents_json(db::Reader& reader, const core::PersonKey& key) {
  boost::json::array words;
  for (const auto& word : identity::consent_history(reader, key))
    words.push_back({{"programme", word.programme},
                     {"source", word.source},
                     {"purpose", identity::name(word.purpose)},
                     {"given", word.given},
                     {"at", core::to_text_utc(word.at_ms)},
                     {"said_by", identity::name(word.said_by)},
                     {"wording", word.wording}});
  return words;
}

boost::json::array history_json(db::Reader& reader, const core::PersonKey& key) {
  boost::json::array booked;
  for (const auto& one : ledger::history(reader, key))
    booked.push_back({{"transfer", one.transfer},
                      {"reason", one.reason},
                      {"kind", ledger::name(one.asset.kind)},
                      {"programme", one.asset.programme},
                      {"category", one.asset.category},
                      {"period", one.asset.period},
                      {"amount", one.amount},
                      {"debt_change", one.debt_change}});
  return booked;
}

}  // namespace

namespace {

// What was credited and is not sealed yet.
core::Status add_open(db::Reader& reader, std::span<const core::PersonKey> people, const std::string& programme, core::Day first,
                      core::Day last, std::vector<PersonRecord>& records) {
  for (const std::string& one : open_windows(reader)) {
    if (!programme.empty() && one != programme) continue;
    const auto settings = identity::programme_at(reader, one, std::numeric_limits<core::Millis>::max());
    const auto zone = core::Zone::find(settings ? settings->time_zone : "UTC");
    if (!zone) return zone.error();
    auto status = each_open_record(reader, one, [&](const RowView& view, const OpenWords& words) {
      const Row& row = view.row();
      if (std::find(people.begin(), people.end(), row.person) == people.end()) return;
      const core::Day day = zone->local_day(row.start_ms());
      if (day < first || last < day) return;
      const Booked& booked = view.booked();
      records.push_back({row.person, row.start_ms(), booked.milligrams, booked.points, view.quantity(0), row.event, booked.revision, 0, one,
                         words.activity(row), words.source(row), words.methodology(row), std::string(name(booked.outcome)),
                         std::string(name(booked.reason)), day});
    });
    if (!status) return status;
  }
  return core::Done{};
}

}  // namespace

core::Result<std::vector<PersonRecord>> records_of(db::Database& database, const std::filesystem::path& folder,
                                                   std::span<const core::PersonKey> people, const std::string& programme, core::Day first,
                                                   core::Day last) {
  std::vector<PersonRecord> records;
  journal::Names names;
  journal::Columns columns;
  for (const std::string& one : journal::programmes_with_segments(database)) {
    if (!programme.empty() && one != programme) continue;
    for (const auto& segment : journal::files_between(database, one, first, last)) {
      for (const core::PersonKey& person : people) {
        if (person < segment.info.person_min || person > segment.info.person_max) continue;
        auto reader = journal::SegmentReader::open(folder / segment.info.path);
        if (!reader) return reader.error();
        auto opened = *std::move(reader);
        for (const std::size_t group : opened.row_groups_with(person, person)) {
          if (auto status = opened.read_person(group, person, names, columns); !status) return status.error();
          for (std::size_t i = 0; i < columns.size(); ++i)
            records.push_back({person, columns.start_ms[i], columns.milligrams[i], columns.points[i], columns.quantity[i], columns.event[i],
                               columns.revision[i], columns.run.empty() ? segment.run : journal::RunId(columns.run[i]), one,
                               names.activities[columns.activity[i]], names.sources[columns.source[i]],
                               columns.methodology[i] == journal::kNoName ? "" : names.methodologies[columns.methodology[i]],
                               names.outcomes[columns.outcome[i]], names.reasons[columns.reason[i]], segment.day});
        }
      }
    }
  }
  if (auto status = add_open(database, people, programme, first, last, records); !status) return status.error();
  std::sort(records.begin(), records.end(), [](const PersonRecord& a, const PersonRecord& b) {
    return std::tuple(b.start_ms, a.revision) < std::tuple(a.start_ms, b.revision);
  });
  return records;
}

boost::json::object to_json(const PersonRecord& record) {
  return {{"start", core::to_text_utc(record.start_ms)},
          {"day", core::to_text(record.day)},
          {"programme", record.programme},
          {"activity", record.activity},
          {"source", record.source},
          {"event", fmt::format("{:016x}", record.event)},
          {"quantity", record.quantity},
          {"milligrams", record.milligrams},
          {"points", record.points},
          {"outcome", record.outcome},
          {"reason", record.reason},
          {"methodology", record.methodology},
          {"revision", record.revision},
          {"run", record.run}};
}

boost::json::object accounts_json(db::Reader& reader, const core::PersonKey& person) {
  boost::json::array balances, debts;
  for (const auto& balance : ledger::balances(reader, person)) balances.push_back(balance_json(balance));
  for (const auto& debt : ledger::debts(reader, person)) {
    auto owed = balance_json(debt);
    owed.erase("held");
    owed.erase("available");
    debts.push_back(std::move(owed));
  }
  return {{"balances", std::move(balances)}, {"debts", std::move(debts)}};
}

core::Result<boost::json::object> export_of(db::Database& database, const std::filesystem::path& folder, const identity::People& people,
                                            const identity::PersonId& id, core::Millis now_ms) {
  const auto contacts = people.contacts(database, id);
  if (!contacts) return contacts.error();
  const auto person = *identity::find_person(database, id);
  boost::json::array contacts_out, pseudonyms, records_out, accesses_out;
  for (const auto& contact : *contacts)
    contacts_out.push_back(
        {{"kind", identity::name(contact.kind)}, {"value", contact.value}, {"verified", core::to_text_utc(contact.verified_ms)}});
  std::vector<core::PersonKey> keys;
  for (const identity::Link& link : person.links) {
    keys.push_back(link.key);
    boost::json::object one{{"key", core::to_hex(link.key)},
                            {"strength", identity::name(link.strength)},
                            {"weaker", link.strength == identity::Strength::hashed},
                            {"version", link.version},
                            {"linked", core::to_text_utc(link.linked_ms)},
                            {"consents", consents_json(database, link.key)},
                            {"history", history_json(database, link.key)}};
    for (auto& member : accounts_json(database, link.key)) one.emplace(member.key(), std::move(member.value()));
    pseudonyms.push_back(std::move(one));
  }
  const auto records = records_of(database, folder, keys, "", core::kFirstDay, core::kLastDay);
  if (!records) return records.error();
  for (const PersonRecord& record : *records) {
    records_out.push_back(to_json(record));
    records_out.back().as_object().emplace("key", core::to_hex(record.person));
  }
  constexpr std::int64_t kAccessesMax = 100'000;
  for (const auto& access : identity::accesses(database, id, kAccessesMax))
    accesses_out.push_back({{"at", core::to_text_utc(access.at_ms)},
                            {"actor", access.actor},
                            {"purpose", identity::name(access.purpose)},
                            {"fields", access.fields}});
  return boost::json::object{{"format", "tanhui-person 1"},
                             {"made", core::to_text_utc(now_ms)},
                             {"person", id.text()},
                             {"joined", core::to_text_utc(person.joined_ms)},
                             {"contacts", std::move(contacts_out)},
                             {"pseudonyms", std::move(pseudonyms)},
                             {"records", std::move(records_out)},
                             {"accesses", std::move(accesses_out)}};
}

}  // namespace tanhui::activity
