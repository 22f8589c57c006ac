// OCPI 2.2.1 over HTTP (service/ocpi.h): its own tokens, its own envelope around every answer. Only a CDR waits for the committer.
#include <fmt/format.h>

#include "core/json.h"
#include "service/credit_answer.h"
#include "service/in_transaction.h"
#include "service/ocpi.h"
#include "service/routes.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kCredentialsBytesMax = 64 * 1024;

OcpiSelf self_of(const World& world, const Request& request) {
  const Config::Activities& seen = world.config.activities;
  const std::string scheme = !seen.public_scheme.empty() ? seen.public_scheme : request.secure() ? "https" : "http";
  const std::string host = !seen.public_authority.empty() ? seen.public_authority : std::string(request.header("Host"));
  return {fmt::format("{}://{}/ocpi", scheme, host), world.config.ocpi.country_code, world.config.ocpi.party_id, world.config.ocpi.name};
}

Response answer(const World& world, OcpiStatus status, std::string_view message, std::string_view data, int http_status = 200) {
  return Response{.status = http_status, .body = ocpi_envelope(status, message, data, world.now())};
}

Response refusal(const World& world, const core::Error& error) {
  const bool no_json = error.id.starts_with("json.");
  const bool wrong_method = error.id == "ocpi.registered" || (error.id == "ocpi.not-registered" && error.code == core::ErrorCode::conflict);
  Response response = answer(world, OcpiStatus::invalid, fmt::format("{}; {}", error.message, error.action), "",
                             no_json        ? 400
                             : wrong_method ? 405
                                            : 200);
  response.error_id = error.id;
  return response;
}

Response stranger(const World& world) {
  return answer(world, OcpiStatus::client_error, "the token is not known", "", 401).header("WWW-Authenticate", "Token");
}

/// A handler for whoever holds a token; `work` commits what it wrote when it answers 200 with status 1000.
http::Handler for_party(World& world, std::function<Response(Request&, db::Transaction&, const OcpiParty&)> work) {
  return http::coroutine([&world, work = std::move(work)](Request& request) -> asio::awaitable<Response> {
    Response response;
    const auto failed = co_await in_transaction(world, request, [&](db::Transaction& tx) {
      const auto party = ocpi_party_of(tx, request.header("Authorization"));
      response = party ? work(request, tx, *party) : stranger(world);
      return response.error_id.empty() && response.status == 200;
    });
    if (failed) co_return *failed;
    co_return response;
  });
}

/// The token that the request came with: who asks for its credentials knows it already, and we do not.
std::string token_of(const Request& request) {
  const auto token = ocpi_token(request.header("Authorization"));
  return token.value_or("");
}

asio::awaitable<Response> post_cdr(World& world, Request& request) {
  Committer& committer = world.records.committer();
  Credit credit;
  std::optional<Response> answered;
  std::string location, refused;
  const auto failed = co_await in_transaction(world, request, [&](db::Transaction& tx) {
    const auto party = ocpi_party_of(tx, request.header("Authorization"));
    if (!party) {
      answered = stranger(world);
      return false;
    }
    credit.programme = committer.find(party->programme);
    if (!credit.programme) {
      answered = answer(world, OcpiStatus::server_error, fmt::format("programme {} takes no records now", party->programme), "", 503)
                     .header("Retry-After", "60");
      return false;
    }
    const auto maker = activity::RecordMaker::make(credit.programme->window->names(), committer.instance().secret(),
                                                   credit.programme->programme, party->source);
    auto received = maker ? receive_cdr(tx, committer.instance().secret(), *party, request.body(), world.now()) : maker.error();
    if (!received) {
      answered = refusal(world, received.error());
      return false;
    }
    location = received->location;
    if (received->record.why) refused = received->record.why->message;
    maker->make_batch({received->record}, credit.records);
    return true;
  });
  if (failed) co_return *failed;
  if (answered) co_return *std::move(answered);
  credit.digest = core::sha256(request.body());
  if (!co_await decided(committer, credit) || credit.error)
    co_return answer(world, OcpiStatus::server_error, credit.error ? credit.error->message : busy().message, "", 503)
        .header("Retry-After", "1");
  const activity::WindowAnswer& one = credit.answers.front();
  const std::string what = one.waits ? std::string("waits for the next run")
                                     : fmt::format("{}: {}", activity::name(one.answer.outcome), activity::name(one.answer.reason));
  co_return answer(world, OcpiStatus::success, refused.empty() ? what : fmt::format("{}; {}", what, refused), "", 201)
      .header("Location", fmt::format("{}/emsp/2.2.1/cdrs/{}", self_of(world, request).base_url, location));
}

}  // namespace

