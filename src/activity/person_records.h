// activity/person_records.h: what sealed segments hold of somebody, and everything that is known of a person, for the person.
#pragma once
#include <boost/json.hpp>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "identity/people.h"
#include "journal/catalogue.h"

namespace tanhui::activity {

/// A record as one run booked it, or an adjustment.
struct PersonRecord {
  core::PersonKey person;
  core::Millis start_ms = 0;
  std::int64_t milligrams = 0, points = 0, quantity = 0;
  std::uint64_t event = 0;
  std::uint16_t revision = 0;
  journal::RunId run = 0;
  std::string programme, activity, source, methodology, outcome, reason;
  core::Day day;
};

/// Of these pseudonyms, the newest first; `journal` is the folder of the segments; `programme` empty: of all. Errors: those of
/// journal::SegmentReader.
core::Result<std::vector<PersonRecord>> records_of(db::Database& database, const std::filesystem::path& journal,
                                                   std::span<const core::PersonKey> people, const std::string& programme, core::Day first,
                                                   core::Day last);
boost::json::object to_json(const PersonRecord& record);
/// Balances and debts of a pseudonym.
boost::json::object accounts_json(db::Reader& reader, const core::PersonKey& person);

/// Everything about a person, in one document for machines (docs/privacy.md has its members):
///   {"format":"tanhui-person 1","made":…,"person":…,"joined":…,"contacts":[…],"pseudonyms":[{"key":…,"strength":…,"weaker":…,
///    "consents":[…],"balances":[…],"debts":[…],"history":[…]}],"records":[…],"accesses":[…]}
/// Whoever lets it out records that with identity::look_at. Errors: person.not-found, those of the vault and of records_of.
core::Result<boost::json::object> export_of(db::Database& database, const std::filesystem::path& journal, const identity::People& people,
                                            const identity::PersonId& id, core::Millis now_ms);

}  // namespace tanhui::activity
