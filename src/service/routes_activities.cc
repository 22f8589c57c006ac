// POST /api/v1/activities: a partner's records, credited before the answer. The body is NDJSON, a JSON list or one object; the answer has
// one line for each record, in their order. The fast path of the service: nothing here waits but for the committer.
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <charconv>

#include "activity/body_reader.h"
#include "service/partners.h"
#include "service/routes.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kBodyBytesMax = std::size_t{8} << 20;

std::string_view text_of(activity::WindowAnswer::Why why) {
  return why == activity::WindowAnswer::Why::late_day ? "late-day" : "seen-before";
}

void append_number(std::string& out, std::int64_t number) {
  std::array<char, 24> digits;
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), written.ptr);
}

void append_answer(std::string& out, const activity::Answer& answer) {
  out += R"("outcome":")";
  out += activity::name(answer.outcome);
  out += R"(","reason":")";
  out += activity::name(answer.reason);
  out += R"(","milligrams":)";
  append_number(out, answer.milligrams);
  out += R"(,"points":)";
  append_number(out, answer.points);
}

/// {"accepted":1,...,"results":[{"outcome":...},...]}
std::string answer_body(const Credit& credit) {
  std::array<std::uint64_t, activity::kOutcomes> outcomes{};
  std::uint64_t waiting = 0;
  std::int64_t milligrams = 0, points = 0;
  std::string results;
  results.reserve(credit.answers.size() * 80 + 160);
  for (const activity::WindowAnswer& one : credit.answers) {
    results += results.empty() ? "{" : ",{";
    if (one.waits) {
      ++waiting;
      results += R"("outcome":"pending","reason":")";
      results += text_of(one.why);
      results += '"';
    } else {
      ++outcomes[std::size_t(one.answer.outcome)];
      milligrams += one.answer.milligrams;
      points += one.answer.points;
      append_answer(results, one.answer);
      if (one.first) {
        results += R"(,"first":{)";
        append_answer(results, *one.first);
        results += '}';
      }
    }
    results += '}';
  }
  std::string body = "{";
  for (std::size_t i = 0; i < activity::kOutcomes; ++i) {
    body += '"';
    body += activity::name(activity::Outcome(i));
    body += "\":";
    append_number(body, std::int64_t(outcomes[i]));
    body += ',';
  }
  body += R"("pending":)";
  append_number(body, std::int64_t(waiting));
  body += R"(,"milligrams":)";
  append_number(body, milligrams);
  body += R"(,"points":)";
  append_number(body, points);
  body += R"(,"results":[)";
  body += results;
  body += "]}";
  return body;
}

/// Goes on, on the connection's thread, when the committer has decided. False: too much waits.
asio::awaitable<bool> decided(Committer& committer, Credit& credit) {
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(bool)>(
      [&](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        credit.done = [executor, shared] { asio::post(executor, [shared] { (*shared)(true); }); };
        if (!committer.submit(credit)) asio::post(executor, [shared] { (*shared)(false); });
      },
      asio::use_awaitable);
}

core::Error busy() {
  return {core::ErrorCode::refused, "activities.busy", "more records wait than this service decides at the moment",
          "send the request again in a second, and fewer at a time"};
}

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
