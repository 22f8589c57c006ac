// service/in_transaction.h: a transaction in the middle of a coroutine: for handlers that write, and then wait for the committer.
#pragma once
#include <functional>
#include <optional>

#include "service/api.h"

namespace tanhui::service {

/// Runs `work` in one transaction on the pool for blocking work, and commits when it says true. Something to answer instead when there is
/// no connection, or the store failed: 503 with Retry-After.
asio::awaitable<std::optional<Response>> in_transaction(World& world, Request& request, std::function<bool(db::Transaction&)> work);

}  // namespace tanhui::service
