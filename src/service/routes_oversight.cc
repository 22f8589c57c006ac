// What needs a second pair of eyes, and what staff did.
#include "identity/proposal.h"
#include "identity/trail.h"
#include "journal/log.h"
#include "service/body.h"
#include "service/routes.h"
#include "service/staff_access.h"

namespace tanhui::service {
namespace {

namespace json = boost::json;
using identity::Action;

json::object json_of(const identity::Proposal& one) {
  return {{"id", one.id},
          {"what", identity::name(one.what)},
          {"programme", one.programme},
          {"payload", core::parse_json(one.payload).value_or(nullptr)},
          {"state", identity::name(one.state)},
          {"proposer", one.proposer},
          {"proposed_ms", one.proposed_ms},
          {"expires_ms", one.expires_ms},
          {"decider", or_null(one.decider)},
          {"decided_ms", or_null(one.decided_ms)},
          {"executed_ms", or_null(one.executed_ms)}};
}

json::object json_of(const identity::StaffAction& one) {
  const auto hex = [](const std::optional<core::Digest>& digest) {
    return digest ? json::value(core::to_hex(*digest)) : json::value(nullptr);
  };
  return {{"id", one.id},           {"at_ms", one.at_ms},         {"staff", one.staff},
          {"action", one.action},   {"programme", one.programme}, {"object", one.object},
          {"request", one.request}, {"before", hex(one.before)},  {"after", hex(one.after)}};
}

Response trail(const Request& request, const World& world, db::Reader& reader, std::string_view programme) {
  const auto page = read_page(request, world.cursors);
  if (!page) return http::problem(request, page.error());
  auto acts = identity::actions_after(reader, programme, page->after ? std::stoll(*page->after) : 0, std::size_t(page->limit) + 1);
  std::optional<std::string> next;
  if (std::int64_t(acts.size()) > page->limit) {
    acts.pop_back();
    next = std::to_string(acts.back().id);
  }
  json::array items;
  for (const auto& one : acts) items.push_back(json_of(one));
  return page_of(request, world.cursors, std::move(items), next);
}

}  // namespace

void add_oversight_routes(Api& api) {
  World& world = api.world();
  api.add({.method = Method::get,
           .path = "/api/v1/programmes/{programme}/proposals",
           .operation_id = "listProposals",
           .access = Access::staff("proposal.read"),
           .query = {"open"}},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const auto open = request.query().boolean("open");
            if (!open) return http::problem(request, open.error());
            json::array items;
            constexpr std::size_t kNewest = 500;
            for (const auto& one :
                 identity::proposals(database, request.path_parameter("programme"), open->value_or(false), world.now(), kNewest))
              items.push_back(json_of(one));
            return json_answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
          }));
  api.add(
      {.method = Method::post,
       .path = "/api/v1/programmes/{programme}/proposals",
       .operation_id = "propose",
       .access = Access::staff("proposal.make"),
       .body_bytes_max = 100'000},
      api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
        return with_body(request, {"what", "payload", "lasts_ms"}, [&](const core::MemberReader& in) -> Response {
          const auto what = identity::find_four_eyes(in.text("what"));
          if (!what) in.fail("what", "is nothing that is proposed");
          return answer(
              request,
              identity::propose(tx, by_caller(request, world.now()), *what, request.path_parameter("programme"),
                                json::serialize(in.value("payload")), integer_or_none(in, "lasts_ms").value_or(identity::kProposalLastsMs)),
              [](const auto& one) { return json_of(one); }, 201);
        });
      }));
  api.add({.method = Method::post,
           .path = "/api/v1/proposals/{proposal}/decision",
           .operation_id = "decideProposal",
           .access = Access::staff("proposal.decide"),
           .body_bytes_max = 8 * 1024},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return with_body(request, {"approve"}, [&](const core::MemberReader& in) -> Response {
              if (!in.value("approve").is_bool()) in.fail("approve", "is not true or false");
              return answer(
                  request,
                  identity::decide(tx, by_caller(request, world.now()), request.path_parameter("proposal"), in.value("approve").get_bool()),
                  [](const auto& one) { return json_of(one); });
            });
          }));
  api.add({.method = Method::delete_,
           .path = "/api/v1/proposals/{proposal}",
           .operation_id = "withdrawProposal",
           .access = Access::staff("proposal.make")},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return answer(request, identity::withdraw(tx, by_caller(request, world.now()), request.path_parameter("proposal")),
                          [](const auto& one) { return json_of(one); });
          }));
  api.add({.method = Method::get,
           .path = "/api/v1/programmes/{programme}/trail",
           .operation_id = "listProgrammeTrail",
           .access = Access::staff("trail.read"),
           .query = {"limit", "cursor"}},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            return trail(request, world, database, request.path_parameter("programme"));
          }));
  api.add({.method = Method::get,
           .path = "/api/v1/trail",
           .operation_id = "listTrail",
           .access = Access::staff("trail.read"),
           .query = {"limit", "cursor"}},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            if (const auto right = require(database, request, Action::trail_read, {}); !right) return http::problem(request, right.error());
            return trail(request, world, database, "");
          }));
  // Acts wait seconds for their entry in the log: one signature for many.
  api.add_chore("acts of staff into the log", std::chrono::seconds(5), [&world](db::Database& database) -> std::int64_t {
    if (identity::waiting_actions(database) == 0) return 0;
    const auto log = journal::Log::open(world.instance, database, world.now());
    if (!log) throw std::runtime_error(log.error().message);
    db::Transaction tx = database.begin();
    const std::int64_t waiting = identity::waiting_actions(tx);
    (void)identity::join_log(tx, *log, world.now());
    tx.commit();
    log->publish(database);
    return waiting;
  });
}

}  // namespace tanhui::service
