// service/records.h: all that a service needs to take records: the methodology library, the committer with the programmes that are open,
// the queue of imported files, and the keys that partners sign with.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "core/result.h"
#include "db/pool.h"
#include "http/event_stream.h"
#include "identity/instance.h"
#include "methodology/methodology.h"
#include "service/access.h"
#include "service/committer.h"
#include "service/config.h"
#include "service/imports.h"
#include "service/webhooks.h"

namespace tanhui::service {

/// The topic of credits to one pseudonym: events "credit" {"programme", "milligrams", "points", "at"}.
inline std::string credit_topic(const core::PersonKey& person) { return "credit/" + core::to_hex(person); }

class Records {
 public:
  struct Place {
    std::filesystem::path home;      // has methodologies/, profiles/
    std::filesystem::path instance;  // the folder
  };
  /// Opens the window of every programme that is open now. `instance` is the committer's from here on: others use the pool.
  /// Errors: instance.busy, methodology.invalid, and those of OpenWindow::open.
  static core::Result<std::unique_ptr<Records>> start(identity::Instance& instance, db::Pool& databases, const Config::Activities& config,
                                                      const Place& place, std::function<core::Millis()> now,
                                                      std::function<void(std::span<std::uint8_t>)> random);
  Committer& committer() { return *committer_; }
  Imports& imports() { return *imports_; }
  WebhookSender& webhooks() { return *webhooks_; }
  identity::Box webhook_box() const { return identity::Box(instance_.secret().key_for("webhooks")); }
  const methodology::Library& library() const { return library_; }
  /// Lets partners in by their signatures, with the keys of the instance.
  Authenticator partners() const;

  /// Everybody's credits from now on, to those who watch (credit_topic).
  void publish_to(http::EventHub& events);

  /// What a programme's state or settings became: opens, opens again or closes its window. Errors: those of OpenWindow::open.
  core::Status follow(std::string_view programme);
  /// All programmes whose state or settings changed since the last call, whoever changed them; also what was ordered for now. Returns how
  /// many; one that cannot be opened is tried again.
  std::int64_t follow_all(db::Reader& reader);

 private:
  Records(identity::Instance& instance, db::Pool& databases, methodology::Library library, const Config::Activities& config,
          std::function<core::Millis()> now)
      : instance_(instance), databases_(databases), library_(std::move(library)), config_(config), now_(std::move(now)) {}
  identity::Instance& instance_;
  db::Pool& databases_;
  methodology::Library library_;
  const Config::Activities& config_;
  std::function<core::Millis()> now_;
  std::mutex followed_mutex_;
  std::map<std::string, std::pair<bool, std::int64_t>, std::less<>> followed_;  // whether open, and number of the settings
  std::unique_ptr<WebhookSender> webhooks_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<Imports> imports_;
};

}  // namespace tanhui::service
