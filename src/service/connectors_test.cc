// OCPI, MDS, Green Button and claims through the whole service.
#include <gtest/gtest.h>
#include <sodium.h>

#include "activity/ocpi_cdr_sample.h"
#include "core/json.h"
#include "service/ocpi.h"
#include "service/service_fixture.h"

namespace tanhui::service {
namespace {

using activity::test::sample_cdr;
using http::test::status_of;
using test::RunningService;

void random_bytes(std::span<std::uint8_t> bytes) { randombytes_buf(bytes.data(), bytes.size()); }

boost::json::object body_of(const std::string& answer) {
  return boost::json::parse(std::string_view(answer).substr(answer.find("\r\n\r\n") + 4)).as_object();
}

std::string header_of(const std::string& answer, std::string_view name) {
  const auto at = answer.find("\r\n" + std::string(name) + ": ");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 4;
  return answer.substr(begin, answer.find("\r\n", begin) - begin);
}

std::string base64(std::string_view text) {
  std::string out(sodium_base64_encoded_len(text.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  out.resize(out.size() - 1);
  return out;
}

struct Operator {
  RunningService service;
  std::string token;

  Operator() {
    auto instance = service.instance();
    db::Transaction tx = instance.database().begin();
    token = invite_ocpi_party(tx, activity::test::programme(), "charger", service.now_ms, random_bytes)->token;
    tx.commit();
  }
  std::string ask(std::string_view method, std::string_view path, std::string_view body = "", std::string_view authorization = "") {
    return service.ask(fmt::format(
        "{} {} HTTP/1.1\r\nHost: city.example\r\nAuthorization: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        method, path, authorization.empty() ? "Token " + base64(token) : std::string(authorization), body.size(), body));
  }
  static std::string credentials(std::string_view party = "CHA", std::string_view role = "CPO") {
    return fmt::format(R"({{"token": "their-token", "url": "https://cha.example/ocpi/versions", "roles": [{{"role": "{}", "party_id": "{}",
      "country_code": "CN", "business_details": {{"name": "Charging"}}}}]}})",
                       role, party);
  }
  void join() {
    const std::string answer = ask("POST", "/ocpi/2.2.1/credentials", credentials());
    ASSERT_EQ(status_of(answer), 200) << answer;
    token = std::string(body_of(answer).at("data").at("token").as_string());
  }
  std::string push(const std::string& cdr) { return ask("POST", "/ocpi/emsp/2.2.1/cdrs", cdr); }
  /// What a contract holds in the ledger.
  std::int64_t held(std::string_view subject) {
    service.stop();
    auto instance = service.instance();
    std::int64_t sum = 0;
    for (const auto& one : ledger::balances(instance.database(), instance.secret().person(subject)))
      if (one.asset.kind == ledger::AssetKind::reduction) sum += one.amount;
    return sum;
  }
};

constexpr const char* kContract = "ocpi:CN*8AA*CN-8AA-C12345678-X";
// 13.178 kWh by cn-420100-ev-charging-2024 or its national brother; the test asks the engine once and holds the rest against it.
std::int64_t worth_of_the_sample() {
  static const std::int64_t worth = [] {
    Operator once;
    once.join();
    EXPECT_EQ(status_of(once.push(sample_cdr())), 201);
    return once.held(kContract);
  }();
  return worth;
}

TEST(Ocpi, AnOperatorRegistersAndPushes) {
  Operator cpo;
  const std::string versions = cpo.ask("GET", "/ocpi/versions");
  ASSERT_EQ(status_of(versions), 200) << versions;
  EXPECT_EQ(body_of(versions).at("data").at(0).at("url").as_string(), "http://city.example/ocpi/2.2.1");
  const auto details = body_of(cpo.ask("GET", "/ocpi/2.2.1")).at("data").at("endpoints").as_array();
  ASSERT_EQ(details.size(), 2u);
  EXPECT_EQ(details[1].at("url").as_string(), "http://city.example/ocpi/emsp/2.2.1/cdrs");
  EXPECT_EQ(details[1].at("role").as_string(), "RECEIVER");

  EXPECT_EQ(body_of(cpo.push(sample_cdr())).at("status_code").as_int64(), 2001) << "not before it has registered";
  const std::string invited = cpo.token;
  cpo.join();
  EXPECT_NE(cpo.token, invited);
  EXPECT_EQ(status_of(cpo.ask("GET", "/ocpi/versions", "", "Token " + base64(invited))), 401) << "the first token has ended";
  EXPECT_EQ(status_of(cpo.ask("POST", "/ocpi/2.2.1/credentials", Operator::credentials())), 405);

  const std::string pushed = cpo.push(sample_cdr());
  ASSERT_EQ(status_of(pushed), 201) << pushed;
  EXPECT_EQ(body_of(pushed).at("status_code").as_int64(), 1000);
  EXPECT_EQ(body_of(pushed).at("status_message").as_string(), "accepted: credited");
  const std::string location = header_of(pushed, "Location");
  ASSERT_TRUE(location.starts_with("http://city.example/ocpi/emsp/2.2.1/cdrs/")) << pushed;
  const std::string shown = cpo.ask("GET", location.substr(std::string("http://city.example").size()));
  ASSERT_EQ(status_of(shown), 200) << shown;
  EXPECT_EQ(body_of(shown).at("data").at("id").as_string(), "CDR0001");
  EXPECT_EQ(body_of(shown).at("data").at("cdr_token").at("contract_id").as_string(), "#HIDDEN");
  EXPECT_EQ(status_of(cpo.ask("GET", "/ocpi/emsp/2.2.1/cdrs/00000000000000000000000000000000")), 404);
  EXPECT_GT(cpo.held(kContract), 0);
}

