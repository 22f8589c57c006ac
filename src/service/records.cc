#include "service/records.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "identity/box.h"
#include "identity/partner_key.h"
#include "identity/programmes.h"
#include "service/partners.h"

namespace tanhui::service {
namespace {

CommitterOptions options_of(const Config::Activities& config) {
  CommitterOptions options;
  options.waiting_records_max = std::size_t(config.waiting_records_max);
  options.batch_records_max = std::size_t(config.batch_records_max);
  options.window.memory_bytes = std::size_t(config.memory_mib) << 20;
  options.window.book_every_ms = config.book_every_ms;
  options.seal_every_ms = config.seal_every_hours * 3'600'000;
  options.settle_waiting_every_ms = config.settle_waiting_every_s * 1000;
  return options;
}

core::Result<methodology::Library> load_library(const std::filesystem::path& home) {
  std::vector<methodology::Problem> problems;
  auto library = methodology::Library::load(home / "methodologies", problems);
  if (!library) return library.error();
  const auto mistakes = std::count_if(problems.begin(), problems.end(), [](const auto& problem) { return !problem.warning; });
  if (mistakes > 0)
    return core::Error{core::ErrorCode::refused, "methodology.invalid", fmt::format("the methodology library has {} mistakes", mistakes),
                       "tanhui methodology check tells them"};
  return library;
}

std::optional<PartnerKey> find_key(db::Pool& databases, const identity::Box& box, std::string_view key_id, core::Millis now_ms) {
  auto lease = databases.take();
  if (!lease) throw db::Failure(lease.error().message);
  auto taken = *std::move(lease);
  const auto found = identity::find_key(taken.database(), box, key_id, now_ms);
  if (!found) return std::nullopt;
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(found->bytes.data()), found->bytes.size());
  auto key =
      found->key.algorithm == identity::KeyAlgorithm::ed25519 ? http::SignatureKey::ed25519_public(bytes) : http::SignatureKey::hmac(bytes);
  if (!key) return std::nullopt;
  return PartnerKey{{found->key.id, found->key.organisation, found->key.programme, found->key.source, found->key.sandbox},
                    *std::move(key),
                    found->key.valid_from_ms,
                    found->key.valid_to_ms.value_or(0)};
}

}  // namespace

core::Result<std::unique_ptr<Records>> Records::start(identity::Instance& instance, db::Pool& databases, const Config::Activities& config,
                                                      const Place& place, std::function<core::Millis()> now,
                                                      std::function<void(std::span<std::uint8_t>)> random) {
  auto library = load_library(place.home);
  if (!library) return library.error();
  auto records = std::unique_ptr<Records>(new Records(instance, databases, *std::move(library), config, now));
  records->webhooks_ = std::make_unique<WebhookSender>(
      databases, records->webhook_box(), send_over_https({config.webhooks_plain_http, config.webhooks_private_addresses}), now, random);
  instance.database().leave_checkpoints();
  auto committer = Committer::start(instance, records->library_, options_of(config), now);
  if (!committer) return committer.error();
  records->committer_ = *std::move(committer);
  records->committer_->on_settled([&records = *records](const identity::Programme& programme, const activity::AccountReport& report) {
    auto lease = records.databases_.take();
    if (!lease) return;
    auto taken = *std::move(lease);
    boost::json::object outcomes;
    for (std::size_t i = 0; i < activity::kOutcomes; ++i)
      outcomes[activity::name(activity::Outcome(i))] = report.tally.of(activity::Outcome(i));
    db::Transaction tx = taken.database().begin();
    tell(tx, programme.id, "", "records.decided",
         boost::json::serialize(
             boost::json::object{{"run", report.run}, {"records", report.tally.all()}, {"outcomes", std::move(outcomes)}}),
         records.now_());
    tx.commit();
    records.webhooks_->wake();
  });
  for (const identity::StoredProgramme& one : identity::stored_programmes(instance.database(), now())) {
    if (auto status = records->follow(one.id); !status) return status.error();
    records->followed_[one.id] = {bool(identity::check_open(one)), one.settings};
  }
  records->imports_ = std::make_unique<Imports>(records->committer(), databases, place.home, place.instance, now, std::move(random));
  return records;
}

core::Status Records::follow(std::string_view programme) {
  auto settings = committer_
                      ->run([&]() -> std::optional<identity::Programme> {
                        const auto stored = identity::stored_programme(instance_.database(), programme, now_());
                        if (!stored || !identity::check_open(*stored)) return std::nullopt;
                        return identity::programme_at(instance_.database(), programme, now_());
                      })
                      .get();
  const auto before = committer_->find(programme);
  if (!settings) return before ? committer_->close(programme) : core::Status(core::Done{});
  if (before && before->programme.digest == settings->digest) return core::Done{};
  auto opened = committer_->open(*std::move(settings));
  if (!opened) return opened.error();
  return core::Done{};
}

std::int64_t Records::follow_all(db::Reader& reader) {
  const std::scoped_lock lock(followed_mutex_);
  std::int64_t changed = 0;
  for (const identity::StoredProgramme& one : identity::stored_programmes(reader, now_())) {
    const std::pair is{bool(identity::check_open(one)), one.settings};
    const auto before = followed_.find(one.id);
    if (before != followed_.end() && before->second == is) continue;
    if (!follow(one.id)) continue;
    followed_[one.id] = is;
    ++changed;
  }
  return changed;
}

void Records::publish_to(http::EventHub& events) {
  committer_->listen([&events](const identity::Programme& programme, const std::vector<activity::Credited>& credited, core::Millis now_ms) {
    if (events.listeners() == 0) return;
    for (const activity::Credited& one : credited) {
      const std::string topic = credit_topic(one.person);
      if (!events.wants(topic)) continue;
      events.publish(topic, "credit",
                     fmt::format(R"({{"programme":"{}","milligrams":{},"points":{},"at":"{}"}})", programme.id, one.milligrams, one.points,
                                 core::to_text_utc(now_ms)));
    }
  });
}

Authenticator Records::partners() const {
  const identity::Box box(instance_.secret().key_for("partner keys"));
  auto keys = std::make_shared<PartnerKeys>(
      [&databases = databases_, now = now_, box](std::string_view key_id) { return find_key(databases, box, key_id, now()); });
  return partner_authenticator(std::move(keys), std::make_shared<http::NonceStore>(now_()), now_,
                               {config_.public_scheme, config_.public_authority});
}

}  // namespace tanhui::service
