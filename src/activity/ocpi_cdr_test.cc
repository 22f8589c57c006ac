#include "activity/ocpi_cdr.h"

#include <gtest/gtest.h>

#include "activity/ocpi_cdr_sample.h"

namespace tanhui::activity {
namespace {

using test::sample_cdr;

constexpr core::Millis kEight = 1'766'908'800'000;  // 2025-12-28T08:00:00Z

std::string with(std::string_view from, std::string_view to) {
  std::string text = sample_cdr();
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(OcpiCdr, EveryFieldThatCounts) {
  const auto cdr = read_cdr(sample_cdr());
  ASSERT_TRUE(cdr) << cdr.error().message;
  EXPECT_EQ(cdr->event(), "ocpi:CN*CHA*CDR0001");
  EXPECT_EQ(cdr->subject, "ocpi:CN*8AA*CN-8AA-C12345678-X");
  EXPECT_EQ(cdr->evse_id, "CN*CHA*E041503001");
  EXPECT_EQ(cdr->energy_wh, 13'178) << "13.1785 kWh, cut";
  EXPECT_EQ(cdr->start_ms, kEight);
  EXPECT_EQ(cdr->end_ms, kEight + 90 * 60'000);
  EXPECT_FALSE(cdr->credits);
  const ForeignRecord record = charge_record(*cdr, no_claims);
  EXPECT_EQ(record.activity, "ev-charge");
  EXPECT_EQ(record.quantity, 13'178);
  EXPECT_FALSE(record.reversal);
  EXPECT_EQ(record.reason, Reason::none);
}

TEST(OcpiCdr, IdsDoNotTellCaseApart) {
  EXPECT_EQ(read_cdr(sample_cdr("cdr0001"))->event(), read_cdr(sample_cdr("CDR0001"))->event());
  EXPECT_EQ(read_cdr(sample_cdr("x", "cn-8aa-c12345678-x"))->subject, read_cdr(sample_cdr("x"))->subject);
}

TEST(OcpiCdr, WhatIsKeptNamesNobody) {
  const auto cdr = read_cdr(sample_cdr());
  const std::string kept = core::canonical_json(cdr->document);
  EXPECT_EQ(kept.find("04B2A31C"), std::string::npos);
  EXPECT_EQ(kept.find("C12345678"), std::string::npos);
  EXPECT_NE(kept.find(R"("contract_id":"#HIDDEN")"), std::string::npos);
  EXPECT_TRUE(read_cdr(kept)) << "it is still a CDR";
}

TEST(OcpiCdr, AClaimSaysWhoItIs) {
  const core::PersonKey person{1, 2};
  const auto record = charge_record(*read_cdr(sample_cdr()), [&](std::string_view subject) {
    EXPECT_EQ(subject, "ocpi:CN*8AA*CN-8AA-C12345678-X");
    return std::optional(person);
  });
  EXPECT_EQ(record.person, person);
}

TEST(OcpiCdr, ACreditUnwindsTheCdrItNames) {
  const auto credit = read_cdr(sample_cdr("CDR0001-C", "K", "2025-12-28T08:00:00Z", "2025-12-28T09:30:00Z",
                                          R"(, "credit": true, "credit_reference_id": "cdr0001")"));
  ASSERT_TRUE(credit) << credit.error().message;
  const ForeignRecord record = charge_record(*credit, no_claims);
  EXPECT_TRUE(record.reversal);
  EXPECT_EQ(record.event, read_cdr(sample_cdr())->event());
}

TEST(OcpiCdr, CorrectButEarnsNothing) {
  const struct {
    const char* why;
    std::string cdr;
    Reason reason;
  } rows[] = {
      {"an unknown start", with(R"("start_date_time": "2025-12-28T08:00:00Z", "end)", R"("start_date_time": "1970-01-01T00:00:00Z", "end)"),
       Reason::bad_time},
      {"discharged",
       [] {
         std::string text = with("\"volume\": 10.1785", "\"volume\": -20.0");
         return text.replace(text.find("13.1785"), 7, "-17.0");
       }(),
       Reason::quantity_too_small},
  };
  for (const auto& [why, text, reason] : rows) {
    const auto cdr = read_cdr(text);
    ASSERT_TRUE(cdr) << why << ": " << cdr.error().message;
    EXPECT_EQ(cdr->reason, reason) << why;
    EXPECT_EQ(charge_record(*cdr, no_claims).reason, reason) << why;
    ASSERT_TRUE(cdr->why) << why;
  }
}

TEST(OcpiCdr, RefusalsNameTheField) {
  const struct {
    const char *from, *to, *field, *id;
  } rows[] = {
      {R"("country_code": "CN", "party_id": "CHA")", R"("party_id": "CHA")", "country_code", "ocpi.missing-field"},
      {R"("country_code": "CN", "party_id": "CHA")", R"("country_code": "C1", "party_id": "CHA")", "country_code", "ocpi.bad-field"},
      {"\"CDR0001\"", "\"1234567890123456789012345678901234567890\"", "id", "ocpi.bad-field"},
      {"\"CDR0001\"", "17", "id", "ocpi.bad-field"},
      {"\"2025-12-28T09:30:00Z\"", "\"2025-12-28T09:30:00+08:00\"", "end_date_time", "ocpi.bad-field"},
      {"\"2025-12-28T09:30:00Z\"", "\"2025-12-28T08:00:00Z\"", "end_date_time", "ocpi.bad-field"},
      {"\"2025-12-28T09:30:00Z\"", "\"2025-02-29T09:30:00Z\"", "end_date_time", "ocpi.bad-field"},
      {"\"contract_id\": \"CN-8AA-C12345678-X\"", "\"visual\": \"1\"", "cdr_token.contract_id", "ocpi.missing-field"},
      {"\"contract_id\": \"CN-8AA-C12345678-X\"", "\"contract_id\": \"\u00e9\"", "cdr_token.contract_id", "ocpi.bad-field"},
      {"\"RFID\"", "\"CARD\"", "cdr_token.type", "ocpi.bad-field"},
      {"\"WHITELIST\"", "\"whitelist\"", "auth_method", "ocpi.bad-field"},
      {"\"30.505512\"", "\"114.399210\"", "cdr_location.coordinates.latitude", "ocpi.bad-field"},
      {"\"30.505512\"", "30.505512", "cdr_location.coordinates.latitude", "ocpi.bad-field"},
      {"\"30.505512\"", "\"30.5\"", "cdr_location.coordinates.latitude", "ocpi.bad-field"},
      {"\"114.399210\"", "\"180.000001\"", "cdr_location.coordinates.longitude", "ocpi.bad-field"},
      {"\"CHN\"", "\"CN\"", "cdr_location.country", "ocpi.bad-field"},
      {"\"volume\": 3.0", "\"volume\": 3.1", "total_energy", "ocpi.bad-field"},
      {"\"total_energy\": 13.1785", "\"total_energy\": \"13.1785\"", "total_energy", "ocpi.bad-field"},
      {"\"total_energy\": 13.1785", "\"total_energy\": 1e300", "total_energy", "ocpi.bad-field"},
      {"\"type\": \"ENERGY\", \"volume\": 3.0", "\"type\": \"HEAT\", \"volume\": 3.0", "charging_periods[1].dimensions[0].type",
       "ocpi.bad-field"},
      {"\"excl_vat\": 14.50", "\"before_taxes\": 14.50", "total_cost.excl_vat", "ocpi.missing-field"},
      {"\"total_time\": 1.5", "\"total_time\": 1.5, \"credit\": true", "credit_reference_id", "ocpi.missing-field"},
      {"\"total_time\": 1.5", "\"total_time\": 1.5, \"credit_reference_id\": \"A\"", "credit_reference_id", "ocpi.bad-field"},
      {"\"total_time\": 1.5", "\"total_time\": 1.5, \"credit\": true, \"credit_reference_id\": \"cdr0001\"", "credit_reference_id",
       "ocpi.bad-field"},
  };
  for (const auto& [from, to, field, id] : rows) {
    const auto cdr = read_cdr(with(from, to));
    ASSERT_FALSE(cdr) << to;
    EXPECT_EQ(cdr.error().id, id) << to;
    ASSERT_FALSE(cdr.error().params.empty()) << cdr.error().message;
    EXPECT_EQ(cdr.error().params[0].second, field) << cdr.error().message;
  }
  EXPECT_EQ(read_cdr("[]").error().id, "ocpi.bad-field");
  EXPECT_EQ(read_cdr("{").error().id, "json.broken");
  EXPECT_EQ(read_cdr(std::string(kCdrBytesMax + 1, ' ')).error().id, "ocpi.too-large");
}

TEST(OcpiCdr, RoundedPeriodsAreTheSameEnergy) {
  EXPECT_TRUE(read_cdr(with("\"volume\": 3.0", "\"volume\": 3.001")));
  EXPECT_FALSE(read_cdr(with("\"volume\": 3.0", "\"volume\": 3.0031")));
}

TEST(OcpiCdr, Times) {
  EXPECT_EQ(read_ocpi_time("2025-12-28T08:00:00Z"), kEight);
  EXPECT_EQ(read_ocpi_time("2025-12-28T08:00:00"), kEight) << "without a zone it is UTC";
  EXPECT_EQ(read_ocpi_time("2025-12-28T08:00:00.123Z"), kEight + 123);
  for (const char* text : {"2025-12-28 08:00:00Z", "2025-12-28T08:00Z", "2025-12-28T08:00:00+00:00", "2025-12-28T08:00:00.Z", "2025-12-28",
                           "2025-13-28T08:00:00Z", "", "2025-12-28T24:00:01Z"})
    EXPECT_FALSE(read_ocpi_time(text)) << text;
  EXPECT_EQ(ocpi_time(kEight + 123), "2025-12-28T08:00:00Z");
}

}  // namespace
}  // namespace tanhui::activity