TEST(Ocpi, TokensOfOthersAreNone) {
  Operator cpo;
  cpo.join();
  for (const std::string& authorization :
       {std::string("Token guess"), std::string("Token "), "Bearer " + cpo.token, "Token " + base64("guess")}) {
    const std::string answer = cpo.ask("POST", "/ocpi/emsp/2.2.1/cdrs", sample_cdr(), authorization);
    EXPECT_EQ(status_of(answer), 401) << authorization;
    EXPECT_EQ(body_of(answer).at("status_code").as_int64(), 2000);
  }
  EXPECT_EQ(status_of(cpo.ask("POST", "/ocpi/emsp/2.2.1/cdrs", sample_cdr(), "Token " + cpo.token)), 201)
      << "some systems do not encode it";
  ASSERT_EQ(status_of(cpo.ask("DELETE", "/ocpi/2.2.1/credentials")), 200);
  EXPECT_EQ(status_of(cpo.push(sample_cdr())), 401);
}

TEST(Ocpi, ACdrIsImmutable) {
  Operator cpo;
  cpo.join();
  const std::string first = cpo.push(sample_cdr()), again = cpo.push(sample_cdr());
  EXPECT_EQ(status_of(again), 201);
  EXPECT_EQ(header_of(again, "Location"), header_of(first, "Location"));
  EXPECT_EQ(body_of(again).at("status_message").as_string(), "duplicate: same-event");
  const std::string changed = cpo.push(sample_cdr("CDR0001", "CN-8AA-C12345678-X", "2025-12-28T08:00:00Z", "2025-12-28T09:31:00Z"));
  EXPECT_EQ(body_of(changed).at("status_code").as_int64(), 2001);
  EXPECT_EQ(body_of(cpo.push(sample_cdr("CDR0001", "CN-8AA-OTHER"))).at("status_code").as_int64(), 2001) << "nor somebody else's";
  EXPECT_EQ(cpo.held(kContract), worth_of_the_sample());
}

TEST(Ocpi, ACreditCdrTakesItBackAndANewOneCounts) {
  Operator cpo;
  cpo.join();
  cpo.push(sample_cdr());
  const std::string credit = cpo.push(sample_cdr("CDR0001-C", "CN-8AA-C12345678-X", "2025-12-28T08:00:00Z", "2025-12-28T09:30:00Z",
                                                 R"(, "credit": true, "credit_reference_id": "CDR0001")"));
  EXPECT_EQ(status_of(credit), 201) << credit;
  EXPECT_EQ(body_of(credit).at("status_message").as_string(), "accepted: reversal");
  EXPECT_EQ(body_of(cpo.push(sample_cdr("CDR0002"))).at("status_message").as_string(), "accepted: credited");
  EXPECT_EQ(cpo.held(kContract), worth_of_the_sample()) << "once, not thrice";
}

TEST(Ocpi, ACreditThatComesFirstWaitsForItsOriginal) {
  Operator cpo;
  cpo.join();
  const std::string credit = cpo.push(sample_cdr("CDR0001-C", "CN-8AA-C12345678-X", "2025-12-28T08:00:00Z", "2025-12-28T09:30:00Z",
                                                 R"(, "credit": true, "credit_reference_id": "CDR0001")"));
  EXPECT_EQ(body_of(credit).at("status_message").as_string(), "held: unknown-reversal");
  EXPECT_EQ(body_of(cpo.push(sample_cdr())).at("status_message").as_string(), "rejected: reversed");
  EXPECT_EQ(cpo.held(kContract), 0);
}

