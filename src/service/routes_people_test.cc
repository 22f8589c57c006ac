// People over HTTP, against a whole service on the store under test.
#include <boost/json.hpp>

#include "core/base64.h"
#include "identity/blinding.h"
#include "service/service_fixture.h"

namespace tanhui::service {
namespace {

namespace json = boost::json;

struct Told {
  int status = 0;
  std::string head, body;
  json::object object() const { return json::parse(body).as_object(); }
  std::string problem() const {
    const std::string type(object().at("type").as_string());
    return type.substr(type.rfind(':') + 1);
  }
};

class PeopleOverHttp : public testing::Test {
 protected:
  test::RunningService service{[](Config& config) {
    config.people.codes = "sandbox";
    config.people.wechat = "sandbox";
    config.people.evaluations_per_second = 1;
    config.people.evaluations_burst = 1'000;
    config.rates.everyone_burst = config.rates.person_burst = 100'000;
  }};

  Told ask(std::string_view method, std::string_view path, const std::string& body = "", std::string_view fields = "") {
    const std::string answer =
        service.ask(fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}{}Content-Length: {}\r\n\r\n{}", method, path, fields,
                                body.empty() ? "" : "Content-Type: application/json\r\n", body.size(), body));
    const std::size_t end = answer.find("\r\n\r\n");
    return {http::test::status_of(answer), answer.substr(0, end), end == std::string::npos ? "" : answer.substr(end + 4)};
  }
  Told as(const std::string& token, std::string_view method, std::string_view path, const std::string& body = "",
          std::string_view more = "") {
    return ask(method, path, body, fmt::format("Authorization: Bearer {}\r\n{}", token, more));
  }
  std::string code() {
    const auto items = ask("GET", "/api/v1/sandbox/messages").object().at("items").as_array();
    return std::string(items.at(0).at("code").as_string());
  }
  std::string answer_to(const Told& asked, std::string_view kind, std::string_view contact) {
    return fmt::format(R"({{"kind":"{}","contact":"{}","question":"{}","code":"{}"}})", kind, contact,
                       std::string_view(asked.object().at("question").as_string()), code());
  }
  /// Registers or logs in; the session.
  json::object joined(std::string_view kind, std::string_view contact) {
    const Told asked = ask("POST", "/api/v1/person-codes", fmt::format(R"({{"kind":"{}","contact":"{}"}})", kind, contact));
    EXPECT_EQ(asked.status, 202) << asked.body;
    const Told begun = ask("POST", "/api/v1/person-sessions", answer_to(asked, kind, contact));
    EXPECT_EQ(begun.status, 201) << begun.body;
    service.now_ms += 61'000;  // the next code may be sent
    return begun.object();
  }
};

std::string text(const json::object& object, std::string_view member) { return std::string(object.at(member).as_string()); }

TEST_F(PeopleOverHttp, ACodeMakesASession) {
  const json::object first = joined("phone", "138 0013 8000");
  EXPECT_TRUE(first.at("new").as_bool());
  const json::object again = joined("phone", "+8613800138000");
  EXPECT_FALSE(again.at("new").as_bool());
  EXPECT_EQ(text(first, "person"), text(again, "person"));
  const std::string token = text(again, "token");
  const Told me = as(token, "GET", "/api/v1/person");
  ASSERT_EQ(me.status, 200) << me.body;
  EXPECT_EQ(me.object().at("contacts").at(0).at("value").as_string(), "+8613800138000");
  EXPECT_EQ(me.object().at("pseudonyms").as_array().size(), 1u);
  EXPECT_NE(me.head.find("Cache-Control: no-store"), std::string::npos);
  EXPECT_EQ(as(token, "GET", "/api/v1/person-sessions").object().at("items").as_array().size(), 2u);
  EXPECT_EQ(as(token, "DELETE", "/api/v1/person-sessions/current").status, 204);
  EXPECT_EQ(as(token, "GET", "/api/v1/person").status, 401);
  EXPECT_EQ(as(text(first, "token"), "GET", "/api/v1/person").status, 200);
}

TEST_F(PeopleOverHttp, WhoIsNotLoggedInGetsNothing) {
  for (const char* path :
       {"/api/v1/person", "/api/v1/person/export", "/api/v1/person/accesses", "/api/v1/person/consents", "/api/v1/person-sessions"}) {
    EXPECT_EQ(ask("GET", path).status, 401) << path;
    EXPECT_EQ(as("wrong", "GET", path).status, 401) << path;
  }
  const json::object session = joined("mail", "wang@example.org");
  const std::string cookie = fmt::format("Cookie: a=b; tanhui_person={}\r\n", text(session, "token"));
  EXPECT_EQ(ask("GET", "/api/v1/person", "", cookie).status, 200);
  const std::string body = R"({"purpose":"contact","kind":"phone","contact":"13800138000"})";
  const Told forged = ask("POST", "/api/v1/person/codes", body, cookie);
  EXPECT_EQ(forged.problem(), "access.csrf");
  EXPECT_EQ(ask("POST", "/api/v1/person/codes", body, fmt::format("{}X-CSRF-Token: {}\r\n", cookie, text(session, "csrf_token"))).status,
            202);
}

