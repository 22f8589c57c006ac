// ledger/ledger.h: value moves here and nowhere else. Double entry, many assets, whole numbers.
//
//   asset      reductions of a (programme, category, vintage year) in milligrams CO2e; points of a (programme, month of expiry). A lot of
//              points is an asset of its own, so a spend can take the lot that expires first and expiry ends a lot, never a balance.
//   account    owner x asset. Owners are people and organisations (a core::PersonKey, never below zero) and the programme's own
//              accounts (Own); only Own::issuance, where value comes from, is below zero. Over all accounts of an asset the sum is zero.
//   transfer   a set of postings that sums to zero per asset, booked once under its key.
//   hold       a part of a balance that is promised and cannot be spent (ledger/holds.h).
//   debt       what an adjustment could not take back because it was spent. Not a balance: it is repaid by later credits of its pool.
//
// Limits: every amount and balance is within +-kAmountMax. Laws that do not hold throw core::InvariantBroken. Decision 0010.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "db/db.h"

namespace tanhui::ledger {

constexpr std::int64_t kAmountMax = (std::int64_t(1) << 62) - 1;  // the sum of two stays inside 64 bits
constexpr std::size_t kPostingsMax = 10'000;                      // of one transfer

enum class AssetKind { reduction, points };
std::string_view name(AssetKind kind);

struct Asset {
  AssetKind kind = AssetKind::reduction;
  std::string programme;
  std::string category;     // of a reduction: "travel"; empty for points
  std::int64_t period = 0;  // of a reduction: vintage year 2024; of points: the month of expiry 202509, 0 never
  friend auto operator<=>(const Asset&, const Asset&) = default;
};
Asset reduction_asset(std::string_view programme, std::string_view category, int vintage_year);
/// Points earned on `earned` that live `expires_after_days` (0: for ever). They end with the month in which the last day falls, so never
/// earlier than promised, and a year of points is at most 13 lots.
Asset points_asset(std::string_view programme, core::Day earned, std::int64_t expires_after_days);

struct AssetId {
  std::int64_t value = 0;
  friend constexpr auto operator<=>(AssetId, AssetId) = default;
};
/// The id of an asset, which is registered at its first use.
AssetId asset_id(db::Transaction& tx, const Asset& asset);
std::optional<AssetId> find_asset(db::Reader& reader, const Asset& asset);
std::optional<Asset> find_asset(db::Reader& reader, AssetId id);

/// The programme's own accounts of each asset.
enum class Own : std::int64_t { issuance = 1, redeemed = 2, expired = 3, pool = 4 };
std::string_view name(Own own);
using Owner = std::variant<core::PersonKey, Own>;

// ---- small transfers -----------------------------------------------------------------------------------------------------------

struct Posting {
  Owner owner;
  AssetId asset;
  std::int64_t amount = 0;  // positive enters the account
};
struct Transfer {
  std::string key;     // idempotency key, unique in the instance, 1 to 200 bytes, not beginning with "ledger:"
  std::string reason;  // for people, up to 500 bytes
  std::vector<Posting> postings;
};
enum class Posted { now, earlier };

/// Books `transfer` once, however often it arrives. The caller commits only on success.
/// Errors: invalid_input ledger.bad-transfer (empty, unbalanced, an account twice, amount zero or beyond kAmountMax, unknown asset);
///         conflict ledger.key-reused (the key was used with other content); refused ledger.short (more than is available) and
///         ledger.full (a balance would pass kAmountMax).
core::Result<Posted> post(db::Transaction& tx, const Transfer& transfer);

/// Books many at once: the answers, the ids and the accounts are those of post() in a transaction of its own for each, one after the other,
/// at a hundredth of the cost. What is refused leaves nothing behind and does not stop the rest. One commit makes the batch durable.
std::vector<core::Result<Posted>> post_batch(db::Transaction& tx, std::span<const Transfer> transfers);

/// All of them or none, each under its own key: delivery versus payment. On an error nothing was written.
/// Errors: those of the first that cannot be booked; conflict ledger.linked-apart when only some of them were booked earlier.
core::Result<Posted> post_linked(db::Transaction& tx, std::span<const Transfer> transfers);

/// transfer := version:u8=1 key:str reason:str count:u32 posting*           integers big-endian, str := length:u32 byte*
/// posting  := owner asset:i64 amount:i64, people first, in order of owner and asset      owner := 0:u8 high:u64 low:u64 | 1:u8 own:i64
std::string canonical_bytes(const Transfer& transfer);

// ---- the postings of a run -----------------------------------------------------------------------------------------------------

/// What a run did, as finish() tells it. The sums hold: requested = booked - debt_change, per asset pool.
struct RunTotals {
  std::int64_t people = 0;
  std::int64_t postings = 0;   // person-asset pairs whose balance changed
  std::int64_t new_debts = 0;  // people-asset pairs that owe more than before
  struct PerAsset {
    AssetId asset;
    std::int64_t requested = 0;    // sum of the deltas that were added
    std::int64_t booked = 0;       // sum that entered people's accounts; the counter side is its opposite
    std::int64_t debt_change = 0;  // positive: people owe more
  };
  std::vector<PerAsset> per_asset;  // in order of asset
  core::Digest digest{};            // of what was asked for (ledger/audit.h)
};

/// The postings of a run, in bulk and in one transaction with everything else the run writes:
///   auto posting = RunPosting::start(tx, key, "run 17");        // conflict ledger.run-booked when the key is booked
///   posting->add(asset, person, delta);                         // people in ascending order; assets of a person in any order
///   RunTotals totals = posting->finish();                       // books the counter side
/// A negative delta takes back what is available: from that asset, then (points) from the person's other lots, first to expire first; what
/// is missing or held becomes a debt. A positive delta first repays the debts of its pool. Memory: one batch, and the debts that are open.
class RunPosting {
 public:
  /// `counter` is the programme's account that gives what people get.
  static core::Result<RunPosting> start(db::Transaction& tx, std::string_view key, std::string_view reason, Own counter = Own::issuance);
  RunPosting(RunPosting&&) noexcept;
  RunPosting& operator=(RunPosting&&) noexcept;
  ~RunPosting();
  void add(AssetId asset, const core::PersonKey& person, std::int64_t delta);
  RunTotals finish();
  std::int64_t transfer() const;  // id of the run's transfer

