#include "service/in_transaction.h"

namespace tanhui::service {

asio::awaitable<std::optional<Response>> in_transaction(World& world, Request& request, std::function<bool(db::Transaction&)> work) {
  std::optional<Response> failed;
  co_await http::run_blocking(request, [&] {
    try {
      auto lease = world.databases.take();
      if (!lease) {
        failed = http::problem(request, lease.error(), 503).header("Retry-After", "1");
        return;
      }
      auto taken = *std::move(lease);
      db::Transaction tx = taken.database().begin();
      if (work(tx)) tx.commit();
    } catch (const db::ConstraintBroken&) {
      throw;  // a mistake of this program; asking again does not help
    } catch (const db::Failure& failure) {
      world.log.write(http::Log::Level::error, "database failed",
                      {{"request_id", request.request_id()}, {"what", std::string_view(failure.what())}});
      failed = http::problem(request,
                             core::Error{core::ErrorCode::refused, "db.failed", "the database failed; whether this was done is not known",
                                         "send it again: what was done counts once"},
                             503)
                   .header("Retry-After", "2");
    }
  });
  co_return failed;
}

}  // namespace tanhui::service
