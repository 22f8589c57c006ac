#include "identity/wechat.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/hash.h"
#include "core/json.h"
#include "identity/remote.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::size_t kAnswerMax = 16 * 1024, kCodeMax = 256, kOpenidMax = 128;

Error unavailable(std::string what) {
  return {ErrorCode::refused, "wechat.unavailable", std::move(what),
          "try again in a moment, or log in by a code to a phone or mail address"};
}
Error bad_code() {
  return {ErrorCode::refused, "wechat.bad-code", "WeChat does not know this login code, or it was used, or is older than five minutes",
          "call wx.login() again and send the new code"};
}

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* context) {
  auto& answer = *static_cast<std::string*>(context);
  if (answer.size() + size * count > kAnswerMax) return 0;  // ends the transfer
  answer.append(bytes, size * count);
  return size * count;
}

bool is_openid(std::string_view text) {
  return !text.empty() && text.size() <= kOpenidMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace

core::Result<WechatUser> read_wechat_answer(std::string_view text) {
  const auto json = core::parse_json(text);
  if (!json) return unavailable("WeChat's answer is not JSON");
  try {
    const core::MemberReader answer(*json, "WeChat's answer");
    const std::int64_t code = answer.has("errcode") ? answer.integer("errcode") : 0;
    switch (code) {
      case 0:
        break;
      case 40029:  // invalid code
      case 40163:  // code been used
        return bad_code();
      case 40226:
        return Error{ErrorCode::refused, "wechat.blocked", "WeChat does not let this user log in (40226)", "log in another way"};
      default:
        return unavailable(fmt::format("WeChat answered error {}", code));  // -1 busy, 45011 too often, 40013/40125 our settings
    }
    WechatUser user{answer.text("openid"), answer.has("unionid") ? answer.text("unionid") : ""};
    if (!is_openid(user.openid) || (!user.unionid.empty() && !is_openid(user.unionid)))
      return unavailable("WeChat's answer holds no openid");
    return user;
  } catch (const core::BadMember&) {
    return unavailable("WeChat's answer is not of its published form");
  }
}

core::Result<WechatUser> WechatClient::user_of(std::string_view code) {
  if (code.empty() || code.size() > kCodeMax) return bad_code();
  const remote::Easy easy = remote::make(settings_.timeout_ms, settings_.ca_file);
  const auto escaped = [&](std::string_view text) {
    const std::unique_ptr<char, decltype(&curl_free)> made(curl_easy_escape(easy.get(), text.data(), int(text.size())), curl_free);
    return std::string(made.get());
  };
  const std::string url = fmt::format("{}/sns/jscode2session?appid={}&secret={}&js_code={}&grant_type=authorization_code",
                                      settings_.endpoint, escaped(settings_.appid), escaped(settings_.secret), escaped(code));
  std::string answer;
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer);
  const CURLcode result = curl_easy_perform(easy.get());
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  // The address holds the secret, so no message of libcurl that might quote it goes out.
  if (result != CURLE_OK) return unavailable(fmt::format("WeChat cannot be reached: {}", curl_easy_strerror(result)));
  if (status != 200) return unavailable(fmt::format("WeChat answered with status {}", status));
  return read_wechat_answer(answer);
}

std::string sandbox_wechat_answer(std::string_view code) {
  constexpr std::string_view kSandbox = "sandbox-";
  if (!code.starts_with(kSandbox) || !is_openid(code.substr(kSandbox.size())))
    return R"({"errcode":40029,"errmsg":"invalid code, rid: sandbox"})";
  return fmt::format(R"({{"openid":"{}","session_key":"c2FuZGJveCBzZXNzaW9uIA==","unionid":""}})", code.substr(kSandbox.size()));
}

}  // namespace tanhui::identity
