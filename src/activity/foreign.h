// activity/foreign.h: what readers of foreign formats (OCPI, MDS, Green Button) share: the record they make of an element, the fields they
// read it from, and the way from there to a RecordBatch as BodyReader gives it.
//
// Who somebody is. A foreign format names no person of ours. Each has a *subject*: a text that its standard gives for whoever did it
// (OCPI a contract, MDS a trip, ESPI a usage point). A subject never leaves memory: it is turned into a core::PersonKey under the
// instance's secret at once, as BodyReader does with `person`. A partner says beside the format which of our pseudonyms a subject belongs
// to (a claim; identity/pseudonym.h makes them); Claims answers with the person's key. What happens to a subject that nobody has claimed
// is each format's own rule and stands in its header.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "activity/intake.h"
#include "activity/record.h"
#include "core/hash.h"
#include "core/json_tree.h"
#include "core/result.h"
#include "identity/programme.h"

namespace tanhui::activity {

/// The person that a partner claimed a subject for; nothing when there is no claim.
using Claims = std::function<std::optional<core::PersonKey>(std::string_view subject)>;
inline std::optional<core::PersonKey> no_claims(std::string_view) { return std::nullopt; }

/// One element of a document as a record. Units: base units of the activity's main quantity.
struct ForeignRecord {
  std::uint32_t element = 0;              // of the document, from 1
  std::string event = {};                 // within the source, for ever
  std::string subject = {};               // who, where no claim says it
  std::optional<core::PersonKey> person;  // from a claim
  std::string object = {};                // empty: none
  std::string activity = {};
  core::Millis start_ms = kMissing, end_ms = kMissing;
  Evidence evidence = Evidence::metered;
  std::int64_t quantity = kMissing;
  bool reversal = false;
  Reason reason = Reason::none;      // other than none: it is not credited ...
  std::optional<core::Error> why{};  // ... because of this, which names element and field
};

/// Where an element is wrong. `field` is a path within the document: "trips[3].start_location.lat".
core::Error field_error(std::string_view id, std::string_view field, std::string message, std::string action = "");

/// Thrown by FieldReader; whoever reads an element catches it and makes a refused record or an error of it.
struct BadField {
  Reason reason;
  core::Error error;
};

/// Reads the members of one JSON object. A member that is null counts as missing.
class FieldReader {
 public:
  /// `format` begins the ids of errors: "ocpi" gives ocpi.missing-field and ocpi.bad-field. Throws BadField when it is no object.
  FieldReader(const core::JsonTree& object, std::string path, std::string_view format);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  const core::JsonTree& value(std::string_view name, Reason missing = Reason::bad_row) const;
  const core::JsonTree* find(std::string_view name) const;
  /// UTF-8 of 1 to `size_max` bytes.
  std::string text(std::string_view name, std::size_t size_max, Reason reason = Reason::bad_row) const;
  std::string text_or_empty(std::string_view name, std::size_t size_max) const;
  bool truth_or_false(std::string_view name) const;
  /// A JSON number times `factor`, cut towards zero.
  std::int64_t number(std::string_view name, core::Factor factor = {}, Reason reason = Reason::bad_number) const;
  /// A JSON number without a fraction.
  std::int64_t whole(std::string_view name, Reason reason = Reason::bad_number) const;
  const core::JsonTree& list(std::string_view name) const;
  FieldReader object(std::string_view name) const;
  FieldReader element(const core::JsonTree& list, std::string_view name, std::size_t i) const;
  std::string path(std::string_view name) const;
  [[noreturn]] void fail(std::string_view name, std::string message, std::string action = "", Reason reason = Reason::bad_row) const;

 private:
  const core::JsonTree* object_;
  std::string path_, format_;
};

/// RFC 4122 text, lower-cased; throws BadField.
std::string read_uuid(const FieldReader& fields, std::string_view name, Reason reason = Reason::bad_row);

/// Foreign records to what the open window takes. One for each source of a programme; many threads may use it.
class RecordMaker {
 public:
  /// `names` are the open window's. Errors: not_found source.unknown.
  static core::Result<RecordMaker> make(Names& names, const core::KeySecret& secret, const identity::Programme& programme,
                                        std::string_view source);
  /// One record for each, in order; what `batch` held is lost. An activity that the catalogue lacks, and a record without a person or an
  /// event, are refused as in any other body.
  void make_batch(const std::vector<ForeignRecord>& records, RecordBatch& batch) const;
  core::PersonKey key_of(std::string_view subject) const { return secret_->person(subject); }

 private:
  RecordMaker(Names& names, const core::KeySecret& secret, std::uint16_t source, std::string region)
      : names_(&names), secret_(&secret), source_(source), region_(std::move(region)) {}
  Names* names_;
  const core::KeySecret* secret_;
  std::uint16_t source_;
  std::string region_;
};

}  // namespace tanhui::activity
