// activity/ocpi_cdr_sample.h: a CDR for tests, made up; every mandatory field is there.
#pragma once
#include <string>
#include <string_view>

namespace tanhui::activity::test {

/// 13.1785 kWh on one EVSE in Wuhan, 08:00 to 09:30 UTC on 2025-12-28.
inline std::string sample_cdr(std::string_view id = "CDR0001", std::string_view contract = "CN-8AA-C12345678-X",
                              std::string_view start = "2025-12-28T08:00:00Z", std::string_view end = "2025-12-28T09:30:00Z",
                              std::string_view more = "") {
  std::string text = R"({"country_code": "CN", "party_id": "CHA", "id": "@id", "start_date_time": "@start", "end_date_time": "@end",
  "cdr_token": {"country_code": "CN", "party_id": "8AA", "uid": "04B2A31C", "type": "RFID", "contract_id": "@contract"},
  "auth_method": "WHITELIST",
  "cdr_location": {"id": "LOC1", "name": "Optics Valley", "address": "Luoyu Road 1", "city": "Wuhan", "country": "CHN",
    "coordinates": {"latitude": "30.505512", "longitude": "114.399210"}, "evse_uid": "3256", "evse_id": "CN*CHA*E041503001",
    "connector_id": "1", "connector_standard": "GBT_DC", "connector_format": "CABLE", "connector_power_type": "DC"},
  "currency": "CNY",
  "charging_periods": [{"start_date_time": "@start", "dimensions": [{"type": "ENERGY", "volume": 10.1785}, {"type": "MAX_POWER", "volume": 60}]},
    {"start_date_time": "2025-12-28T09:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 3.0}]}],
  "total_cost": {"excl_vat": 14.50, "incl_vat": 15.37}, "total_energy": 13.1785, "total_time": 1.5,
  "last_updated": "2025-12-28T09:31:00Z"@more})";
  const auto put = [&](std::string_view name, std::string_view value) {
    for (std::size_t at; (at = text.find(name)) != std::string::npos;) text.replace(at, name.size(), value);
  };
  put("@id", id), put("@contract", contract), put("@start", start), put("@end", end), put("@more", more);
  return text;
}

}  // namespace tanhui::activity::test
