// simulator/oracle.h: what the requests that took effect must have led to. A plain model in memory: it shares no code with the ledger.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "acts.h"
#include "request.h"

namespace tanhui::sim {

class Oracle {
 public:
  explicit Oracle(const Acts& acts) : acts_(&acts), left_(std::size_t(acts.people()), 0) {}

  struct Hold {
    int person = 0;
    std::int64_t period = 0, amount = 0, expires_ms = 0;
    bool open = true;
  };
  const std::map<std::string, Hold>& holds() const { return holds_; }
  bool corrected() const { return corrected_; }

  /// Takes in a request that meets an instance in `state`; returns the answers that are right.
  std::set<std::string> apply(const Request& request, const State& state);

  /// The first thing in `state` that is not as it must be; empty when all is.
  std::string problem(const State& state) const;

 private:
  std::string book(const Move& move, const State& state, std::map<std::string, std::int64_t>& taken);
  std::set<std::string> settle(const Request& request);
  void expire(const Request& request, const State& state);
  void leave(int person, std::int64_t amount) {
    if (person == kRedeemed)
      redeemed_ -= amount;
    else
      left_[std::size_t(person)] += amount;
  }
  const Acts* acts_;
  std::set<std::size_t> arrived_;   // reports
  std::vector<std::int64_t> left_;  // points that left each person other than by a run; below zero: came
  std::int64_t redeemed_ = 0, expired_ = 0;
  std::map<std::string, Hold> holds_;
  std::set<std::string> done_;  // keys
  bool corrected_ = false;      // the metro's methodology was put right, for all days
};

/// What holds in every state, whatever was asked: sums zero per asset, nothing overdrawn, nothing promised that is not there.
std::string broken_law(const State& state);

}  // namespace tanhui::sim
