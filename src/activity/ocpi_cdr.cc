#include "activity/ocpi_cdr.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "activity/fields.h"

namespace tanhui::activity {

using core::JsonTree;

std::string OcpiCdr::event_of(std::string_view cdr_id) const { return fmt::format("ocpi:{}*{}*{}", country_code, party_id, cdr_id); }

std::optional<std::string> ci_string(std::string_view text, std::size_t size_max) {
  if (text.empty() || text.size() > size_max) return std::nullopt;
  std::string upper(text);
  for (char& c : upper) {
    if (c < 0x20 || c > 0x7E) return std::nullopt;
    if (c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
  }
  return upper;
}

std::optional<core::Millis> read_ocpi_time(std::string_view text) {
  constexpr std::string_view shape = "dddd-dd-ddTdd:dd:dd";
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (text.size() < shape.size() || text.size() > 24) return std::nullopt;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i]) return std::nullopt;
  }
  const std::string_view fraction = text.substr(shape.size());
  if (!fraction.empty() && (fraction.size() == 1 || fraction[0] != '.' || !std::all_of(fraction.begin() + 1, fraction.end(), is_digit)))
    return std::nullopt;
  static const TimeReader reader = *TimeReader::make({"rfc3339"}, "UTC");
  thread_local TimeReader mine = reader;  // a reader belongs to one thread
  const core::Millis instant = mine.read(std::string(text) + "Z");
  return instant == kMissing ? std::nullopt : std::optional(instant);
}

std::string ocpi_time(core::Millis instant) {
  const std::string text = core::to_text_utc(instant);  // 2024-09-02T08:15:00.000Z
  return text.substr(0, 19) + "Z";
}