TEST(Ocpi, AChargeOnOneEvseCountsOnce) {
  Operator cpo;
  cpo.join();
  cpo.push(sample_cdr());
  // The stop message was sent twice: the operator made another CDR of the same session, for the same driver. Which of the two counts, their
  // keys decide; the other is taken back.
  EXPECT_EQ(status_of(cpo.push(sample_cdr("CDR0009"))), 201);
  // The same charge under another contract waits for the run that compares people; a later charge on the EVSE does not.
  EXPECT_EQ(body_of(cpo.push(sample_cdr("CDR0010", "CN-8AA-OTHER"))).at("status_message").as_string(), "waits for the next run");
  EXPECT_EQ(body_of(cpo.push(sample_cdr("CDR0011", "CN-8AA-THIRD", "2025-12-28T09:30:00Z", "2025-12-28T10:30:00Z")))
                .at("status_message")
                .as_string(),
            "accepted: credited");
  EXPECT_EQ(cpo.held(kContract), worth_of_the_sample());
}

TEST(Ocpi, OnlyOnesOwnCdrs) {
  Operator cpo;
  cpo.join();
  ASSERT_EQ(status_of(cpo.ask("PUT", "/ocpi/2.2.1/credentials", Operator::credentials("XYZ"))), 200);
  EXPECT_EQ(status_of(cpo.push(sample_cdr())), 401) << "PUT made another token";
}

TEST(Ocpi, MistakesNameTheField) {
  Operator cpo;
  cpo.join();
  std::string wrong = sample_cdr();
  wrong.replace(wrong.find("\"total_energy\": 13.1785"), 23, "\"total_energy\": 99");
  const std::string answer = cpo.push(wrong);
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_EQ(body_of(answer).at("status_code").as_int64(), 2001);
  EXPECT_NE(std::string(body_of(answer).at("status_message").as_string()).find("total_energy"), std::string::npos);
  EXPECT_EQ(status_of(cpo.push("{")), 400);
}

// ---- MDS, Green Button and claims: the fixture's partner speaks for metro-gate, which is a source like any other here.

constexpr const char* kProvider = "63f13c48-34ff-49d2-aca7-cf6a5b6171c3";

std::string trip(int number, int metres, std::string_view device = "11111111-1111-4111-8111-111111111111") {
  const core::Millis start_ms = 1'766'880'000'000 + number * 600'000;  // 2025-12-28T00:00:00Z
  return fmt::format(
      R"({{"provider_id": "{}", "device_id": "{}", "trip_id": "aaaaaaaa-aaaa-4aaa-8aaa-{:012}", "start_time": {}, "end_time": {},
    "start_location": {{"lat": 30.5, "lng": 114.4}}, "end_location": {{"lat": 30.51, "lng": 114.4}}, "duration": 480, "distance": {}}})",
      kProvider, device, number, start_ms, start_ms + 480'000, metres);
}
std::string claim(int number, std::string_view person) {
  return fmt::format(R"({{"trip_id": "aaaaaaaa-aaaa-4aaa-8aaa-{:012}", "person": "{}"}})", number, person);
}