TEST_F(PeopleOverHttp, WrongCodesCountAndSayNothing) {
  const Told asked = ask("POST", "/api/v1/person-codes", R"({"kind":"mail","contact":"li@example.org"})");
  const std::string right = answer_to(asked, "mail", "li@example.org");
  std::string wrong = right;
  const std::size_t last = wrong.size() - 3;
  wrong[last] = wrong[last] == '0' ? '1' : '0';
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("POST", "/api/v1/person-sessions", wrong).problem(), "code.wrong");
  EXPECT_EQ(ask("POST", "/api/v1/person-sessions", right).problem(), "code.wrong");
  const Told soon = ask("POST", "/api/v1/person-codes", R"({"kind":"mail","contact":"li@example.org"})");
  EXPECT_EQ(soon.status, 429);
  EXPECT_NE(soon.head.find("Retry-After: 60"), std::string::npos) << soon.head;
  EXPECT_EQ(ask("POST", "/api/v1/person-codes", R"({"kind":"mail","contact":"li"})").problem(), "contact.bad-mail");
  EXPECT_EQ(ask("POST", "/api/v1/person-codes", R"({"kind":"pigeon","contact":"li"})").problem(), "contact.unknown-kind");
  EXPECT_EQ(ask("POST", "/api/v1/person-codes", R"({"kind":"mail"})").problem(), "http.bad-body");
  EXPECT_EQ(ask("POST", "/api/v1/person-codes", "[]").problem(), "http.bad-body");
}

TEST_F(PeopleOverHttp, WechatLogsInAndAPhoneIsAdded) {
  EXPECT_EQ(ask("POST", "/api/v1/wechat-sessions", R"({"code":"stranger"})").problem(), "wechat.bad-code");
  const Told begun = ask("POST", "/api/v1/wechat-sessions", R"({"code":"sandbox-wang"})");
  ASSERT_EQ(begun.status, 201) << begun.body;
  const std::string token = text(begun.object(), "token");
  const std::string consent = R"({"programme":"wuhan-demo","source":"metro-gate","purpose":"crediting","given":true})";
  EXPECT_EQ(as(token, "POST", "/api/v1/person/consents", consent, "Idempotency-Key: k0\r\n").problem(), "consent.no-pseudonym");
  const Told asked = as(token, "POST", "/api/v1/person/codes", R"({"purpose":"contact","kind":"phone","contact":"13800138000"})");
  ASSERT_EQ(asked.status, 202) << asked.body;
  EXPECT_EQ(as(token, "POST", "/api/v1/person/contacts", answer_to(asked, "phone", "13800138000")).status, 204);
  EXPECT_EQ(as(token, "GET", "/api/v1/person").object().at("contacts").as_array().size(), 2u);
  EXPECT_EQ(as(token, "DELETE", "/api/v1/person/contacts/wechat").status, 204);
  EXPECT_EQ(as(token, "DELETE", "/api/v1/person/contacts/phone").problem(), "contact.last");

  EXPECT_EQ(as(token, "POST", "/api/v1/person/consents", consent).status, 400);  // without an Idempotency-Key
  const Told said = as(token, "POST", "/api/v1/person/consents", consent, "Idempotency-Key: k1\r\n");
  EXPECT_TRUE(said.object().at("changed").as_bool()) << said.body;
  EXPECT_FALSE(as(token, "POST", "/api/v1/person/consents", consent, "Idempotency-Key: k2\r\n").object().at("changed").as_bool());
  const std::string nowhere = R"({"programme":"wuhan-demo","source":"tram","purpose":"crediting","given":true})";
  EXPECT_EQ(as(token, "POST", "/api/v1/person/consents", nowhere, "Idempotency-Key: k3\r\n").problem(), "consent.unknown-source");
  const auto words = as(token, "GET", "/api/v1/person/consents").object().at("items").as_array();
  ASSERT_EQ(words.size(), 1u);
  EXPECT_EQ(words[0].at("said_by").as_string(), "person");
}

