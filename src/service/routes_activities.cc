// POST /api/v1/activities: a partner's records, credited before the answer. The body is NDJSON, a JSON list or one object; the answer has
// one line for each record, in their order. The fast path of the service: nothing here waits but for the committer.
#include <fmt/format.h>

#include <map>

#include "activity/body_reader.h"
#include "service/credit_answer.h"
#include "service/partners.h"
#include "service/routes.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kBodyBytesMax = std::size_t{8} << 20;

/// A reader of each source and thread.
activity::BodyReader* reader_of(Committer& committer, const std::shared_ptr<OpenProgramme>& programme, const std::string& source,
                                core::Status& status) {
  struct Kept {
    std::weak_ptr<OpenProgramme> programme;
    std::unique_ptr<activity::BodyReader> reader;
  };
  thread_local std::map<std::pair<const OpenProgramme*, std::string>, Kept> readers;
  Kept& kept = readers[{programme.get(), source}];
  if (kept.programme.lock() == programme) return kept.reader.get();
  std::erase_if(readers, [](const auto& one) { return one.second.programme.expired() && one.second.reader; });
  auto made = activity::BodyReader::make(programme->window->names(), committer.instance().secret(), programme->programme,
                                         committer.library(), source);
  if (!made) {
    status = made.error();
    return nullptr;
  }
  Kept& fresh = readers[{programme.get(), source}];
  fresh = {programme, *std::move(made)};
  return fresh.reader.get();
}

asio::awaitable<Response> post_activities(Committer& committer, Request& request) {
  const Partner& partner = partner_of(request);
  Credit credit{.programme = committer.find(partner.programme)};
  if (!credit.programme)
    co_return http::problem(request, {core::ErrorCode::refused,
                                      "programme.not-open",
                                      fmt::format("programme {} takes no records", partner.programme),
                                      "ask its operator when it opens",
                                      {{"programme", partner.programme}}});
  core::Status status = core::Done{};
  activity::BodyReader* reader = reader_of(committer, credit.programme, partner.source, status);
  if (reader != nullptr) status = reader->read(request.body(), credit.records);
  if (!status) co_return http::problem(request, status.error());
  credit.digest = core::sha256(request.body());
  credit.sandbox = partner.sandbox;
  if (!co_await decided(committer, credit)) co_return http::problem(request, busy(), 429).header("Retry-After", "1");
  if (credit.error) co_return http::problem(request, *credit.error);
  co_return Response{.body = answer_body(credit)};
}

}  // namespace

void add_activity_routes(Api& api) {
  Committer& committer = api.world().records.committer();
  api.add({.method = Method::post,
           .path = "/api/v1/activities",
           .operation_id = "postActivities",
           .access = Access::partner(),
           .body_bytes_max = kBodyBytesMax,
           .order_free = true},
          http::coroutine([&committer](Request& request) { return post_activities(committer, request); }));
}

}  // namespace tanhui::service
