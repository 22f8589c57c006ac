// People: a code to a phone or mailbox, a session, and what belongs to the person: contacts, consents, who looked, everything, erasure.
// And pseudonyms: the platform's keys, and the evaluation of what partners blinded. docs/privacy.md says what each of them is for.
#include <boost/json.hpp>

#include <algorithm>

#include "activity/person_records.h"
#include "core/base64.h"
#include "core/invariant.h"
#include "core/json.h"
#include "identity/consent.h"
#include "identity/programmes.h"
#include "identity/smtp.h"
#include "identity/wechat.h"
#include "service/partners.h"
#include "service/person_access.h"
#include "service/routes.h"

namespace tanhui::service {
namespace {

namespace json = boost::json;
using core::Error, core::ErrorCode;
constexpr std::size_t kSmallBody = 8 * 1024, kBatchBody = 256 * 1024;

/// What the operations share; it lives as long as their handlers.
struct House {
  identity::LocalVault vault;
  identity::Safe safe;
  identity::People people;
  identity::Codes codes;
  std::unique_ptr<identity::CodeSender> sender;    // null: no codes
  identity::SandboxSender* sandbox = nullptr;      // when that is the sender
  std::unique_ptr<identity::WechatLogin> wechat;   // null: no login from WeChat
  std::unique_ptr<http::RateLimiter> evaluations;  // counts elements
  std::filesystem::path journal;