void add_ocpi_routes(Api& api) {
  World& world = api.world();
  const auto add = [&](Method method, std::string path, std::string id, http::Handler handler, std::size_t body_bytes_max = 0,
                       bool rate_limited = true) {
    api.add({.method = method,
             .path = std::move(path),
             .operation_id = std::move(id),
             .access = Access::everyone(),
             .body_bytes_max = body_bytes_max,
             .rate_limited = rate_limited},
            std::move(handler));
  };
  add(Method::get, "/ocpi/versions", "getOcpiVersions", for_party(world, [&world](Request& request, db::Transaction&, const OcpiParty&) {
        return answer(world, OcpiStatus::success, "", ocpi_versions(self_of(world, request)));
      }));
  add(Method::get, "/ocpi/2.2.1", "getOcpiVersion", for_party(world, [&world](Request& request, db::Transaction&, const OcpiParty&) {
        return answer(world, OcpiStatus::success, "", ocpi_version_details(self_of(world, request)));
      }));
  const auto put_credentials = [&world](bool first) {
    return for_party(world, [&world, first](Request& request, db::Transaction& tx, const OcpiParty& party) {
      const auto token = register_ocpi_party(tx, party, request.body(), first, world.now(), world.random);
      if (!token) return refusal(world, token.error());
      return answer(world, OcpiStatus::success, "", ocpi_credentials(self_of(world, request), *token));
    });
  };
  add(Method::post, "/ocpi/2.2.1/credentials", "postOcpiCredentials", put_credentials(true), kCredentialsBytesMax);
  add(Method::put, "/ocpi/2.2.1/credentials", "putOcpiCredentials", put_credentials(false), kCredentialsBytesMax);
  add(Method::get, "/ocpi/2.2.1/credentials", "getOcpiCredentials",
      for_party(world, [&world](Request& request, db::Transaction&, const OcpiParty&) {
        return answer(world, OcpiStatus::success, "", ocpi_credentials(self_of(world, request), token_of(request)));
      }));
  add(Method::delete_, "/ocpi/2.2.1/credentials", "deleteOcpiCredentials",
      for_party(world, [&world](Request&, db::Transaction& tx, const OcpiParty& party) {
        if (!party.registered)
          return refusal(world,
                         {core::ErrorCode::conflict, "ocpi.not-registered", "the party is not registered", "there is nothing to end"});
        const auto ended = revoke_ocpi_party(tx, party.id);
        return ended ? answer(world, OcpiStatus::success, "", "") : refusal(world, ended.error());
      }));
  add(Method::post, "/ocpi/emsp/2.2.1/cdrs", "postOcpiCdr",
      http::coroutine([&world](Request& request) { return post_cdr(world, request); }), activity::kCdrBytesMax,
      false);  // an operator of a city sends more than a stranger may; a token that is guessed costs a look into an index
  add(Method::get, "/ocpi/emsp/2.2.1/cdrs/{location}", "getOcpiCdr",
      for_party(world, [&world](Request& request, db::Transaction& tx, const OcpiParty& party) {
        const auto cdr = pushed_cdr(tx, party, request.path_parameter("location"));
        return cdr ? answer(world, OcpiStatus::success, "", *cdr)
                   : answer(world, OcpiStatus::client_error, "there is no such CDR of yours", "", 404);
      }));
}

}  // namespace tanhui::service
