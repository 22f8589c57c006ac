// service/credit_answer.h: a request that brings records: waiting for the committer, and what is answered then.
#pragma once
#include <string>

#include "core/result.h"
#include "http/message.h"
#include "service/committer.h"

namespace tanhui::service {

/// Goes on, on the connection's thread, when the committer has decided. False: too much waits; answer busy() with 429.
http::asio::awaitable<bool> decided(Committer& committer, Credit& credit);
core::Error busy();

/// {"accepted":1,...,"results":[{"outcome":...},...]}: one result for each record, in their order. Where `why` is given (one for each
/// record, or null), a record that was refused says what is wrong with it: "message" and "field".
std::string answer_body(const Credit& credit, const std::vector<const core::Error*>& why = {});

}  // namespace tanhui::service
