#include "identity/proposal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/invariant.h"
#include "core/json.h"
#include "identity/programmes.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
using State = ProposalState;
constexpr std::array<std::string_view, 5> kWhat{"transfer", "adjustment", "issuance", "payout", "log-key"};
constexpr std::array<std::string_view, 6> kStates{"proposed", "approved", "rejected", "withdrawn", "executed", "expired"};
constexpr std::string_view kColumns =
    "id, action, programme, payload, state, proposer, proposed_ms, expires_ms, decider, decided_ms, executed_ms";

Proposal proposal_of(const db::Row& row, core::Millis now_ms) {
  const auto what = find_four_eyes(row.text(1));
  const auto* state = std::find(kStates.begin(), kStates.end(), row.text(4));
  core::invariant(what && state != kStates.end(), "a stored proposal is for something and has a state");
  Proposal one{row.get<std::string>(0),
               *what,
               row.get<std::string>(2),
               row.get<std::string>(3),
               State(state - kStates.begin()),
               row.get<std::string>(5),
               row.integer(6),
               row.integer(7),
               db::read_column<std::optional<std::string>>(row, 8),
               db::read_column<std::optional<core::Millis>>(row, 9),
               db::read_column<std::optional<core::Millis>>(row, 10)};
  if ((one.state == State::proposed || one.state == State::approved) && now_ms >= one.expires_ms) one.state = State::expired;
  return one;
}

Error wrong_state(std::string_view id, const Proposal& proposal, std::string_view action) {
  return {ErrorCode::conflict,
          std::string(id),
          fmt::format("the proposal '{}' is {}", proposal.id, name(proposal.state)),
          std::string(action),
          {{"proposal", proposal.id}, {"state", std::string(name(proposal.state))}}};
}

core::Result<Proposal> move(db::Transaction& tx, const By& by, const Proposal& proposal, State to) {
  tx.exec("UPDATE proposal SET state = $2, decider = $3, decided_ms = $4 WHERE id = $1", proposal.id, name(to), by.staff, by.at_ms);
  record_action(tx, by, fmt::format("proposal.{}", name(to)), proposal.programme, proposal.id, name(proposal.state),
                fmt::format("{} {}", name(to), proposal.payload));
  return find_proposal(tx, proposal.id, by.at_ms);
}

}  // namespace

std::string_view name(FourEyes what) { return kWhat[std::size_t(what)]; }
std::optional<FourEyes> find_four_eyes(std::string_view name) {
  const auto* found = std::find(kWhat.begin(), kWhat.end(), name);
  return found == kWhat.end() ? std::nullopt : std::optional(FourEyes(found - kWhat.begin()));
}
std::string_view name(State state) { return kStates[std::size_t(state)]; }

core::Result<Proposal> propose(db::Transaction& tx, const By& by, FourEyes what, std::string_view programme, std::string_view payload,
                               core::Millis lasts_ms) {
  if (const auto there = stored_programme(tx, programme, by.at_ms); !there) return there.error();
  const auto document = payload.size() <= kPayloadBytesMax ? core::parse_json(payload) : std::nullopt;
  if (!document || !document->is_object())
    return Error{ErrorCode::invalid_input,
                 "proposal.bad-payload",
                 fmt::format("the {} bytes of the proposal are no JSON object", payload.size()),
                 fmt::format("give one JSON object of at most {} bytes", kPayloadBytesMax),
                 {{"bytes", std::to_string(payload.size())}}};
  if (lasts_ms <= 0 || lasts_ms > kProposalLastsMaxMs)
    return Error{ErrorCode::invalid_input,
                 "proposal.bad-period",
                 fmt::format("a proposal cannot last {} ms", lasts_ms),
                 fmt::format("give 1 to {} ms", kProposalLastsMaxMs),
                 {{"lasts_ms", std::to_string(lasts_ms)}}};
  const std::string id = random_id("pr");
  tx.exec(
      "INSERT INTO proposal (id, action, programme, payload, state, proposer, proposed_ms, expires_ms, decider, decided_ms, executed_ms) "
      "VALUES ($1, $2, $3, $4, 'proposed', $5, $6, $7, NULL, NULL, NULL)",
      id, name(what), programme, payload, by.staff, by.at_ms, by.at_ms + lasts_ms);
  record_action(tx, by, "proposal.proposed", programme, id, "", fmt::format("{} {}", name(what), payload));
  return find_proposal(tx, id, by.at_ms);
}