  House(identity::LocalVault opened, World& world)
      : vault(std::move(opened)),
        safe{vault, world.random},
        people(safe, world.secret),
        codes(safe, people),
        journal(world.instance / "journal") {
    const Config::People& config = world.config.people;
    if (config.codes == "sandbox") {
      auto made = std::make_unique<identity::SandboxSender>();
      sandbox = made.get();
      sender = std::move(made);
    } else if (config.codes == "smtp") {
      const auto security = config.smtp_security == "tls"     ? identity::SmtpSecurity::tls
                            : config.smtp_security == "plain" ? identity::SmtpSecurity::plain
                                                              : identity::SmtpSecurity::starttls;
      sender = std::make_unique<identity::SmtpSender>(identity::SmtpSettings{.host = config.smtp_host,
                                                                             .port = std::uint16_t(config.smtp_port),
                                                                             .security = security,
                                                                             .user = config.smtp_user,
                                                                             .password = config.smtp_password,
                                                                             .from = config.mail_from,
                                                                             .service = config.service_name,
                                                                             .ca_file = config.smtp_ca_file},
                                                      world.random, world.now);
    }
    if (config.wechat == "sandbox") wechat = std::make_unique<identity::SandboxWechat>();
    if (config.wechat == "wechat")
      wechat = std::make_unique<identity::WechatClient>(identity::WechatSettings{
          .appid = config.wechat_appid, .secret = config.wechat_secret, .endpoint = config.wechat_endpoint, .ca_file = ""});
    std::array<std::uint8_t, 8> seed{};
    world.random(seed);
    std::uint64_t number = 0;
    for (const std::uint8_t byte : seed) number = number << 8 | byte;
    evaluations = std::make_unique<http::RateLimiter>(http::RatePolicy{config.evaluations_per_second, config.evaluations_burst}, number);
  }
};

Error bad_body(std::string why) {
  return {ErrorCode::invalid_input,
          "http.bad-body",
          "the request's body: " + why,
          "send the JSON object that the interface describes",
          {{"why", why}}};
}

/// Calls `work(in)` with the body's members; whatever it reads and does not find is a problem.
template <class Work>
Response with_members(const Request& request, std::initializer_list<std::string_view> members, Work work) {
  const auto document = core::parse_json(request.body());
  if (!document || !document->is_object()) return http::problem(request, bad_body("it is not one JSON object"));
  for (const auto& member : document->get_object())
    if (std::find(members.begin(), members.end(), std::string_view(member.key())) == members.end())
      return http::problem(request, bad_body("it has a member that is not known"));
  try {
    return work(core::MemberReader(*document, "the object"));
  } catch (const core::BadMember& problem) {
    return http::problem(request, bad_body(problem.what()));
  }
}

Response answer(const json::value& value, int status = 200) {
  return Response{.status = status, .body = json::serialize(value)}.header("Cache-Control", "no-store");
}
Response nothing() { return {.status = 204}; }

/// 429 with Retry-After where somebody has to wait, 503 where somebody else does not answer.
Response refused(const Request& request, const Error& error) {
  const bool unavailable = error.id == "delivery.unavailable" || error.id == "wechat.unavailable";
  const int status = error.id == "code.too-often" ? 429 : unavailable ? 503 : http::status_of(error);
  Response response = http::problem(request, error, status);
  for (const auto& [name, value] : error.params)
    if (name == "wait_s") response.header("Retry-After", value);
  return response;
}

core::Result<identity::Contact> contact_in(const core::MemberReader& in) {
  const auto kind = identity::parse_contact_kind(in.text("kind"));
  if (!kind) return kind.error();
  if (*kind == identity::ContactKind::wechat)
    return Error{ErrorCode::invalid_input, "contact.no-code", "WeChat takes no codes", "log in with the code of wx.login()"};
  return identity::normalise_contact(*kind, in.text("contact"));
}

/// Asks for a code and has it delivered, after the commit and without a database connection: mail servers take their time.
core::Result<identity::CodeQuestion> ask_and_send(World& world, House& house, identity::CodePurpose purpose,
                                                  const identity::Contact& contact, bool chinese) {
  if (house.sender == nullptr || !house.sender->reaches(contact.kind))
    return Error{ErrorCode::refused, "delivery.no-way", fmt::format("this service sends no codes to a {}", identity::name(contact.kind)),
                 "use another kind of contact; the operator sets people.codes"};
  std::optional<identity::NewCode> made;
  {
    auto lease = world.databases.take();
    if (!lease) return lease.error();
    auto taken = *std::move(lease);
    auto asked =
        taken.database().transact([&](db::Transaction& tx) { return house.codes.ask(tx, purpose, contact, chinese, world.now()); });
    if (!asked) return asked.error();
    made = *std::move(asked);
  }
  if (auto sent = house.sender->send(made->message); !sent) return sent.error();
  return made->question;
}

json::object question_json(const identity::CodeQuestion& question) {
  return {{"question", question.text()}, {"expires_ms", question.expires_ms}};
}

/// Whether the code is right. What it changed (a wrong answer counts) is committed in any case.
core::Status check_code(World& world, House& house, db::Database& database, identity::CodePurpose purpose, const identity::Contact& contact,
                        const core::MemberReader& in) {
  db::Transaction tx = database.begin();
  auto status = house.codes.answer(tx, purpose, contact, in.text("question"), in.text("code"), world.now());
  tx.commit();
  return status;
}

json::object json_of(const identity::Session& session) {
  return {{"id", session.id},
          {"created_ms", session.created_ms},
          {"seen_ms", session.seen_ms},
          {"ends_ms", session.ends_ms},
          {"agent", session.agent}};
}

/// The token for programs, the same as a cookie for browsers: out of reach of scripts, sent to this site only.
Response begin_session(World& world, House& house, Request& request, db::Database& database, const identity::Contact& contact) {
  db::Transaction tx = database.begin();
  const auto registered = house.people.register_by(tx, contact, world.now());
  if (!registered) return refused(request, registered.error());
  const auto made = identity::start_session(tx, identity::SessionKind::person, registered->id.text(), false, identity::kPersonSession,
                                            request.header("User-Agent"), world.now());
  tx.commit();
  json::object body = json_of(made.session);
  body["person"] = registered->id.text();
  body["new"] = registered->now;
  body["token"] = made.token;
  body["csrf_token"] = identity::csrf_token(made.token);
  return answer(body, 201).header("Set-Cookie", fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict{}", kPersonCookie, made.token,
                                                            request.secure() ? "; Secure" : ""));
}

Response forget_cookie() {
  return nothing().header("Set-Cookie", fmt::format("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", kPersonCookie));
}

json::object key_json(const identity::PseudonymKeyInfo& key) {
  return {{"version", key.version},
          {"public_key", core::to_base64url(key.public_key)},
          {"from_day", key.from_day ? json::value(core::to_text(*key.from_day)) : json::value(nullptr)},
          {"retired", key.retired}};
}

void add_login(Api& api, const std::shared_ptr<House>& house) {
  World& world = api.world();
  api.add({.method = Method::post,
           .path = "/api/v1/person-codes",
           .operation_id = "askForLoginCode",
           .access = Access::everyone(),
           .body_bytes_max = kSmallBody},
          http::blocking([&world, house](Request& request) -> Response {
            return with_members(request, {"kind", "contact", "language"}, [&](const core::MemberReader& in) -> Response {
              const auto contact = contact_in(in);
              if (!contact) return refused(request, contact.error());
              const bool chinese = in.has("language") && in.text("language") == "zh";
              const auto question = ask_and_send(world, *house, identity::CodePurpose::login, *contact, chinese);
              return question ? answer(question_json(*question), 202) : refused(request, question.error());
            });
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/person-sessions",
           .operation_id = "logInByCode",
           .access = Access::everyone(),
           .body_bytes_max = kSmallBody},
          api.with_database([&world, house](Request& request, db::Database& database) -> Response {
            return with_members(request, {"kind", "contact", "question", "code"}, [&](const core::MemberReader& in) -> Response {
              const auto contact = contact_in(in);
              if (!contact) return refused(request, contact.error());
              if (auto right = check_code(world, *house, database, identity::CodePurpose::login, *contact, in); !right)
                return refused(request, right.error());
              return begin_session(world, *house, request, database, *contact);
            });
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/wechat-sessions",
           .operation_id = "logInByWechat",
           .access = Access::everyone(),
           .body_bytes_max = kSmallBody},
          http::blocking([&world, house](Request& request) -> Response {
            return with_members(request, {"code"}, [&](const core::MemberReader& in) -> Response {
              if (house->wechat == nullptr)
                return refused(request, {ErrorCode::refused, "wechat.off", "this service has no login from WeChat",
                                         "log in by a code to a phone or mail address; the operator sets people.wechat"});
              const auto user = house->wechat->user_of(in.text("code"));
              if (!user) return refused(request, user.error());
              const auto contact = identity::normalise_contact(identity::ContactKind::wechat, user->openid);
              if (!contact) return refused(request, contact.error());
              auto lease = world.databases.take();
              if (!lease) return refused(request, lease.error());
              auto taken = *std::move(lease);
              return begin_session(world, *house, request, taken.database(), *contact);
            });
          }));
  api.add({.method = Method::get, .path = "/api/v1/person-sessions", .operation_id = "listPersonSessions", .access = Access::person()},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const auto& mine = person_of(request).session;
            json::array items;
            for (const auto& one : identity::sessions_of(database, identity::SessionKind::person, mine.owner, world.now())) {
              json::object item = json_of(one);
              item["current"] = one.id == mine.id;
              items.push_back(std::move(item));
            }
            return answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
          }));
  api.add({.method = Method::delete_,
           .path = "/api/v1/person-sessions/{session}",
           .operation_id = "endPersonSession",
           .access = Access::person()},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const auto& mine = person_of(request).session;
            const std::string_view named = request.path_parameter("session");
            const std::string id(named == "current" ? std::string_view(mine.id) : named);
            db::Transaction tx = database.begin();
            if (const auto ended = identity::revoke_session(tx, identity::SessionKind::person, mine.owner, id, world.now()); !ended)
              return refused(request, ended.error());
            tx.commit();
            return id == mine.id ? forget_cookie() : nothing();
          }));
}

