// simulator/simulation.h: one seed: a small city lives through requests and faults; after each, everything is compared with the oracle.
//
//   a request   is sent to a process of its own, which meets a fault at some call, or none
//   answered    it was acknowledged: the answer and the state are what the oracle says
//   not         it is whole or absent; then it is sent again at once (perhaps into the next fault), or later, after others (reordered)
//   recovered   the audit holds, files and catalogue agree, no run is half there
//   backed up   what is restored from a backup is what was there
//   at the end  two processes send one request at the same moment; what was kept for later is sent; and a second instance that got
//               the same requests without any fault has the same accounts
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "acts.h"
#include "child.h"
#include "oracle.h"
#include "request.h"

namespace tanhui::sim {

struct Tally {
  long requests[kRequestKinds] = {};
  long fired[FAULT_KINDS] = {};
  long recoveries = 0, present = 0, absent = 0;  // what became of requests that were not answered
  long failed_but_booked = 0;                    // those that said "failed" and were there all the same
  long seeds = 0, failures = 0;
};

struct Options {
  int steps = 12;
  std::string server;              // address of a PostgreSQL server; empty: SQLite
  std::optional<Fault> only = {};  // the last step meets this one, and nothing else meets any
  int damage_at = -1;              // a step after which a balance is changed behind the ledger's back: the simulation must fail
  std::filesystem::path folder;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, const Options& options, const World& rules, Tally& tally);
  /// What went wrong; empty when nothing did.
  std::string run();
  const std::vector<std::string>& trace() const { return trace_; }
  /// Calls that the request of the last step made when it met no fault.
  long calls_of_last_step() const { return calls_of_last_step_; }

 private:
  struct Failed {
    std::string what;
  };
  [[noreturn]] void fail(const std::string& what) const { throw Failed{what}; }

  Request choose();
  Request account();
  Request points_request(Request::Kind kind);
  Fault choose_fault(Request::Kind kind);
  core::Millis any_clock();
  Move any_move(const std::string& key);

  void attempt(Request request, Fault fault, int depth = 0);
  void answered(const Request& request, const Outcome& outcome, const Oracle& after, const std::set<std::string>& right);
  void not_answered(const Request& request, const Outcome& outcome, const Oracle& after, int depth);
  void recover();
  void check(const World& world, const char* when);
  void check_backup(const Request& request, bool made_now);
  void twins();
  void compare_with_undisturbed();
  State look(const World& world);
  /// An instance in the folder `name`, on the store of this simulation.
  World new_world(const std::string& name);
  void drop_schemas();
  Outcome send(const Request& request, Fault fault);
  void keep(const Request& request, const Oracle& after);
  void say(std::string line);

  std::uint64_t seed_;
  Options options_;
  Tally& tally_;
  Random random_;
  Acts acts_;
  Oracle oracle_;
  World world_;
  State state_;
  std::vector<std::size_t> waiting_;  // reports that were not sent yet
  std::vector<Request> sent_;         // candidates to be sent again
  std::vector<Request> later_;        // not answered and not repeated yet
  std::vector<Request> effective_;    // in the order in which they took effect
  long calls_[kRequestKinds] = {};    // the most that a request of the kind made so far
  long calls_of_last_step_ = 0;
  int number_ = 0;
  int restores_ = 0;  // folders that backups were restored to
  std::vector<std::string> schemas_;
  std::vector<std::string> trace_;
};

}  // namespace tanhui::sim
