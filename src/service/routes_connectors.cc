// MDS trips and vehicles, Green Button feeds and claims of subjects, as partners send them in signed requests.
#include <fmt/format.h>

#include "activity/espi.h"
#include "activity/mds.h"
#include "service/credit_answer.h"
#include "service/in_transaction.h"
#include "service/partners.h"
#include "service/published.h"
#include "service/routes.h"
#include "service/subject_claims.h"

namespace tanhui::service {
namespace {

using activity::ForeignRecord;

constexpr std::size_t kClaimsBytesMax = std::size_t{8} << 20;

core::Error parameter_error(std::string_view name, std::string message) {
  return {core::ErrorCode::invalid_input,
          "http.bad-parameter",
          fmt::format("parameter '{}' {}", name, message),
          "see the reference",
          {{"parameter", std::string(name)}}};
}

core::Result<std::string> provider_of(const Request& request) {
  core::JsonTree tree{.kind = core::JsonTree::Kind::object};
  tree.names.push_back("provider_id");
  tree.items.push_back({.kind = core::JsonTree::Kind::text});
  tree.items[0].text = request.query().find("provider_id").value_or("");
  try {
    return activity::read_uuid(activity::FieldReader(tree, "", "mds"), "provider_id");
  } catch (const activity::BadField&) {
    return parameter_error("provider_id", "is not a UUID");
  }
}

core::Error not_open(const std::string& programme) {
  return {core::ErrorCode::refused,
          "programme.not-open",
          fmt::format("programme {} takes no records", programme),
          "ask its operator when it opens",
          {{"programme", programme}}};
}

/// What a request came to: a problem, or what the committer answered, without what was unwound on the way.
struct Decided {
  std::optional<Response> problem;
  Credit credit;
  std::vector<ForeignRecord> records;  // one for each element
};

using Read = std::function<core::Result<std::vector<ForeignRecord>>(db::Transaction&)>;

asio::awaitable<void> publish(World& world, Request& request, const PublicationRules& rules, Read read, Decided& out) {
  const Partner partner = partner_of(request);
  Committer& committer = world.records.committer();
  Credit& credit = out.credit;
  credit.programme = committer.find(partner.programme);
  if (!credit.programme) {
    out.problem = http::problem(request, not_open(partner.programme));
    co_return;
  }
  PublicationPlan plan;
  const auto failed = co_await in_transaction(world, request, [&](db::Transaction& tx) {
    const auto maker = activity::RecordMaker::make(credit.programme->window->names(), committer.instance().secret(),
                                                   credit.programme->programme, partner.source);
    auto records = maker ? read(tx) : maker.error();
    if (!records) {
      out.problem = http::problem(request, records.error());
      return false;
    }
    out.records = *std::move(records);
    plan = plan_publication(tx, *maker, partner.programme, partner.source, out.records, rules);
    maker->make_batch(plan.records, credit.records);
    return !partner.sandbox;
  });
  if (failed) out.problem = failed;
  if (out.problem) co_return;
  credit.digest = core::sha256(request.body());
  credit.sandbox = partner.sandbox;
  if (credit.records.size() == 0) co_return;
  if (!co_await decided(committer, credit)) {
    out.problem = http::problem(request, busy(), 429).header("Retry-After", "1");
    co_return;
  }
  if (credit.error) {
    out.problem = http::problem(request, *credit.error);
    co_return;
  }
  const std::size_t unwound = plan.records.size() - out.records.size();
  credit.answers.erase(credit.answers.begin(), credit.answers.begin() + std::ptrdiff_t(unwound));
  if (unwound == 0 || partner.sandbox) co_return;
  // Not done: it is unwound once more with the next publication, and counts once.
  co_await in_transaction(world, request, [&](db::Transaction& tx) {
    publication_done(tx, partner.programme, partner.source, plan);
    return true;
  });
}

Response results(const Decided& done) {
  std::vector<const core::Error*> why;
  for (const ForeignRecord& record : done.records) why.push_back(record.why ? &*record.why : nullptr);
  return Response{.body = answer_body(done.credit, why)};
}

activity::ActivityOfDevice registered_vehicles(db::Transaction& tx, const Partner& partner) {
  return [&tx, partner](std::string_view device) {
    return tx.find<std::string>("SELECT activity FROM mds_vehicle WHERE programme = $1 AND source = $2 AND device = $3", partner.programme,
                                partner.source, device);
  };
}

asio::awaitable<Response> post_trips(World& world, Request& request, bool whole_hour) {
  const auto provider = provider_of(request);
  if (!provider) co_return http::problem(request, provider.error());
  std::optional<core::Millis> hour_ms;
  if (whole_hour) {
    hour_ms = activity::read_mds_hour(request.query().find("end_time").value_or(""));
    if (!hour_ms) co_return http::problem(request, parameter_error("end_time", "is not an hour such as 2025-12-28T08"));
  }
  const Partner& partner = partner_of(request);
  Decided done;
  co_await publish(
      world, request, {.replace = Replace::always, .period = hour_ms ? *hour_ms / 3'600'000 : 0},
      [&](db::Transaction& tx) {
        return activity::read_mds_trips(
            request.body(), {.provider_id = *provider,
                             .activity_of_device = registered_vehicles(tx, partner),
                             .claims = claims_of(tx, world.records.committer().instance().secret(), partner.programme, partner.source),
                             .hour_ms = hour_ms});
      },
      done);
  if (done.problem) co_return *std::move(done.problem);
  if (whole_hour) co_return results(done);
  std::vector<activity::MdsFailure> failures;
  for (const ForeignRecord& record : done.records) {
    const std::size_t slash = record.event.rfind('/');
    if (record.why)
      failures.push_back(activity::mds_failure(*record.why, "trip_id", slash == std::string::npos ? "" : record.event.substr(slash + 1)));
  }
  const bool all_failed = !done.records.empty() && failures.size() == done.records.size();
  co_return Response{.status = all_failed ? 400 : 201, .body = activity::mds_bulk_answer(done.records.size(), failures)};
}

asio::awaitable<Response> post_vehicles(World& world, Request& request) {
  const auto provider = provider_of(request);
  if (!provider) co_return http::problem(request, provider.error());
  const auto vehicles = activity::read_mds_vehicles(request.body(), *provider);
  if (!vehicles) co_return http::problem(request, vehicles.error());
  const Partner partner = partner_of(request);
  std::vector<activity::MdsFailure> failures;
  const auto failed = co_await in_transaction(world, request, [&](db::Transaction& tx) {
    for (const auto& [vehicle, why] : *vehicles) {
      if (why) {
        failures.push_back(activity::mds_failure(*why, "device_id", ""));
        continue;
      }
      tx.exec(
          "INSERT INTO mds_vehicle (programme, source, device, activity, registered_ms) VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT (programme, source, device) DO UPDATE SET activity = excluded.activity",
          partner.programme, partner.source, vehicle->device_id, vehicle->activity, world.now());
    }
    return !partner.sandbox;
  });
  if (failed) co_return *failed;
  const bool all_failed = !vehicles->empty() && failures.size() == vehicles->size();
  co_return Response{.status = all_failed ? 400 : 201, .body = activity::mds_bulk_answer(vehicles->size(), failures)};
}

asio::awaitable<Response> post_feed(World& world, Request& request) {
  const Partner& partner = partner_of(request);
  Decided done;
  co_await publish(
      world, request, {.replace = Replace::better_evidence},
      [&](db::Transaction& tx) {
        return activity::read_espi(
            request.body(), {.custodian = partner.source,
                             .claims = claims_of(tx, world.records.committer().instance().secret(), partner.programme, partner.source)});
      },
      done);
  if (done.problem) co_return *std::move(done.problem);
  co_return results(done);
}

asio::awaitable<Response> post_claims(World& world, Request& request) {
  const auto claims = read_claims(request.body());
  if (!claims) co_return http::problem(request, claims.error());
  const Partner partner = partner_of(request);
  const auto failed = co_await in_transaction(world, request, [&](db::Transaction& tx) {
    keep_claims(tx, world.records.committer().instance().secret(), partner.programme, partner.source, *claims, world.now());
    return !partner.sandbox;
  });
  if (failed) co_return *failed;
  co_return Response{.body = fmt::format("{{\"claims\":{}}}", claims->size())};
}

}  // namespace

void add_connector_routes(Api& api) {
  World& world = api.world();
  const auto add = [&](std::string path, std::string id, std::vector<std::string> query, std::size_t body_bytes_max,
                       std::function<asio::awaitable<Response>(Request&)> handler) {
    api.add({.method = Method::post,
             .path = std::move(path),
             .operation_id = std::move(id),
             .access = Access::partner(),
             .query = std::move(query),
             .body_bytes_max = body_bytes_max},
            http::coroutine(std::move(handler)));
  };
  add("/api/v1/claims", "postClaims", {}, kClaimsBytesMax, [&world](Request& request) { return post_claims(world, request); });
  add("/mds/agency/vehicles", "postMdsVehicles", {"provider_id"}, activity::kMdsBytesMax,
      [&world](Request& request) { return post_vehicles(world, request); });
  add("/mds/agency/trips", "postMdsTrips", {"provider_id"}, activity::kMdsBytesMax,
      [&world](Request& request) { return post_trips(world, request, false); });
  add("/mds/provider/trips", "postMdsHour", {"provider_id", "end_time"}, activity::kMdsBytesMax,
      [&world](Request& request) { return post_trips(world, request, true); });
  add("/api/v1/green-button", "postGreenButton", {}, activity::kEspiBytesMax,
      [&world](Request& request) { return post_feed(world, request); });
}

}  // namespace tanhui::service