namespace {

constexpr core::Factor kToTenths{10'000, 1};  // of a watt-hour: OCPI's numbers have four decimals
constexpr core::Factor kToWattHours{1'000, 1};
constexpr std::int64_t kRoundingTenths = 10;  // operators round each period's energy to a watt-hour or better

constexpr std::array kAuthMethods{"AUTH_REQUEST", "COMMAND", "WHITELIST"};
constexpr std::array kTokenTypes{"AD_HOC_USER", "APP_USER", "OTHER", "RFID"};
constexpr std::array kConnectorFormats{"SOCKET", "CABLE"};
constexpr std::array kPowerTypes{"AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC"};
constexpr std::array kDimensions{"CURRENT",          "ENERGY",          "ENERGY_EXPORT", "ENERGY_IMPORT", "MAX_CURRENT",
                                 "MIN_CURRENT",      "MAX_POWER",       "MIN_POWER",     "PARKING_TIME",  "POWER",
                                 "RESERVATION_TIME", "STATE_OF_CHARGE", "TIME"};

std::string ci(const FieldReader& fields, std::string_view name, std::size_t size_max, Reason reason = Reason::bad_row) {
  const auto read = ci_string(fields.text(name, size_max, reason), size_max);
  if (!read) fields.fail(name, "holds other characters than printable ASCII", "", reason);
  return *read;
}

std::string letters(const FieldReader& fields, std::string_view name, std::size_t size) {
  std::string read = ci(fields, name, size);
  if (read.size() != size || !std::all_of(read.begin(), read.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    fields.fail(name, fmt::format("is not a code of {} letters", size));
  return read;
}

template <std::size_t kCount>
std::string one_of(const FieldReader& fields, std::string_view name, const std::array<const char*, kCount>& choices) {
  std::string read = fields.text(name, 40);
  if (std::find(choices.begin(), choices.end(), read) == choices.end())
    fields.fail(name, fmt::format("'{}' is none of {}", read, fmt::join(choices, ", ")));
  return read;
}

core::Millis time_of(const FieldReader& fields, std::string_view name) {
  const std::string text = fields.text(name, 25, Reason::bad_time);
  const auto read = read_ocpi_time(text);
  if (!read) fields.fail(name, fmt::format("'{}' is no time", text), "write UTC times as 2024-09-02T08:15:00Z", Reason::bad_time);
  return *read;
}

void check_coordinates(const FieldReader& location) {
  const FieldReader position = location.object("coordinates");
  const auto check = [&](std::string_view name, std::size_t whole_max, std::int64_t most) {
    const std::string text = position.text(name, whole_max + 9);
    const std::string_view digits = std::string_view(text).substr(text.starts_with('-') ? 1 : 0);
    const std::size_t point = digits.find('.');
    const bool shape = point != std::string_view::npos && point >= 1 && point <= whole_max && digits.size() - point - 1 >= 5 &&
                       digits.size() - point - 1 <= 7 && digits.find_first_not_of("0123456789.") == std::string_view::npos &&
                       digits.find('.', point + 1) == std::string_view::npos;
    const auto degrees = shape ? core::parse_decimal(digits) : std::nullopt;
    const auto whole = degrees ? core::scale_to_whole(*degrees, {10'000'000, 1}) : std::nullopt;
    if (!whole || *whole > most * 10'000'000)
      position.fail(name, fmt::format("'{}' is not in degrees with 5 to 7 decimals", text), "send a text such as \"30.59276\"",
                    Reason::position_out_of_range);
  };
  check("latitude", 2, 90);
  check("longitude", 3, 180);
}

void check_price(const FieldReader& cdr, std::string_view name) {
  const FieldReader price = cdr.object(name);
  price.number("excl_vat");
  if (price.has("incl_vat")) price.number("incl_vat");
}

std::int64_t energy_tenths(const FieldReader& fields, std::string_view name) {
  constexpr std::int64_t limit = 1'000'000'000'000;  // 100 GWh: so that sums of many cannot overflow
  const std::int64_t tenths = fields.number(name, kToTenths);
  if (tenths > limit || tenths < -limit) fields.fail(name, "is out of range", "", Reason::bad_number);
  return tenths;
}

// Energy of all periods in tenths of a watt-hour; nothing when no period says any.
std::optional<std::int64_t> energy_of_periods(const FieldReader& cdr, std::size_t& count) {
  const JsonTree& periods = cdr.list("charging_periods");
  if (periods.items.empty()) cdr.fail("charging_periods", "is empty", "send at least one period");
  if (periods.items.size() > kChargingPeriodsMax)
    cdr.fail("charging_periods", fmt::format("has {} periods; at most {} are taken", periods.items.size(), kChargingPeriodsMax));
  std::optional<std::int64_t> sum;
  count = periods.items.size();
  for (std::size_t i = 0; i < periods.items.size(); ++i) {
    const FieldReader period = cdr.element(periods, "charging_periods", i);
    time_of(period, "start_date_time");
    const JsonTree& dimensions = period.list("dimensions");
    if (dimensions.items.empty()) period.fail("dimensions", "is empty", "send at least one dimension");
    for (std::size_t j = 0; j < dimensions.items.size(); ++j) {
      const FieldReader dimension = period.element(dimensions, "dimensions", j);
      const std::string type = one_of(dimension, "type", kDimensions);
      if (type == "ENERGY") {
        sum = sum.value_or(0) + energy_tenths(dimension, "volume");
      } else {
        dimension.number("volume");
      }
    }
  }
  return sum;
}

void refuse(OcpiCdr& cdr, Reason reason, std::string_view field, std::string message) {
  if (cdr.reason != Reason::none) return;
  cdr.reason = reason;
  cdr.why = field_error("ocpi.not-credited", field, std::move(message), "nothing to do; the CDR is kept and earns nothing");
}

void read_token(const FieldReader& token, OcpiCdr& cdr) {
  const std::string country = letters(token, "country_code", 2), party = ci(token, "party_id", 3);
  ci(token, "uid", 36);
  one_of(token, "type", kTokenTypes);
  cdr.subject = fmt::format("ocpi:{}*{}*{}", country, party, ci(token, "contract_id", 36, Reason::missing_person));
}

void read_location(const FieldReader& location, OcpiCdr& cdr) {
  ci(location, "id", 36);
  location.text_or_empty("name", 255 * 4);
  location.text("address", 45 * 4);
  location.text("city", 45 * 4);
  letters(location, "country", 3);
  check_coordinates(location);
  ci(location, "evse_uid", 36);
  cdr.evse_id = ci(location, "evse_id", 48);
  if (cdr.evse_id == "#NA") cdr.evse_id.clear();
  ci(location, "connector_id", 36);
  ci(location, "connector_standard", 40);
  one_of(location, "connector_format", kConnectorFormats);
  one_of(location, "connector_power_type", kPowerTypes);
}

void hide_token(JsonTree& document) {
  const auto token = std::find(document.names.begin(), document.names.end(), "cdr_token");
  JsonTree& members = document.items[std::size_t(token - document.names.begin())];
  for (std::size_t i = 0; i < members.names.size(); ++i) {
    if (members.names[i] == "uid" || members.names[i] == "contract_id") members.items[i].text = kHiddenText;
  }
}

OcpiCdr read_fields(JsonTree document) {
  OcpiCdr cdr;
  const FieldReader fields(document, "", "ocpi");
  cdr.country_code = letters(fields, "country_code", 2);
  cdr.party_id = ci(fields, "party_id", 3);
  cdr.id = ci(fields, "id", 39, Reason::missing_event);
  cdr.start_ms = time_of(fields, "start_date_time");
  cdr.end_ms = time_of(fields, "end_date_time");
  if (fields.has("session_id")) ci(fields, "session_id", 36);
  read_token(fields.object("cdr_token"), cdr);
  one_of(fields, "auth_method", kAuthMethods);
  read_location(fields.object("cdr_location"), cdr);
  if (fields.text("currency", 3).size() != 3) fields.fail("currency", "is not a code of three letters (ISO 4217)");
  std::size_t periods = 0;
  const auto energy = energy_of_periods(fields, periods);
  check_price(fields, "total_cost");
  cdr.energy_wh = fields.number("total_energy", kToWattHours);
  fields.number("total_time");
  if (fields.has("total_parking_time")) fields.number("total_parking_time");
  time_of(fields, "last_updated");
  const bool is_credit = fields.truth_or_false("credit");
  if (is_credit) cdr.credits = ci(fields, "credit_reference_id", 39);
  if (!is_credit && fields.has("credit_reference_id"))
    fields.fail("credit_reference_id", "is there although credit is not true", "leave it out, or set credit to true");
  if (cdr.credits == cdr.id) fields.fail("credit_reference_id", "names the CDR itself");

  const std::int64_t total = energy_tenths(fields, "total_energy");
  if (energy && std::abs(*energy - total) > kRoundingTenths * std::int64_t(periods + 1))
    fields.fail("total_energy",
                fmt::format("{} kWh is not the sum of the periods' ENERGY, {} kWh", core::to_decimal_text(total, 4),
                            core::to_decimal_text(*energy, 4)),
                "correct the periods or the total", Reason::bad_number);
  if (cdr.start_ms == 0 || cdr.end_ms == 0) {
    refuse(cdr, Reason::bad_time, cdr.start_ms == 0 ? "start_date_time" : "end_date_time", "1970-01-01T00:00:00Z means an unknown time");
  } else if (cdr.end_ms <= cdr.start_ms) {
    fields.fail("end_date_time", "is not after start_date_time", "", Reason::time_order);
  }
  if (cdr.energy_wh < 0) refuse(cdr, Reason::quantity_too_small, "total_energy", "is negative: the vehicle was discharged");
  hide_token(document);
  cdr.document = std::move(document);
  return cdr;
}

}  // namespace

core::Result<OcpiCdr> read_cdr(std::string_view body) {
  if (body.size() > kCdrBytesMax)
    return field_error("ocpi.too-large", "the CDR", fmt::format("has {} bytes; at most {} are taken", body.size(), kCdrBytesMax),
                       "leave out the signed meter values");
  auto document = core::parse_json_tree(body);
  if (!document) return document.error();
  try {
    return read_fields(*std::move(document));
  } catch (const BadField& bad) {
    return bad.error;
  }
}

ForeignRecord charge_record(const OcpiCdr& cdr, const Claims& claims) {
  ForeignRecord record;
  record.element = 1;
  record.event = cdr.credits ? cdr.event_of(*cdr.credits) : cdr.event();
  record.subject = cdr.subject;
  record.person = claims(cdr.subject);
  record.activity = "ev-charge";
  record.start_ms = cdr.start_ms;
  record.end_ms = cdr.end_ms;
  record.quantity = cdr.energy_wh;
  record.reversal = cdr.credits.has_value();
  record.reason = cdr.reason;
  record.why = cdr.why;
  return record;
}

}  // namespace tanhui::activity
