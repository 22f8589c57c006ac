// identity/proposal.h: four eyes. What moves money or issues units, and what changes keys, is proposed by one member of staff and decided
// by another; then it is done, once. A proposal holds exactly what will be done, so that what was approved is what happens.
//
//   proposed ─► approved ─► executed            proposed ─► rejected, withdrawn
//
// A proposal that is not executed before its end has expired, whatever was decided.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/edit.h"

namespace tanhui::identity {

enum class FourEyes : std::uint8_t { transfer, adjustment, issuance, payout, log_key };
std::string_view name(FourEyes what);  // "transfer"
std::optional<FourEyes> find_four_eyes(std::string_view name);

enum class ProposalState : std::uint8_t { proposed, approved, rejected, withdrawn, executed, expired };
std::string_view name(ProposalState state);

struct Proposal {
  std::string id;
  FourEyes what = FourEyes::transfer;
  std::string programme, payload;  // one JSON object
  ProposalState state = ProposalState::proposed;
  std::string proposer;
  core::Millis proposed_ms = 0, expires_ms = 0;
  std::optional<std::string> decider = {};
  std::optional<core::Millis> decided_ms = {}, executed_ms = {};
};

constexpr std::size_t kPayloadBytesMax = 65'536;
constexpr core::Millis kProposalLastsMs = 7 * core::kMillisPerDay, kProposalLastsMaxMs = 90 * core::kMillisPerDay;

/// Errors: programme.not-found, proposal.bad-payload, proposal.bad-period.
core::Result<Proposal> propose(db::Transaction& tx, const By& by, FourEyes what, std::string_view programme, std::string_view payload,
                               core::Millis lasts_ms = kProposalLastsMs);
/// Errors: proposal.not-found, refused proposal.own (who proposes does not decide), proposal.not-open.
core::Result<Proposal> decide(db::Transaction& tx, const By& by, std::string_view id, bool approve);
/// By who proposed it. Errors: proposal.not-found, proposal.not-own, proposal.not-open.
core::Result<Proposal> withdraw(db::Transaction& tx, const By& by, std::string_view id);
/// In the transaction that does it: the caller does exactly what `payload` says, or rolls back. Once.
/// Errors: proposal.not-found, proposal.other (it is for something else), proposal.not-approved.
core::Result<Proposal> execute(db::Transaction& tx, const By& by, std::string_view id, FourEyes what);

core::Result<Proposal> find_proposal(db::Reader& reader, std::string_view id, core::Millis now_ms);
/// Of a programme, the newest first; `open_only`: those that can still be decided or executed.
std::vector<Proposal> proposals(db::Reader& reader, std::string_view programme, bool open_only, core::Millis now_ms, std::size_t limit);

}  // namespace tanhui::identity
