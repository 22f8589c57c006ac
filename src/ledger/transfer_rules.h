// ledger/transfer_rules.h: what makes a transfer good, and how a refusal reads: the same for post(), batches and holds. Private to the
// ledger; pure except book().
#pragma once
#include "ledger/ledger.h"

namespace tanhui::ledger {

constexpr std::size_t kKeyBytesMax = 200, kReasonBytesMax = 500;
constexpr std::string_view kLedgersOwnKeys = "ledger:";  // how keys of transfers begin that the ledger makes itself

std::string to_text(const Owner& owner);
/// The least that may stand on an account of the programme itself.
constexpr std::int64_t floor_of(Own own) { return own == Own::issuance ? -kAmountMax : 0; }

std::vector<Posting> in_account_order(std::vector<Posting> postings);
std::string canonical_bytes(const Transfer& transfer, const std::vector<Posting>& ordered);

std::optional<core::Error> find_problem(const Transfer& transfer, const std::vector<Posting>& ordered);  // needs no store
core::Error unknown_asset(const Transfer& transfer, AssetId asset);
core::Error key_reused(std::string_view key);
/// Why `posting` cannot be booked on an account that has `amount`, of it `held`.
core::Error refusal(const Posting& posting, std::int64_t amount, std::int64_t held);

/// Books a transfer without a problem, once. Errors: as post(), except ledger.bad-transfer.
core::Result<Posted> book(db::Transaction& tx, const Transfer& transfer, const std::vector<Posting>& ordered);

}  // namespace tanhui::ledger
