// activity/ocpi_cdr.h: OCPI 2.2.1 charge detail records (CDRs), checked field by field and turned into charging records.
//
// Event: country, party and id of the CDR, which OCPI makes unique; capital letters, for OCPI's ids do not tell case apart.
// Subject: country and party of the token's issuer with the contract id ("ocpi:NL*TNM*..."). Never the token's uid, which is a card's
// number. A contract that nobody has claimed is a person of its own: its keyed hash. Who issued the contract (the driver's provider)
// claims it for the driver's pseudonym; charges that come after that are the driver's.
// Energy: total_energy to whole watt-hours, exactly; what is below one is cut.
// Object: given by whoever knows the other CDRs of the EVSE (service/ocpi.h): CDRs whose times at one EVSE overlap are one charge.
// A credit CDR unwinds the CDR it names; its own total_energy stays positive in OCPI and is not counted.
//
// Not checked, because a CDR does not say it: the connector's rated power, and whether latitude and longitude are the wrong way round.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "activity/foreign.h"
#include "core/json_tree.h"
#include "core/result.h"

namespace tanhui::activity {

constexpr std::size_t kCdrBytesMax = std::size_t{1} << 20;
constexpr std::size_t kChargingPeriodsMax = 5'000;

struct OcpiCdr {
  std::string country_code, party_id, id;  // capital letters
  std::string subject;                     // see above
  std::string evse_id;                     // capital letters; empty for #NA
  core::Millis start_ms = 0, end_ms = 0;
  std::int64_t energy_wh = 0;
  std::optional<std::string> credits;   // a credit CDR: id of the CDR it unwinds, capital letters
  Reason reason = Reason::none;         // a correct CDR that earns nothing, and ...
  std::optional<core::Error> why = {};  // ... why
  core::JsonTree document = {};         // as it came, but for the token: its uid and contract_id are replaced by kHiddenText

  std::string event() const { return event_of(id); }
  std::string event_of(std::string_view cdr_id) const;
};

constexpr std::string_view kHiddenText = "#HIDDEN";  // what a stored CDR says instead of the token's uid and contract

/// One CDR, as it is pushed. Errors: json.broken and the like; ocpi.missing-field, ocpi.bad-field (OCPI status 2001); ocpi.too-large.
core::Result<OcpiCdr> read_cdr(std::string_view body);

/// The charge, or the unwinding of one: then as the credit CDR repeats it, and under the event of the CDR it names. Whoever knows that one
/// puts in whom it was credited to. An original that has not come yet is waited for: the record is held.
ForeignRecord charge_record(const OcpiCdr& cdr, const Claims& claims);

/// An instant as OCPI writes it: RFC 3339 in UTC, with Z or without a zone. Nothing when it is none.
std::optional<core::Millis> read_ocpi_time(std::string_view text);
std::string ocpi_time(core::Millis instant);  // 2024-09-02T08:15:00Z

/// CiString: printable ASCII, to capital letters. Nothing when it is empty, longer than `size_max` or holds anything else.
std::optional<std::string> ci_string(std::string_view text, std::size_t size_max);

}  // namespace tanhui::activity