TEST(MdsRoutes, VehiclesThenTripsThenTheHourAgain) {
  RunningService service;
  const auto post = [&](std::string_view path, const std::string& body) { return service.post("metro-1", body, path); };
  const std::string provider = fmt::format("?provider_id={}", kProvider);
  const std::string vehicles =
      post("/mds/agency/vehicles" + provider, fmt::format(R"([{{"provider_id": "{}", "device_id": "11111111-1111-4111-8111-111111111111",
      "vehicle_id": "1", "vehicle_type": "bicycle", "propulsion_types": ["human"]}}, 7])",
                                                          kProvider));
  ASSERT_EQ(status_of(vehicles), 201) << vehicles;
  EXPECT_EQ(body_of(vehicles).at("success").as_int64(), 1);
  EXPECT_EQ(body_of(vehicles).at("failures").as_array().size(), 1u);

  const std::string no_claim = post("/mds/agency/trips" + provider, "[" + trip(0, 2000) + "]");
  EXPECT_EQ(status_of(no_claim), 400) << no_claim;
  EXPECT_EQ(body_of(no_claim).at("failures").at(0).at("error").as_string(), "missing_param");
  ASSERT_EQ(status_of(post("/api/v1/claims",
                           fmt::format(R"({{"subject": "mds:{}/aaaaaaaa-aaaa-4aaa-8aaa-000000000000", "person": "li"}})", kProvider))),
            200);
  const std::string claimed = post("/mds/agency/trips" + provider, "[" + trip(0, 2000) + "]");
  ASSERT_EQ(status_of(claimed), 201) << claimed;

  const auto hour = [&](const std::string& trips, const std::string& claims) {
    const std::string answer = post(fmt::format("/mds/provider/trips{}&end_time=2025-12-28T00", provider),
                                    fmt::format(R"({{"version": "2.0.0", "trips": [{}], "claims": [{}]}})", trips, claims));
    EXPECT_EQ(status_of(answer), 200) << answer;
    return body_of(answer);
  };
  const auto first = hour(trip(0, 2000) + "," + trip(1, 3000), claim(1, "wu"));
  ASSERT_EQ(first.at("results").as_array().size(), 2u);
  EXPECT_EQ(first.at("results").at(0).at("reason").as_string(), "same-event") << "it was pushed before";
  EXPECT_EQ(first.at("results").at(1).at("outcome").as_string(), "accepted");
  const auto second =
      hour(trip(1, 3500) + "," + trip(2, 3000, "22222222-2222-4222-8222-222222222222"), claim(1, "wu") + "," + claim(2, "wu"));
  ASSERT_EQ(second.at("results").as_array().size(), 2u);
  EXPECT_EQ(second.at("results").at(0).at("outcome").as_string(), "accepted") << "corrected";
  EXPECT_GT(second.at("results").at(0).at("milligrams").as_int64(), first.at("results").at(1).at("milligrams").as_int64());
  EXPECT_EQ(second.at("results").at(1).at("field").as_string(), "trips[1].device_id");
  service.stop();
  auto instance = service.instance();
  const auto held = [&](std::string_view person) {
    std::int64_t sum = 0;
    for (const auto& one : ledger::balances(instance.database(), instance.secret().person(person)))
      if (one.asset.kind == ledger::AssetKind::reduction) sum += one.amount;
    return sum;
  };
  EXPECT_EQ(held("li"), 0) << "the hour no longer has that trip";
  EXPECT_EQ(held("wu"), second.at("results").at(0).at("milligrams").as_int64());
}

TEST(MdsRoutes, ASandboxLeavesNothing) {
  RunningService service;
  const std::string path = fmt::format("/mds/agency/vehicles?provider_id={}", kProvider);
  const std::string vehicle =
      fmt::format(R"([{{"provider_id": "{}", "device_id": "11111111-1111-4111-8111-111111111111", "vehicle_type": "bicycle",
    "propulsion_types": ["human"]}}])",
                  kProvider);
  EXPECT_EQ(status_of(service.post("sandbox-1", vehicle, path)), 201);
  const std::string trips = fmt::format("/mds/agency/trips?provider_id={}", kProvider);
  EXPECT_NE(service.post("metro-1", "[" + trip(0, 2000) + "]", trips).find("unregistered"), std::string::npos);
  EXPECT_EQ(status_of(service.post("metro-1", "[]", "/mds/agency/trips?provider_id=7")), 400);
}

TEST(GreenButtonRoute, AFeedIsReadAndEachReadingIsAnswered) {
  RunningService service;
  std::ifstream file(test::kHome / "tests/corpus/activity_espi/hours.xml", std::ios::binary);
  const std::string feed(std::istreambuf_iterator<char>(file), {});
  const std::string unclaimed = service.post("metro-1", feed, "/api/v1/green-button");
  ASSERT_EQ(status_of(unclaimed), 200) << unclaimed;
  EXPECT_EQ(body_of(unclaimed).at("rejected").as_int64(), 3);
  ASSERT_EQ(status_of(service.post("metro-1", R"([{"subject": "espi:metro-gate/7bc41774-7190-4864-841c-861ac76d46c2", "person": "li"}])",
                                   "/api/v1/claims")),
            200);
  const std::string claimed = service.post("metro-1", feed, "/api/v1/green-button");
  ASSERT_EQ(status_of(claimed), 200) << claimed;
  const auto results = body_of(claimed).at("results").as_array();
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[2].at("reason").as_string(), "overlap");
  EXPECT_EQ(results[2].at("field").as_string(), "reading 3: timePeriod");
  EXPECT_EQ(status_of(service.post("metro-1", "<html/>", "/api/v1/green-button")), 400);
}

}  // namespace
}  // namespace tanhui::service
