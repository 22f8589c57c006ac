#include <fmt/format.h>

#include "core/bytes.h"
#include "core/int128.h"
#include "core/invariant.h"
#include "ledger/ledger.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {
namespace {

constexpr std::size_t kKeyBytesMax = 200, kReasonBytesMax = 500;

std::string to_text(const Owner& owner) {
  if (const auto* own = std::get_if<Own>(&owner)) return fmt::format("the programme's account '{}'", name(*own));
  return "account " + core::to_hex(std::get<core::PersonKey>(owner));
}

std::vector<Posting> in_account_order(std::vector<Posting> postings) {
  std::sort(postings.begin(), postings.end(),
            [](const Posting& a, const Posting& b) { return std::tie(a.owner, a.asset) < std::tie(b.owner, b.asset); });
  return postings;
}

core::Error bad_transfer(const Transfer& transfer, std::string_view why) {
  return {core::ErrorCode::invalid_input,
          "ledger.bad-transfer",
          fmt::format("transfer '{}' {}", transfer.key, why),
          "send postings that sum to zero for each asset, each account once",
          {{"key", transfer.key}}};
}

std::optional<core::Error> find_problem(const Transfer& transfer, const std::vector<Posting>& ordered) {
  if (transfer.key.empty() || transfer.key.size() > kKeyBytesMax)
    return bad_transfer(transfer, fmt::format("needs a key of 1 to {} bytes", kKeyBytesMax));
  if (transfer.reason.size() > kReasonBytesMax)
    return bad_transfer(transfer, fmt::format("has a reason of more than {} bytes", kReasonBytesMax));
  if (ordered.empty()) return bad_transfer(transfer, "has no postings");
  std::map<AssetId, core::Int128> sums;
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const Posting& posting = ordered[i];
    if (posting.amount == 0 || posting.amount > kAmountMax || posting.amount < -kAmountMax)
      return bad_transfer(transfer, fmt::format("books {} on {}; an amount is not zero and at most {} either way", posting.amount,
                                                to_text(posting.owner), kAmountMax));
    if (i > 0 && ordered[i - 1].owner == posting.owner && ordered[i - 1].asset == posting.asset)
      return bad_transfer(transfer, fmt::format("books asset {} twice on {}", posting.asset.value, to_text(posting.owner)));
    sums[posting.asset] += posting.amount;
  }
  for (const auto& [asset, sum] : sums)
    if (sum != 0) return bad_transfer(transfer, fmt::format("does not balance: asset {} sums to {}", asset.value, core::to_text(sum)));
  return std::nullopt;
}

core::Result<Posted> compare_with_first(db::Transaction& tx, const Transfer& transfer, const core::Digest& digest) {
  const auto first = tx.find<core::Digest>("SELECT digest FROM transfer WHERE key = $1", transfer.key);
  core::invariant(first.has_value(), "a key that is taken is found");
  if (*first == digest) return Posted::earlier;
  return core::Error{core::ErrorCode::conflict,
                     "ledger.key-reused",
                     fmt::format("the key '{}' was used for a transfer with other content", transfer.key),
                     "send a changed transfer under a new key; send the first one unchanged to get its answer again",
                     {{"key", transfer.key}}};
}

bool book_person(db::Transaction& tx, std::int64_t transfer, const core::PersonKey& person, AssetId asset, std::int64_t amount) {
  tx.exec("INSERT INTO balance (owner, asset, amount) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", person, asset.value);
  if (tx.exec("UPDATE balance SET amount = amount + $3 WHERE owner = $1 AND asset = $2 AND amount + $3 BETWEEN 0 AND $4", person,
              asset.value, amount, kAmountMax) == 0)
    return false;
  tx.exec("INSERT INTO posting (transfer, owner, asset, amount) VALUES ($1, $2, $3, $4)", transfer, person, asset.value, amount);
  return true;
}

core::Error explain_refusal(db::Transaction& tx, const Posting& posting) {
  std::int64_t balance = 0;
  for (const Balance& held : balances(tx, posting.owner))
    if (held.id == posting.asset) balance = held.amount;
  if (posting.amount > 0)
    return {core::ErrorCode::refused,
            "ledger.full",
            fmt::format("{} holds {} and cannot take {} more: the most is {}", to_text(posting.owner), balance, posting.amount, kAmountMax),
            "check the amount",
            {}};
  return {core::ErrorCode::refused,
          "ledger.short",
          fmt::format("{} holds {} of asset {}, {} less than the {} that the transfer takes", to_text(posting.owner), balance,
                      posting.asset.value, -posting.amount - balance, -posting.amount),
          "take at most what the account holds",
          {{"held", std::to_string(balance)}, {"missing", std::to_string(-posting.amount - balance)}}};
}

}  // namespace

std::string canonical_bytes(const Transfer& transfer) {
  core::ByteWriter out;
  out.u8(1).str(transfer.key).str(transfer.reason).u32(std::uint32_t(transfer.postings.size()));
  for (const auto& [owner, asset, amount] : in_account_order(transfer.postings)) {
    if (const auto* own = std::get_if<Own>(&owner)) {
      out.u8(1).i64(std::int64_t(*own));
    } else {
      const auto& person = std::get<core::PersonKey>(owner);
      out.u8(0).u64(person.high).u64(person.low);
    }
    out.i64(asset.value).i64(amount);
  }
  return out.take();
}

bool book_own(db::Transaction& tx, std::int64_t transfer, Own own, AssetId asset, std::int64_t amount) {
  const auto account = std::int64_t(own);
  tx.exec("INSERT INTO system_balance (account, asset, amount) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", account, asset.value);
  const std::int64_t floor = own == Own::issuance ? -kAmountMax : 0;
  if (tx.exec("UPDATE system_balance SET amount = amount + $3 WHERE account = $1 AND asset = $2 AND amount + $3 BETWEEN $4 AND $5", account,
              asset.value, amount, floor, kAmountMax) == 0)
    return false;
  tx.exec("INSERT INTO system_posting (transfer, account, asset, amount) VALUES ($1, $2, $3, $4)", transfer, account, asset.value, amount);
  return true;
}

core::Result<Posted> post(db::Transaction& tx, const Transfer& transfer) {
  const std::vector<Posting> ordered = in_account_order(transfer.postings);
  if (const auto problem = find_problem(transfer, ordered)) return *problem;
  for (const Posting& posting : ordered)
    if (!find_asset(tx, posting.asset)) return bad_transfer(transfer, fmt::format("names the unknown asset {}", posting.asset.value));
  const core::Digest digest = core::sha256(canonical_bytes(transfer));
  // The unique key settles the race between two equal requests; look-then-insert would not.
  if (tx.exec("INSERT INTO transfer (id, key, digest, reason) SELECT coalesce(max(id), 0) + 1, $1, $2, $3 FROM transfer WHERE true "
              "ON CONFLICT (key) DO NOTHING",
              transfer.key, digest, transfer.reason) == 0)
    return compare_with_first(tx, transfer, digest);
  const auto id = tx.find<std::int64_t>("SELECT id FROM transfer WHERE key = $1", transfer.key);
  for (const Posting& posting : ordered) {  // one lock order, no deadlock
    const auto* own = std::get_if<Own>(&posting.owner);
    const bool booked = own != nullptr ? book_own(tx, *id, *own, posting.asset, posting.amount)
                                       : book_person(tx, *id, std::get<core::PersonKey>(posting.owner), posting.asset, posting.amount);
    if (!booked) return explain_refusal(tx, posting);
  }
  return Posted::now;
}

}  // namespace tanhui::ledger