core::Result<Proposal> decide(db::Transaction& tx, const By& by, std::string_view id, bool approve) {
  const auto proposal = find_proposal(tx, id, by.at_ms);
  if (!proposal) return proposal;
  if (proposal->proposer == by.staff)
    return Error{ErrorCode::refused,
                 "proposal.own",
                 fmt::format("you proposed '{}' yourself", id),
                 "let somebody else decide; you can withdraw it",
                 {{"proposal", std::string(id)}}};
  if (proposal->state != State::proposed) return wrong_state("proposal.not-open", *proposal, "propose it anew");
  return move(tx, by, *proposal, approve ? State::approved : State::rejected);
}

core::Result<Proposal> withdraw(db::Transaction& tx, const By& by, std::string_view id) {
  const auto proposal = find_proposal(tx, id, by.at_ms);
  if (!proposal) return proposal;
  if (proposal->proposer != by.staff)
    return Error{ErrorCode::refused,
                 "proposal.not-own",
                 fmt::format("somebody else proposed '{}'", id),
                 "reject it instead",
                 {{"proposal", std::string(id)}}};
  if (proposal->state != State::proposed) return wrong_state("proposal.not-open", *proposal, "nothing is left to withdraw");
  return move(tx, by, *proposal, State::withdrawn);
}

core::Result<Proposal> execute(db::Transaction& tx, const By& by, std::string_view id, FourEyes what) {
  const auto proposal = find_proposal(tx, id, by.at_ms);
  if (!proposal) return proposal;
  if (proposal->what != what)
    return Error{ErrorCode::refused,
                 "proposal.other",
                 fmt::format("'{}' is a proposal for {}, not for {}", id, name(proposal->what), name(what)),
                 "name the right one",
                 {{"proposal", std::string(id)}}};
  if (proposal->state != State::approved)
    return wrong_state("proposal.not-approved", *proposal,
                       proposal->state == State::proposed ? "let somebody else approve it first" : "propose it anew");
  tx.exec("UPDATE proposal SET state = 'executed', executed_ms = $2 WHERE id = $1", id, by.at_ms);
  record_action(tx, by, "proposal.executed", proposal->programme, id, "approved", fmt::format("executed {}", proposal->payload));
  return find_proposal(tx, id, by.at_ms);
}

core::Result<Proposal> find_proposal(db::Reader& reader, std::string_view id, core::Millis now_ms) {
  std::optional<Proposal> found;
  reader.each(
      fmt::format("SELECT {} FROM proposal WHERE id = $1", kColumns), [&](const db::Row& row) { found = proposal_of(row, now_ms); }, id);
  if (found) return *std::move(found);
  return Error{ErrorCode::not_found,
               "proposal.not-found",
               fmt::format("there is no proposal '{}'", id),
               "list the proposals of the programme",
               {{"proposal", std::string(id)}}};
}

std::vector<Proposal> proposals(db::Reader& reader, std::string_view programme, bool open_only, core::Millis now_ms, std::size_t limit) {
  std::vector<Proposal> found;
  // All of them are those that expire after the beginning of time.
  const std::string_view states = open_only ? "AND state IN ('proposed', 'approved')" : "";
  reader.each(
      fmt::format("SELECT {} FROM proposal WHERE programme = $1 {} AND expires_ms > $3 ORDER BY proposed_ms DESC, id LIMIT $2", kColumns,
                  states),
      [&](const db::Row& row) { found.push_back(proposal_of(row, now_ms)); }, programme, std::int64_t(limit),
      open_only ? now_ms : INT64_MIN);
  return found;
}

}  // namespace tanhui::identity