void add_contacts(Api& api, const std::shared_ptr<House>& house) {
  World& world = api.world();
  api.add({.method = Method::get, .path = "/api/v1/person", .operation_id = "getPerson", .access = Access::person()},
          api.with_database([house](Request& request, db::Database& database) -> Response {
            const auto& caller = person_of(request);
            const auto contacts = house->people.contacts(database, caller.id);
            if (!contacts) return refused(request, contacts.error());
            const auto person = *identity::find_person(database, caller.id);
            json::array contacts_out, pseudonyms;
            for (const auto& one : *contacts)
              contacts_out.push_back({{"kind", identity::name(one.kind)}, {"value", one.value}, {"verified_ms", one.verified_ms}});
            for (const auto& one : person.links) {
              json::object pseudonym{{"key", core::to_hex(one.key)},
                                     {"strength", identity::name(one.strength)},
                                     {"weaker", one.strength == identity::Strength::hashed},
                                     {"version", one.version}};
              for (auto& member : activity::accounts_json(database, one.key)) pseudonym.emplace(member.key(), std::move(member.value()));
              pseudonyms.push_back(std::move(pseudonym));
            }
            return answer(json::object{{"id", person.id.text()},
                                       {"joined_ms", person.joined_ms},
                                       {"contacts", std::move(contacts_out)},
                                       {"pseudonyms", std::move(pseudonyms)},
                                       {"csrf_token", identity::csrf_token(caller.token)}});
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/person/codes",
           .operation_id = "askForPersonCode",
           .access = Access::person(),
           .body_bytes_max = kSmallBody},
          http::blocking([&world, house](Request& request) -> Response {
            return with_members(request, {"purpose", "kind", "contact", "language"}, [&](const core::MemberReader& in) -> Response {
              const std::string purpose = in.text("purpose");
              if (purpose != "contact" && purpose != "erase")
                return refused(request, bad_body("purpose is contact (to add one) or erase (to confirm by one of your own)"));
              const auto contact = contact_in(in);
              if (!contact) return refused(request, contact.error());
              if (purpose == "erase") {
                auto lease = world.databases.take();
                if (!lease) return refused(request, lease.error());
                auto taken = *std::move(lease);
                if (house->people.find_by_contact(taken.database(), *contact) != person_of(request).id)
                  return refused(request,
                                 {ErrorCode::refused, "contact.not-yours", "this is not one of your contacts", "give one of your own"});
              }
              const bool chinese = in.has("language") && in.text("language") == "zh";
              const auto question = ask_and_send(
                  world, *house, purpose == "erase" ? identity::CodePurpose::erase : identity::CodePurpose::contact, *contact, chinese);
              return question ? answer(question_json(*question), 202) : refused(request, question.error());
            });
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/person/contacts",
           .operation_id = "setPersonContact",
           .access = Access::person(),
           .body_bytes_max = kSmallBody},
          api.with_database([&world, house](Request& request, db::Database& database) -> Response {
            return with_members(request, {"kind", "contact", "question", "code"}, [&](const core::MemberReader& in) -> Response {
              const auto contact = contact_in(in);
              if (!contact) return refused(request, contact.error());
              if (auto right = check_code(world, *house, database, identity::CodePurpose::contact, *contact, in); !right)
                return refused(request, right.error());
              const auto set = database.transact(
                  [&](db::Transaction& tx) { return house->people.set_contact(tx, person_of(request).id, *contact, world.now()); });
              return set ? nothing() : refused(request, set.error());
            });
          }));
  api.add({.method = Method::delete_,
           .path = "/api/v1/person/contacts/{kind}",
           .operation_id = "removePersonContact",
           .access = Access::person()},
          api.with_database([house](Request& request, db::Database& database) -> Response {
            const auto kind = identity::parse_contact_kind(request.path_parameter("kind"));
            if (!kind) return refused(request, kind.error());
            const auto removed =
                database.transact([&](db::Transaction& tx) { return house->people.remove_contact(tx, person_of(request).id, *kind); });
            return removed ? nothing() : refused(request, removed.error());
          }));
}

/// A word on every pseudonym of the person: partners name one person by several.
Response say_consent(World& world, Request& request, db::Transaction& tx, const core::MemberReader& in) {
  const std::string programme = in.text("programme"), source = in.text("source"), wording = in.has("wording") ? in.text("wording") : "";
  const auto purpose = identity::parse_purpose(in.text("purpose"));
  if (!purpose) return refused(request, purpose.error());
  if (!in.value("given").is_bool()) return refused(request, bad_body("given is true or false"));
  const bool given = in.value("given").get_bool();
  const auto settings = identity::programme_at(tx, programme, world.now());
  if (!settings || (source != identity::kEverySource && settings->find_source(source) == nullptr))
    return refused(request, {ErrorCode::not_found, "consent.unknown-source", "there is no such programme or source",
                             "use a source of the programme, or * for all of them"});
  if (wording.size() > 60) return refused(request, bad_body("wording is the version of the text that was shown, at most 60 characters"));
  const auto person = identity::find_person(tx, person_of(request).id);
  if (!person || person->links.empty())
    return refused(request, {ErrorCode::conflict, "consent.no-pseudonym", "no partner's records can be yours yet",
                             "add your phone number: then what partners send under it is yours"});
  bool said = false;
  for (const auto& link : person->links)
    said = identity::change_consent(tx, programme, link.key, source, given, world.now(), {*purpose, identity::SaidBy::person, wording}) ||
           said;
  return answer(json::object{{"changed", said}});
}

void add_data(Api& api, const std::shared_ptr<House>& house) {
  World& world = api.world();
  api.add({.method = Method::get, .path = "/api/v1/person/consents", .operation_id = "listConsents", .access = Access::person()},
          api.with_database([](Request& request, db::Database& database) -> Response {
            json::array items;
            const auto person = identity::find_person(database, person_of(request).id);
            core::invariant(person.has_value(), "a session's person is here");
            for (const auto& link : person->links)
              for (const auto& word : identity::consent_history(database, link.key))
                items.push_back({{"key", core::to_hex(link.key)},
                                 {"programme", word.programme},
                                 {"source", word.source},
                                 {"purpose", identity::name(word.purpose)},
                                 {"given", word.given},
                                 {"at_ms", word.at_ms},
                                 {"said_by", identity::name(word.said_by)},
                                 {"wording", word.wording}});
            return answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/person/consents",
           .operation_id = "sayConsent",
           .access = Access::person(),
           .body_bytes_max = kSmallBody},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return with_members(request, {"programme", "source", "purpose", "given", "wording"},
                                [&](const core::MemberReader& in) { return say_consent(world, request, tx, in); });
          }));
  api.add(
      {.method = Method::get, .path = "/api/v1/person/accesses", .operation_id = "listAccesses", .access = Access::person()},
      api.with_database([](Request& request, db::Database& database) -> Response {
        constexpr std::int64_t kShown = 1'000;
        json::array items;
        for (const auto& one : identity::accesses(database, person_of(request).id, kShown))
          items.push_back({{"at_ms", one.at_ms}, {"actor", one.actor}, {"purpose", identity::name(one.purpose)}, {"fields", one.fields}});
        return answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
      }));
  api.add({.method = Method::get, .path = "/api/v1/person/export", .operation_id = "exportPerson", .access = Access::person()},
          api.with_database([&world, house](Request& request, db::Database& database) -> Response {
            const auto everything = activity::export_of(database, house->journal, house->people, person_of(request).id, world.now());
            if (!everything) return refused(request, everything.error());
            return answer(*everything).header("Content-Disposition", "attachment; filename=\"tanhui-person.json\"");
          }));
  api.add(
      {.method = Method::post,
       .path = "/api/v1/person/erasure",
       .operation_id = "erasePerson",
       .access = Access::person(),
       .body_bytes_max = kSmallBody},
      api.with_database([&world, house](Request& request, db::Database& database) -> Response {
        return with_members(request, {"kind", "contact", "question", "code"}, [&](const core::MemberReader& in) -> Response {
          const auto contact = contact_in(in);
          if (!contact) return refused(request, contact.error());
          const auto& caller = person_of(request);
          if (house->people.find_by_contact(database, *contact) != caller.id)
            return refused(request, {ErrorCode::refused, "contact.not-yours", "this is not one of your contacts", "give one of your own"});
          if (auto right = check_code(world, *house, database, identity::CodePurpose::erase, *contact, in); !right)
            return refused(request, right.error());
          const auto erased = database.transact([&](db::Transaction& tx) -> core::Result<std::int64_t> {
            identity::revoke_sessions(tx, identity::SessionKind::person, caller.session.owner, world.now());
            return house->people.erase(tx, caller.id, world.now());
          });
          return erased ? forget_cookie() : refused(request, erased.error());
        });
      }));
}

Response evaluate(World& world, House& house, Request& request, db::Database& database, const core::MemberReader& in) {
  std::vector<identity::oprf::Element> elements;
  for (const auto& value : in.array("elements")) {
    identity::oprf::Element element;
    if (!value.is_string() || elements.size() == identity::oprf::kBatchMax || !core::parse_base64url_exactly(value.as_string(), element))
      return refused(request, bad_body("elements are 1 to 1,000 texts, each 32 bytes in base64url"));
    elements.push_back(element);
  }
  const auto decision = house.evaluations->take(partner_of(request).organisation, world.now(), std::int64_t(elements.size()));
  if (!decision.allowed) {
    Response slower = http::problem(request, http::rate_limited(decision));
    http::add_rate_headers(slower, house.evaluations->policy(), decision);
    return slower;
  }
  const std::int64_t version = in.integer("version");
  const auto keys = identity::PseudonymKeys::load(database, house.vault);
  if (!keys) return refused(request, keys.error());
  const auto evaluation = version > 0 && version <= UINT32_MAX
                              ? keys->evaluate(std::uint32_t(version), elements, house.safe.randomness)
                              : core::Result<identity::oprf::Evaluation>(bad_body("version is a number from 1 on"));
  if (!evaluation) return refused(request, evaluation.error());
  json::array evaluated;
  for (const auto& element : evaluation->elements) evaluated.emplace_back(core::to_base64url(element));
  std::array<std::uint8_t, 64> proof;
  std::copy_n(evaluation->proof.c.begin(), 32, proof.begin());
  std::copy_n(evaluation->proof.s.begin(), 32, proof.begin() + 32);
  json::object out{{"version", version}, {"public_key", nullptr}, {"elements", std::move(evaluated)}, {"proof", core::to_base64url(proof)}};
  for (const auto& key : keys->live())
    if (key.version == version) out["public_key"] = core::to_base64url(key.pair.public_key);
  return answer(out);
}

void add_pseudonyms(Api& api, const std::shared_ptr<House>& house) {
  World& world = api.world();
  api.add({.method = Method::get, .path = "/api/v1/pseudonym-keys", .operation_id = "listPseudonymKeys", .access = Access::everyone()},
          api.with_database([](Request&, db::Database& database) -> Response {
            json::array items;
            for (const auto& key : identity::pseudonym_keys(database)) items.push_back(key_json(key));
            return {.body = json::serialize(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}})};
          }));
  // Without an Idempotency-Key: it changes nothing, and the same elements have the same evaluation.
  api.add({.method = Method::post,
           .path = "/api/v1/pseudonym-evaluations",
           .operation_id = "evaluatePseudonyms",
           .access = Access::partner(),
           .body_bytes_max = kBatchBody},
          api.with_database([&world, house](Request& request, db::Database& database) -> Response {
            return with_members(request, {"version", "elements"},
                                [&](const core::MemberReader& in) { return evaluate(world, *house, request, database, in); });
          }));
  api.add({.method = Method::get, .path = "/api/v1/sandbox/messages", .operation_id = "listSandboxMessages", .access = Access::everyone()},
          http::blocking([house](Request& request) -> Response {
            if (house->sandbox == nullptr)
              return http::problem(request, Error{ErrorCode::not_found, "sandbox.off", "this service has no sandbox for messages",
                                                  "set people.codes to sandbox, for development only"});
            json::array items;
            for (const auto& message : house->sandbox->messages())
              items.push_back({{"kind", identity::name(message.to.kind)},
                               {"contact", message.to.value},
                               {"purpose", identity::name(message.purpose)},
                               {"code", message.code},
                               {"expires_ms", message.expires_ms}});
            return answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
          }));
}

}  // namespace

core::Status add_people_routes(Api& api) {
  World& world = api.world();
  auto vault = identity::LocalVault::open_or_create(world.instance / "master.key", identity::Suite::standard, world.random);
  if (!vault) return vault.error();
  const auto house = std::make_shared<House>(*std::move(vault), world);
  {  // partners find a key from the first day on
    auto lease = world.databases.take();
    if (!lease) return lease.error();
    auto taken = *std::move(lease);
    const auto keys =
        taken.database().transact([&](db::Transaction& tx) { return identity::PseudonymKeys::load_or_make(tx, house->safe, world.now()); });
    if (!keys) return keys.error();
  }
  add_login(api, house);
  add_contacts(api, house);
  add_data(api, house);
  add_pseudonyms(api, house);
  api.add_chore("forget old codes", std::chrono::hours(1), [now = world.now](db::Database& database) {
    db::Transaction tx = database.begin();
    const std::int64_t cleared = identity::Codes::clear(tx, now() - core::kMillisPerDay);
    tx.commit();
    return cleared;
  });
  return core::Done{};
}

}  // namespace tanhui::service
