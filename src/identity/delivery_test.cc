// The clients of mail and WeChat against real servers (tests/delivery_servers.py).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "core/base64.h"
#include "core/files.h"
#include "identity/smtp.h"
#include "identity/wechat.h"

namespace tanhui::identity {
namespace {

/// The servers, as long as the test lives: they end when their standard input does.
class Delivery : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = std::filesystem::temp_directory_path() / fmt::format("tanhui_delivery_{}", ::getpid());
    std::filesystem::create_directories(folder);
    int input[2], output[2];
    ASSERT_EQ(::pipe(input), 0);
    ASSERT_EQ(::pipe(output), 0);
    child = ::fork();
    if (child == 0) {
      ::dup2(input[0], 0);
      ::dup2(output[1], 1);
      for (const int descriptor : {input[0], input[1], output[0], output[1]}) ::close(descriptor);
      const std::string source = TANHUI_SOURCE_DIR;
      const std::string python = source + "/.venv/bin/python", script = source + "/tests/delivery_servers.py";
      ::execl(python.c_str(), python.c_str(), "-B", script.c_str(), folder.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    to_child = input[1];
    std::string line;
    for (char c = 0; ::read(output[0], &c, 1) == 1 && c != '\n';) line.push_back(c);
    ::close(output[0]);
    ASSERT_EQ(std::sscanf(line.c_str(), "starttls=%d tls=%d plain=%d https=%d", &starttls, &tls, &plain, &https), 4) << line;
  }
  static void TearDownTestSuite() {
    ::close(to_child);
    ::waitpid(child, nullptr, 0);
    std::filesystem::remove_all(folder);
  }

  static SmtpSettings settings(int port, SmtpSecurity security, std::string password = "secret") {
    return {.host = "localhost",
            .port = std::uint16_t(port),
            .security = security,
            .user = security == SmtpSecurity::plain ? "" : "tanhui",
            .password = std::move(password),
            .from = "codes@tanhui.example",
            .service = "碳惠",
            .ca_file = (folder / "ca.pem").string(),
            .timeout_ms = 3'000};
  }
  static std::string sent(const SmtpSettings& how, std::string_view to = "wang@example.org") {
    SmtpSender sender(how, system_randomness(), [] { return core::Millis(1'764'086'400'000); });
    const auto status = sender.send({*normalise_contact(ContactKind::mail, to), CodePurpose::login, "042137", 0, true});
    return status ? "" : status.error().id;
  }
  static std::string last_mail() {
    std::string newest;
    for (int i = 1; std::filesystem::exists(folder / fmt::format("mail-{}", i)); ++i)
      newest = *core::read_file(folder / fmt::format("mail-{}", i));
    return newest;
  }
  static inline std::filesystem::path folder;
  static inline pid_t child = 0;
  static inline int to_child = -1, starttls = 0, tls = 0, plain = 0, https = 0;
};

TEST_F(Delivery, ACodeArrivesByMail) {
  for (const auto& [port, security] :
       {std::pair{starttls, SmtpSecurity::starttls}, {tls, SmtpSecurity::tls}, {plain, SmtpSecurity::plain}}) {
    ASSERT_EQ(sent(settings(port, security)), "");
    const std::string mail = last_mail();
    EXPECT_TRUE(mail.starts_with("to wang@example.org\nfrom codes@tanhui.example\n")) << mail;
    EXPECT_EQ(mail.find("tls True") != std::string::npos, security == SmtpSecurity::starttls) << mail;  // aiosmtpd tells of STARTTLS only
    EXPECT_NE(mail.find("Date: Tue, 25 Nov 2025 16:00:00 +0000\r\n"), std::string::npos) << mail;
    EXPECT_NE(mail.find("Subject: =?UTF-8?B?56Kz5oOg6aqM6K+B56CB?=\r\n"), std::string::npos) << mail;  // 碳惠验证码
    std::string body = mail.substr(mail.find("\r\n\r\n") + 4), joined;
    for (const char c : body)
      if (c != '\r' && c != '\n') joined.push_back(c);
    EXPECT_NE(core::parse_base64(joined).value_or("").find("验证码：042137"), std::string::npos) << mail;
  }
}

TEST_F(Delivery, WhatDoesNotArriveSaysWhy) {
  EXPECT_EQ(sent(settings(starttls, SmtpSecurity::starttls), "nobody@example.org"), "delivery.rejected");
  EXPECT_EQ(sent(settings(starttls, SmtpSecurity::starttls), "later@example.org"), "delivery.unavailable");
  EXPECT_EQ(sent(settings(starttls, SmtpSecurity::starttls, "wrong")), "delivery.unavailable");
  EXPECT_EQ(sent(settings(plain, SmtpSecurity::starttls)), "delivery.unavailable");  // a server, or somebody between, that offers no TLS
  EXPECT_EQ(sent(settings(1, SmtpSecurity::plain)), "delivery.unavailable");
  SmtpSettings doubted = settings(starttls, SmtpSecurity::starttls);
  doubted.ca_file = "";
  EXPECT_EQ(sent(doubted), "delivery.unavailable");  // a certificate that the system does not believe
}

TEST_F(Delivery, WechatSaysWhoItIs) {
  WechatSettings settings{
      .appid = "wx1", .secret = "s&cret", .endpoint = fmt::format("https://localhost:{}", https), .ca_file = (folder / "ca.pem").string()};
  WechatClient client(settings);
  const auto user = client.user_of("good-1&2");
  ASSERT_TRUE(user) << user.error().message;
  EXPECT_EQ(user->openid, "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
  const auto outcome = [](WechatLogin& login, std::string_view code) {
    const auto result = login.user_of(code);
    return result ? "" : result.error().id;
  };
  EXPECT_EQ(outcome(client, "good-1&2"), "wechat.bad-code");  // once
  EXPECT_EQ(outcome(client, "bad"), "wechat.bad-code");
  EXPECT_EQ(outcome(client, ""), "wechat.bad-code");
  EXPECT_EQ(outcome(client, "blocked"), "wechat.blocked");
  for (const char* code : {"busy", "broken", "huge"}) EXPECT_EQ(outcome(client, code), "wechat.unavailable") << code;
  settings.secret = "other";
  WechatClient stranger(settings);
  EXPECT_EQ(outcome(stranger, "good-2"), "wechat.unavailable");
  EXPECT_EQ(stranger.user_of("good-3").error().message.find("other"), std::string::npos);
  settings.ca_file = "";
  WechatClient doubting(settings);
  EXPECT_EQ(outcome(doubting, "good-4"), "wechat.unavailable");
}

TEST(Wechat, TheSandboxAnswersAlike) {
  SandboxWechat sandbox;
  EXPECT_EQ(sandbox.user_of("sandbox-wang")->openid, "wang");
  for (const char* code : {"wang", "sandbox-", "sandbox-a\"b", ""}) EXPECT_EQ(sandbox.user_of(code).error().id, "wechat.bad-code") << code;
  for (const char* answer : {"", "[]", "{}", "{\"openid\":1}", "{\"openid\":\"\"}", "{\"errcode\":\"x\"}"})
    EXPECT_EQ(read_wechat_answer(answer).error().id, "wechat.unavailable") << answer;
}

}  // namespace
}  // namespace tanhui::identity
