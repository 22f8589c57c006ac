#include "ledger/transfer_rules.h"

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/int128.h"

namespace tanhui::ledger {
namespace {

core::Error bad_transfer(const Transfer& transfer, std::string_view why) {
  return {core::ErrorCode::invalid_input,
          "ledger.bad-transfer",
          fmt::format("transfer '{}' {}", transfer.key, why),
          "send postings that sum to zero for each asset, each account once",
          {{"key", transfer.key}}};
}

/// An asset whose postings do not sum to zero, and what they sum to.
std::optional<std::pair<AssetId, core::Int128>> find_unbalanced(const std::vector<Posting>& postings) {
  std::vector<std::pair<AssetId, core::Int128>> sums;  // a transfer names few assets, so this list is searched from its start
  for (const Posting& posting : postings) {
    const auto found = std::find_if(sums.begin(), sums.end(), [&](const auto& sum) { return sum.first == posting.asset; });
    if (found == sums.end()) {
      sums.emplace_back(posting.asset, posting.amount);
    } else {
      found->second += posting.amount;
    }
  }
  std::optional<std::pair<AssetId, core::Int128>> least;
  for (const auto& sum : sums)
    if (sum.second != 0 && (!least || sum.first < least->first)) least = sum;
  return least;
}

}  // namespace

std::string to_text(const Owner& owner) {
  if (const auto* own = std::get_if<Own>(&owner)) return fmt::format("the programme's account '{}'", name(*own));
  return "account " + core::to_hex(std::get<core::PersonKey>(owner));
}

std::vector<Posting> in_account_order(std::vector<Posting> postings) {
  std::sort(postings.begin(), postings.end(),
            [](const Posting& a, const Posting& b) { return std::tie(a.owner, a.asset) < std::tie(b.owner, b.asset); });
  return postings;
}

std::optional<core::Error> find_problem(const Transfer& transfer, const std::vector<Posting>& ordered) {
  if (transfer.key.empty() || transfer.key.size() > kKeyBytesMax)
    return bad_transfer(transfer, fmt::format("needs a key of 1 to {} bytes", kKeyBytesMax));
  if (transfer.key.starts_with(kLedgersOwnKeys))
    return bad_transfer(transfer, fmt::format("has a key that begins with '{}', as only the ledger's own do", kLedgersOwnKeys));
  if (transfer.reason.size() > kReasonBytesMax)
    return bad_transfer(transfer, fmt::format("has a reason of more than {} bytes", kReasonBytesMax));
  if (ordered.empty()) return bad_transfer(transfer, "has no postings");
  if (ordered.size() > kPostingsMax) return bad_transfer(transfer, fmt::format("has more than {} postings", kPostingsMax));
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const Posting& posting = ordered[i];
    if (posting.amount == 0 || posting.amount > kAmountMax || posting.amount < -kAmountMax)
      return bad_transfer(transfer, fmt::format("books {} on {}; an amount is not zero and at most {} either way", posting.amount,
                                                to_text(posting.owner), kAmountMax));
    if (i > 0 && ordered[i - 1].owner == posting.owner && ordered[i - 1].asset == posting.asset)
      return bad_transfer(transfer, fmt::format("books asset {} twice on {}", posting.asset.value, to_text(posting.owner)));
  }
  if (const auto bad = find_unbalanced(ordered))
    return bad_transfer(transfer, fmt::format("does not balance: asset {} sums to {}", bad->first.value, core::to_text(bad->second)));
  return std::nullopt;
}

core::Error unknown_asset(const Transfer& transfer, AssetId asset) {
  return bad_transfer(transfer, fmt::format("names the unknown asset {}", asset.value));
}

core::Error key_reused(std::string_view key) {
  return {core::ErrorCode::conflict,
          "ledger.key-reused",
          fmt::format("the key '{}' was used with other content", key),
          "send what changed under a new key; send the first one unchanged to get its answer again",
          {{"key", std::string(key)}}};
}

core::Error refusal(const Posting& posting, std::int64_t amount, std::int64_t held) {
  if (posting.amount > 0)
    return {core::ErrorCode::refused,
            "ledger.full",
            fmt::format("{} has {} and cannot take {} more: the most is {}", to_text(posting.owner), amount, posting.amount, kAmountMax),
            "check the amount",
            {}};
  const std::int64_t available = amount - held, missing = -posting.amount - available;
  const std::string reserved = held == 0 ? "" : fmt::format(" ({} more are held)", held);
  return {core::ErrorCode::refused,
          "ledger.short",
          fmt::format("{} has {} of asset {} available{}, {} less than the {} asked for", to_text(posting.owner), available,
                      posting.asset.value, reserved, missing, -posting.amount),
          "take at most what is available",
          {{"available", std::to_string(available)}, {"held", std::to_string(held)}, {"missing", std::to_string(missing)}}};
}

std::string canonical_bytes(const Transfer& transfer, const std::vector<Posting>& ordered) {
  core::ByteWriter out;
  out.u8(1).str(transfer.key).str(transfer.reason).u32(std::uint32_t(ordered.size()));
  for (const auto& [owner, asset, amount] : ordered) {
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

std::string canonical_bytes(const Transfer& transfer) { return canonical_bytes(transfer, in_account_order(transfer.postings)); }

}  // namespace tanhui::ledger
