#include "identity/proposal.h"

#include <gtest/gtest.h>

#include "identity/tenancy_fixture.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using test::error_of, test::must, test::within, test::World;
using State = ProposalState;
constexpr std::string_view kPayload = R"({"points":100,"to":"p-1"})";

class FourEyesTest : public testing::Test {
 protected:
  std::string proposed(core::Millis now = 0, core::Millis lasts = 100) {
    return must(within(world_.database,
                       [&](auto& tx) {
                         return propose(tx, {"ann", "", now}, FourEyes::transfer, "city", kPayload, lasts);
                       }))
        .id;
  }
  std::string decided(std::string_view who, core::Millis now, const std::string& id, bool approve = true) {
    return error_of(within(world_.database, [&](auto& tx) { return decide(tx, {std::string(who), "", now}, id, approve); }));
  }
  std::string executed(core::Millis now, const std::string& id, FourEyes what = FourEyes::transfer) {
    return error_of(within(world_.database, [&](auto& tx) { return execute(tx, {"ann", "", now}, id, what); }));
  }
  std::string withdrawn(std::string_view who, core::Millis now, const std::string& id) {
    return error_of(within(world_.database, [&](auto& tx) { return withdraw(tx, {std::string(who), "", now}, id); }));
  }
  State state(const std::string& id, core::Millis now) { return must(find_proposal(world_.database, id, now)).state; }
  World world_;
};

TEST_F(FourEyesTest, OneProposesAnotherDecidesAndItIsDoneOnce) {
  const std::string id = proposed();
  EXPECT_EQ(executed(1, id), "proposal.not-approved");
  EXPECT_EQ(decided("ann", 1, id), "proposal.own");
  EXPECT_EQ(decided("ann", 1, id, false), "proposal.own");
  EXPECT_EQ(decided("bob", 2, id), "");
  EXPECT_EQ(decided("cid", 3, id, false), "proposal.not-open") << "decided is decided";
  EXPECT_EQ(withdrawn("ann", 3, id), "proposal.not-open");
  EXPECT_EQ(executed(4, id, FourEyes::payout), "proposal.other");
  EXPECT_EQ(executed(5, id), "");
  EXPECT_EQ(executed(6, id), "proposal.not-approved") << "once";
  const auto done = must(find_proposal(world_.database, id, 7));
  EXPECT_EQ(done.state, State::executed);
  EXPECT_EQ(done.payload, kPayload);
  EXPECT_EQ(done.decider, "bob");
  EXPECT_EQ(done.executed_ms, 5);
  std::vector<std::string> acts;
  for (const auto& action : actions_after(world_.database, "city", 0, 1000))
    if (action.action.starts_with("proposal.")) acts.push_back(action.action + " " + action.staff);
  EXPECT_EQ(acts, (std::vector<std::string>{"proposal.proposed ann", "proposal.approved bob", "proposal.executed ann"}));
}

TEST_F(FourEyesTest, WhatIsNotDoneInTimeHasExpired) {
  const std::string waiting = proposed(), approved = proposed();
  EXPECT_EQ(decided("bob", 99, approved), "");
  EXPECT_EQ(state(waiting, 100), State::expired);
  EXPECT_EQ(state(approved, 100), State::expired);
  EXPECT_EQ(decided("bob", 100, waiting), "proposal.not-open");
  EXPECT_EQ(executed(100, approved), "proposal.not-approved");
  EXPECT_TRUE(proposals(world_.database, "city", true, 100, 10).empty());
  EXPECT_EQ(proposals(world_.database, "city", true, 99, 10).size(), 2u);
  EXPECT_EQ(proposals(world_.database, "city", false, 100, 10).size(), 2u);
  EXPECT_TRUE(proposals(world_.database, "town", false, 0, 10).empty());
}

TEST_F(FourEyesTest, RejectedAndWithdrawnAreOver) {
  const std::string rejected = proposed(), taken_back = proposed();
  EXPECT_EQ(decided("bob", 1, rejected, false), "");
  EXPECT_EQ(executed(2, rejected), "proposal.not-approved");
  EXPECT_EQ(withdrawn("bob", 1, taken_back), "proposal.not-own");
  EXPECT_EQ(withdrawn("ann", 1, taken_back), "");
  EXPECT_EQ(decided("bob", 2, taken_back), "proposal.not-open");
  EXPECT_EQ(decided("bob", 2, "pr-nothing"), "proposal.not-found");
}

TEST_F(FourEyesTest, WhatCannotBeProposed) {
  const auto refused = [&](std::string_view programme, std::string_view payload, core::Millis lasts) {
    return error_of(within(world_.database, [&](auto& tx) {
      return propose(tx, {"ann", "", 0}, FourEyes::payout, programme, payload, lasts);
    }));
  };
  EXPECT_EQ(refused("nowhere", "{}", 1), "programme.not-found");
  for (const std::string& bad : {std::string(), std::string("[]"), std::string("{"), std::string(70'000, ' ')})
    EXPECT_EQ(refused("city", bad, 1), "proposal.bad-payload");
  EXPECT_EQ(refused("city", "{}", 0), "proposal.bad-period");
  EXPECT_EQ(refused("city", "{}", kProposalLastsMaxMs + 1), "proposal.bad-period");
}

TEST_F(FourEyesTest, TheTableItselfRefusesWhoDecidesAlone) {
  const std::string id = proposed();
  db::Transaction tx = world_.database.begin();
  EXPECT_THROW(tx.exec("UPDATE proposal SET state = 'approved', decider = proposer WHERE id = $1", id), db::ConstraintBroken);
}

}  // namespace
}  // namespace tanhui::identity
