// identity/wechat.h: who somebody is to a WeChat mini-program: the code that wx.login() gave is exchanged for an openid
// (GET /sns/jscode2session, https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html).
//
// The answer's session_key decrypts what WeChat gives the mini-program; nothing here needs it, so it is dropped unread.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"

namespace tanhui::identity {

struct WechatUser {
  std::string openid;   // of this mini-program
  std::string unionid;  // of all programs of one owner; often empty
};

/// The port: WeChat, or a sandbox.
class WechatLogin {
 public:
  virtual ~WechatLogin() = default;
  /// Errors: refused wechat.bad-code (not one of ours, used, or over: five minutes), wechat.blocked (WeChat thinks the user a risk),
  /// wechat.unavailable (too many questions, or WeChat does not answer as it should; try again).
  virtual core::Result<WechatUser> user_of(std::string_view code) = 0;
};

struct WechatSettings {
  std::string appid, secret;
  std::string endpoint = "https://api.weixin.qq.com";  // or a sandbox that answers alike
  std::string ca_file;
  long timeout_ms = 5'000;
};

class WechatClient : public WechatLogin {
 public:
  explicit WechatClient(WechatSettings settings) : settings_(std::move(settings)) {}
  core::Result<WechatUser> user_of(std::string_view code) override;

 private:
  WechatSettings settings_;
};

/// What WeChat's answer means. Errors: as above.
core::Result<WechatUser> read_wechat_answer(std::string_view json);

/// For development without WeChat: the code "sandbox-<name>" is the user <name>; every other one is refused, as WeChat would.
/// The answer in WeChat's form: a sandbox server gives it out, and the client above reads it.
std::string sandbox_wechat_answer(std::string_view code);
class SandboxWechat : public WechatLogin {
 public:
  core::Result<WechatUser> user_of(std::string_view code) override { return read_wechat_answer(sandbox_wechat_answer(code)); }
};

}  // namespace tanhui::identity
