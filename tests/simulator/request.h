// simulator/request.h: what the simulated world asks of an instance, and what it sees of one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "identity/programme.h"
#include "methodology/methodology.h"

namespace tanhui::sim {

constexpr int kRedeemed = -1;  // as a receiver: the programme's account of what was spent

struct Move {
  std::string key;
  int from = 0, to = kRedeemed;
  std::int64_t period = 0;  // of the lot of points
  std::int64_t amount = 0;
};

struct Request {
  enum class Kind {
    account,
    post,
    batch,
    place,
    settle,
    release,
    sweep,
    expire,
    compact,
    rotate,
    backup,
    recalculate,
    recover
  } kind = Kind::recover;
  std::string key = {};                   // the same request again has the same
  std::int64_t now_ms = 0;                // what its clock says
  std::vector<std::size_t> reports = {};  // account: which are in the file
  std::string file = {};
  std::vector<Move> moves = {};   // post, settle, place: one; batch: some
  std::string hold = {};          // settle, release
  std::filesystem::path to = {};  // backup
  std::int64_t expires_ms = 0;
  bool corrected = false;  // by the library with the corrected methodology
};
constexpr int kRequestKinds = int(Request::Kind::recover) + 1;
const char* name(Request::Kind kind);
std::string to_text(const Request& request);

/// Where an instance is, and by which rules it works.
struct World {
  std::filesystem::path folder;
  std::string database;  // its address; empty: SQLite in the folder
  const methodology::Library* library = nullptr;
  const methodology::Library* corrected = nullptr;  // and a second version of the metro's methodology, of half the factor
  const identity::Programme* programme = nullptr;
  int people = 0;
};

using Say = std::function<void(const std::string&)>;

/// Does `request` as a process of its own would, and says the answer while everything is still open: "booked", "earlier",
/// "refused <id>"; "run" or "nothing new"; several for a batch, by commas.
void perform(const World& world, const Request& request, const Say& say);

/// Everything that counts, as numbers by name: "balance 2 points 202603", "held ...", "debt ...", "own redeemed ...", "runs",
/// "segments", "checkpoint 17" (a digest of the note).
using State = std::map<std::string, std::int64_t>;
void observe(const World& world, const Say& say);
State parse_state(const std::string& text);

/// Says "holds" when the instance is what it must be after recovery: audit, ledger, files and catalogue.
void inspect(const World& world, const Say& say);

/// Makes the instance of `world` from a backup.
void restore(const World& world, const std::filesystem::path& backup, const Say& say);

/// A new and empty schema of the server at `address`, or none of that name any more.
void make_schema(const std::string& address, const std::string& name, const Say& say);
void drop_schema(const std::string& address, const std::string& name, const Say& say);

/// Moves a point out of the first account it finds, past the ledger, to see that the simulator sees it.
void damage(const World& world, const Say& say);

}  // namespace tanhui::sim
