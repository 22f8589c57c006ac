// service/ocpi.h: OCPI 2.2.1 as a receiver of charge detail records: who may push, the answers' envelope, what is remembered of a CDR.
//
//   tanhui ocpi invite            makes a token for one operator or hub, which speaks for a source of a programme
//   GET  /ocpi/versions, /ocpi/2.2.1                         what there is
//   POST, PUT, GET, DELETE /ocpi/2.2.1/credentials           exchanges the token for another, changes it, ends it
//   POST /ocpi/emsp/2.2.1/cdrs, GET .../cdrs/{location}      takes a CDR and shows it again
//
// We never call the other side: its token and address are neither needed nor kept (its address is, for people to read).
//
// A CDR is immutable. The same again is answered as the first time; other contents under its id are refused (2001). A credit CDR unwinds
// the CDR it names for whoever that one was credited to. CDRs of one EVSE whose times overlap are one charge (activity/ocpi_cdr.h).
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "activity/ocpi_cdr.h"
#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/programme.h"
#include "service/device.h"

namespace tanhui::service {

/// Us, as the other side sees us.
struct OcpiSelf {
  std::string base_url;  // "https://city.example/ocpi"
  std::string country_code = "CN", party_id = "TNH", name = "Tanhui";
};

struct OcpiParty {
  std::string id, programme, source;
  bool registered = false;
  std::string url = {};
  core::Millis created_ms = 0;
  bool revoked = false;
};

struct OcpiInvitation {
  std::string id, token;  // the token is kept nowhere
};
/// Errors: not_found source.unknown.
core::Result<OcpiInvitation> invite_ocpi_party(db::Transaction& tx, const identity::Programme& programme, std::string_view source,
                                               core::Millis now_ms, const Random& random);
/// Errors: not_found ocpi.unknown-party.
core::Status revoke_ocpi_party(db::Transaction& tx, std::string_view id);
std::vector<OcpiParty> list_ocpi_parties(db::Reader& reader);

/// What an Authorization header holds. Nothing: it is of another scheme.
std::optional<std::string> ocpi_token(std::string_view authorization);
/// By "Token <base64 of the token>", or the token itself, as several systems send it. Nothing: nobody we know.
std::optional<OcpiParty> ocpi_party_of(db::Reader& reader, std::string_view authorization);

/// OCPI's status codes that we answer with.
enum class OcpiStatus : int { success = 1000, client_error = 2000, invalid = 2001, server_error = 3000 };
/// {"data": ..., "status_code": 1000, "status_message": ..., "timestamp": ...}; `data` is JSON, or empty.
std::string ocpi_envelope(OcpiStatus status, std::string_view message, std::string_view data, core::Millis now_ms);

std::string ocpi_versions(const OcpiSelf& self);         // data of GET versions
std::string ocpi_version_details(const OcpiSelf& self);  // data of GET 2.2.1

/// Data of a credentials answer: our token for them, our address, our role.
std::string ocpi_credentials(const OcpiSelf& self, std::string_view token);
/// POST and PUT credentials: the token they used ends, and a new one begins. Errors: ocpi.missing-field, ocpi.bad-field;
/// ocpi.registered (POST, 405), ocpi.not-registered (PUT, 405).
core::Result<std::string> register_ocpi_party(db::Transaction& tx, const OcpiParty& party, std::string_view body, bool first,
                                              core::Millis now_ms, const Random& random);

struct ReceivedCdr {
  activity::ForeignRecord record;  // to be submitted, also when the CDR was known: it counts once
  std::string location;            // the end of its address
  bool known = false;
};
/// Errors: those of read_cdr; refused ocpi.not-registered, ocpi.not-yours (a party that is none of theirs), conflict ocpi.changed-cdr.
core::Result<ReceivedCdr> receive_cdr(db::Transaction& tx, const core::KeySecret& secret, const OcpiParty& party, std::string_view body,
                                      core::Millis now_ms);
/// The CDR as it was pushed, but for card and contract; to whoever pushed it.
std::optional<std::string> pushed_cdr(db::Reader& reader, const OcpiParty& party, std::string_view location);

}  // namespace tanhui::service