TEST_F(PeopleOverHttp, PartnersBlindAndPeopleAreErased) {
  const json::object session = joined("phone", "13800138000");
  const std::string token = text(session, "token");

  // A partner blinds the number, has it evaluated, and sends an act under the name.
  const auto keys = ask("GET", "/api/v1/pseudonym-keys").object().at("items").as_array();
  ASSERT_EQ(keys.size(), 1u);
  identity::BlindOptions options;
  ASSERT_TRUE(core::parse_base64url_exactly(keys[0].at("public_key").as_string(), options.public_key));
  std::istringstream ids("13800138000\n"), same("13800138000\n");
  std::ostringstream requests, names;
  identity::BatchReport report;
  const auto blinded = identity::blind_lines(ids, requests, options, identity::system_randomness(), report);
  std::string asked = requests.str();
  asked.pop_back();
  const std::string answer = service.post("metro-1", asked, "/api/v1/pseudonym-evaluations");
  ASSERT_EQ(http::test::status_of(answer), 200) << answer;
  std::istringstream responses(answer.substr(answer.find("\r\n\r\n") + 4));
  ASSERT_TRUE(identity::finish_lines(same, responses, names, blinded->state));
  std::string name = names.str();
  name.pop_back();
  EXPECT_EQ(ask("POST", "/api/v1/pseudonym-evaluations", asked).status, 401);
  const auto act = [&](std::string_view event) {
    return fmt::format(R"({{"event_id":"{}","person":"{}","activity":"metro-ride","start":"{}","end":"{}","quantity":13000}})", event, name,
                       core::to_text_utc(service.now_ms - 3'600'000), core::to_text_utc(service.now_ms - 1'800'000));
  };
  const std::string credited = service.post("metro-1", act("g-1"));
  EXPECT_NE(credited.find("\"accepted\":1"), std::string::npos) << credited;

  // The person sees it, and takes everything along.
  const Told all = as(token, "GET", "/api/v1/person/export");
  ASSERT_EQ(all.status, 200) << all.body;
  EXPECT_EQ(all.object().at("format").as_string(), "tanhui-person 1");
  EXPECT_EQ(all.object().at("records").as_array().size(), 1u) << all.body;

  // Erased, by a code to a contact of one's own.
  const json::object other = joined("mail", "li@example.org");
  EXPECT_EQ(
      as(text(other, "token"), "POST", "/api/v1/person/codes", R"({"purpose":"erase","kind":"phone","contact":"13800138000"})").problem(),
      "contact.not-yours");
  const Told confirm = as(token, "POST", "/api/v1/person/codes", R"({"purpose":"erase","kind":"phone","contact":"13800138000"})");
  ASSERT_EQ(confirm.status, 202) << confirm.body;
  const std::string right = answer_to(confirm, "phone", "13800138000");
  EXPECT_EQ(as(text(other, "token"), "POST", "/api/v1/person/erasure", right).problem(), "contact.not-yours");
  EXPECT_EQ(as(token, "POST", "/api/v1/person/erasure", right).status, 204);
  EXPECT_EQ(as(token, "GET", "/api/v1/person").status, 401);
  service.now_ms += 1'000;
  const std::string refused = service.post("metro-1", act("g-2"));
  EXPECT_NE(refused.find("\"no-consent\":1"), std::string::npos) << refused;
  EXPECT_EQ(as(text(other, "token"), "GET", "/api/v1/person").status, 200);
}

TEST_F(PeopleOverHttp, EvaluationsHaveARateOfElements) {
  std::string elements;
  const auto blind = identity::oprf::random_scalar(identity::system_randomness());
  const std::string one = core::to_base64url(*identity::oprf::blind(identity::oprf::Mode::voprf, "x", blind));
  joined("phone", "13800138000");  // makes the first key
  for (int i = 0; i < 600; ++i) elements += (i == 0 ? "\"" : ",\"") + one + "\"";
  const std::string body = R"({"version":1,"elements":[)" + elements + "]}";
  EXPECT_EQ(http::test::status_of(service.post("metro-1", body, "/api/v1/pseudonym-evaluations")), 200);
  const std::string slower = service.post("metro-2", body, "/api/v1/pseudonym-evaluations");  // another key of the same organisation
  EXPECT_EQ(http::test::status_of(slower), 429);
  EXPECT_NE(slower.find("Retry-After: 200"), std::string::npos) << slower;
  service.now_ms += 201'000;
  EXPECT_EQ(http::test::status_of(service.post("metro-1", body, "/api/v1/pseudonym-evaluations")), 200);
  for (const char* wrong : {R"({"version":1,"elements":[]})", R"({"version":1,"elements":["AA"]})", R"({"version":1,"elements":[1]})",
                            R"({"version":9,"elements":[]})"})
    EXPECT_GE(http::test::status_of(service.post("metro-1", wrong, "/api/v1/pseudonym-evaluations")), 400) << wrong;
}

}  // namespace
}  // namespace tanhui::service
