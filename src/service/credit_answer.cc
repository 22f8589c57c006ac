#include "service/credit_answer.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <charconv>

#include "core/json.h"

namespace tanhui::service {

namespace asio = http::asio;

namespace {

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

}  // namespace

std::string answer_body(const Credit& credit, const std::vector<const core::Error*>& why) {
  std::array<std::uint64_t, activity::kOutcomes> outcomes{};
  std::uint64_t waiting = 0;
  std::int64_t milligrams = 0, points = 0;
  std::string results;
  results.reserve(credit.answers.size() * 80 + 160);
  for (std::size_t i = 0; i < credit.answers.size(); ++i) {
    const activity::WindowAnswer& one = credit.answers[i];
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
    if (i < why.size() && why[i] != nullptr) {
      results += R"(,"message":)" + boost::json::serialize(boost::json::string(why[i]->message));
      for (const auto& [name, value] : why[i]->params) {
        if (name == "field") results += R"(,"field":)" + boost::json::serialize(boost::json::string(value));
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

}  // namespace tanhui::service
