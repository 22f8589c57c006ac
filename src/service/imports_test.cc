#include <gtest/gtest.h>

#include "core/json.h"
#include "service/service_fixture.h"

namespace tanhui::service {
namespace {

using activity::test::kHeader;
using activity::test::row;
using http::test::status_of;
using test::RunningService;

boost::json::object body_of(const std::string& answer) {
  return boost::json::parse(std::string_view(answer).substr(answer.find("\r\n\r\n") + 4)).as_object();
}

boost::json::object wait_for(RunningService& service, const std::string& id) {
  for (int i = 0; i < 500; ++i) {
    auto told = body_of(service.get("metro-1", "/api/v1/imports/" + id));
    if (told.at("state") == "done" || told.at("state") == "failed") return told;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ADD_FAILURE() << "the import does not end";
  return {};
}

std::string file(std::string_view rows) { return std::string(kHeader) + "\n" + std::string(rows); }

TEST(Imports, AFileIsAccountedAndItsReportIsThere) {
  RunningService service;
  // The live path knows one of the rides already; the file says another source, which is not the partner's to say.
  const std::string live = R"({"event_id":"r1","person":"li","activity":"metro-ride","start":"2025-03-01T08:00:00+08:00",)"
                           R"("end":"2025-03-01T08:30:00+08:00","quantity":9000})";
  const auto first = body_of(service.post("metro-1", live));
  const std::string answer = service.post("metro-1",
                                          file(row("r1", "alipay", "li", "metro-ride", 480, 510, 9'000) + "\n" +
                                               row("r2", "alipay", "wu", "metro-ride", 480, 510, 9'000) + "\n"),
                                          "/api/v1/imports");
  ASSERT_EQ(status_of(answer), 202) << answer;
  EXPECT_NE(answer.find("Location: /api/v1/imports/"), std::string::npos);
  const auto done = wait_for(service, std::string(body_of(answer).at("id").as_string()));
  ASSERT_EQ(done.at("state"), "done") << boost::json::serialize(done);
  const auto& report = done.at("report").as_object();
  EXPECT_EQ(report.at("records").to_number<int>(), 2);
  EXPECT_EQ(report.at("outcomes").at("accepted").at("records").to_number<int>(), 2) << boost::json::serialize(report);
  EXPECT_EQ(first.at("pending").as_int64(), 1) << "its day is closed: it waits, and the file's record counts meanwhile";
  EXPECT_EQ(body_of(service.get("metro-1", "/api/v1/imports")).at("imports").as_array().size(), 1u);
}

TEST(Imports, WhatCannotBeReadSaysWhy) {
  RunningService service;
  const std::string answer = service.post("metro-1", "no,such,columns\n1,2,3\n", "/api/v1/imports");
  const auto done = wait_for(service, std::string(body_of(answer).at("id").as_string()));
  EXPECT_EQ(done.at("state"), "failed");
  EXPECT_EQ(done.at("problem").at("type").as_string(), "urn:tanhui:problem:input.missing-column") << boost::json::serialize(done);
  EXPECT_EQ(status_of(service.post("metro-1", file(""), "/api/v1/imports?profile=../x")), 404);
  EXPECT_EQ(status_of(service.post("metro-1", "", "/api/v1/imports")), 400);
  EXPECT_EQ(status_of(service.get("metro-1", "/api/v1/imports/0123456789abcdef0123456789abcdef")), 404);
}

}  // namespace
}  // namespace tanhui::service