 private:
  struct State;
  explicit RunPosting(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Ends what is available of every lot of points of `programme` whose month is over on `today`; books it to Own::expired. What is held then
/// ends with the first call after its hold did.
core::Result<RunTotals> expire_points(db::Transaction& tx, std::string_view key, std::string_view programme, core::Day today);

// ---- questions -----------------------------------------------------------------------------------------------------------------

struct Balance {
  Asset asset;
  AssetId id;
  std::int64_t amount = 0;  // everything
  std::int64_t held = 0;    // of it in open holds; of people and organisations only
  std::int64_t available() const { return amount - held; }
};
std::vector<Balance> balances(db::Reader& reader, const Owner& owner);  // by kind, programme, category, period
std::vector<Balance> debts(db::Reader& reader, const core::PersonKey& person);

struct Booked {
  std::int64_t transfer = 0;
  std::string key, reason;
  Asset asset;
  std::int64_t amount = 0;
  std::int64_t debt_change = 0;
};
std::vector<Booked> history(db::Reader& reader, const core::PersonKey& person);  // in order of booking

struct AssetTotal {
  Asset asset;
  AssetId id;
  std::int64_t held = 0;     // by people and organisations together
  std::int64_t holders = 0;  // with more than nothing
  std::int64_t on_hold = 0;  // of `held`, in open holds
  std::int64_t issued = 0;   // what left Own::issuance
  std::int64_t redeemed = 0, expired = 0, pool = 0, debts = 0;
};
std::vector<AssetTotal> totals(db::Reader& reader);  // one pass over all balances

struct TopAccount {
  core::PersonKey person;
  std::int64_t amount = 0;
};
/// The largest holders of a kind of asset in a programme, summed over categories and periods; ties in order of key.
std::vector<TopAccount> top_accounts(db::Reader& reader, AssetKind kind, std::string_view programme, std::int64_t limit);

/// Reads the whole ledger: per asset the sum over all accounts is zero, every account equals the sum of its postings, every debt the sum
/// of its changes, what is held the sum of the open holds. Refused ledger.broken names the first account or asset that does not hold.
/// Accounts are compared by sums with pseudo-random weights: whoever edits the store must not know `seed` beforehand.
core::Status check(db::Reader& reader, std::uint64_t seed);
core::Status check(db::Reader& reader);  // with a seed from the system's source of randomness

}  // namespace tanhui::ledger
