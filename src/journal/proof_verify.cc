#include <fmt/format.h>

#include <cstring>
#include <set>

#include "core/json.h"
#include "core/merkle.h"
#include "core/quantity.h"
#include "journal/proof.h"
#include "journal/proof_json.h"

namespace tanhui::journal {
namespace {

constexpr std::size_t kProofBytesMax = std::size_t{16} << 20;
constexpr std::size_t kPathMax = 64;

core::Error bad(std::string_view why) {
  return {core::ErrorCode::invalid_input,
          "proof.bad",
          fmt::format("this is no proof: {}", why),
          "give the file that `tanhui prove` wrote, unchanged",
          {{"reason", std::string(why)}}};
}
core::Error wrong(std::string_view why) {
  return {core::ErrorCode::refused,
          "proof.wrong",
          fmt::format("the proof does not hold: {}", why),
          "do not trust it; ask for a new one, and tell the operator and the public which one was wrong",
          {{"reason", std::string(why)}}};
}

struct Refused {
  core::Error error;
};

std::string bytes_member(const core::MemberReader& in, std::string_view name) {
  auto bytes = from_base64(in.text(name));
  if (!bytes) in.fail(name, "is not base64");
  return *std::move(bytes);
}

std::vector<core::Digest> path_member(const core::MemberReader& in, std::string_view name) {
  std::vector<core::Digest> path;
  for (const auto& step : in.array(name)) {
    const auto bytes = step.is_string() ? from_base64({step.get_string().data(), step.get_string().size()}) : std::nullopt;
    if (!bytes || bytes->size() != sizeof(core::Digest)) in.fail(name, "is not a list of digests in base64");
    if (path.size() == kPathMax) in.fail(name, "is longer than any path");
    std::memcpy(path.emplace_back().data(), bytes->data(), bytes->size());
  }
  return path;
}

std::uint64_t index_member(const core::MemberReader& in, std::string_view name) {
  const std::int64_t index = in.integer(name);
  if (index < 0) in.fail(name, "is below zero");
  return std::uint64_t(index);
}

class ProofReading {
 public:
  explicit ProofReading(std::span<const PublicKey> witnesses) : witnesses_(witnesses) {}

  ProvenRecords read(const boost::json::value& document, const PublicKey& log_key) {
    const core::MemberReader in(document, "the document");
    in.only({"format", "version", "records", "checkpoint", "keys"});
    for (const auto& one : in.array("keys"))
      core::MemberReader(one, "a change of keys").only({"entry", "log_index", "log_path", "checkpoint"});
    if (in.text("format") != kProofFormat || in.integer("version") != kProofVersion)
      in.fail("format", "is not one that this program knows");
    const Note note = note_of(in.text("checkpoint"));
    result_.checkpoint = checkpoint_of(note);
    result_.signed_by = follow_keys(in, log_key, note);
    if (result_.checkpoint.origin != result_.signed_by.name) throw Refused{wrong("the checkpoint is of another log than its key")};
    for (const PublicKey& witness : witnesses_) {
      if (!cosigned_at(note, witness)) throw Refused{wrong(fmt::format("the witness '{}' did not cosign", witness.name))};
      result_.witnesses.push_back(witness.name);
    }
    for (const auto& one : in.array("records")) read_record(core::MemberReader(one, "a record"));
    if (result_.records.empty()) in.fail("records", "is empty");
    return result_;
  }

 private:
  static Note note_of(const std::string& text) {
    auto note = parse_note(text);
    if (!note) throw Refused{bad(note.error().message)};
    return *std::move(note);
  }
  static Checkpoint checkpoint_of(const Note& note) {
    auto checkpoint = parse_checkpoint(note.text);
    if (!checkpoint) throw Refused{bad(checkpoint.error().message)};
    return *std::move(checkpoint);
  }

  static bool signed_by(const Note& note, const PublicKey& key) {
    const auto found = signers(note, {&key, 1});
    if (!found) throw Refused{wrong(found.error().message)};
    return !found->empty();
  }

  // From the key that is trusted to the one that signed: each step is an entry under a checkpoint that the key before signed.
  static PublicKey follow_keys(const core::MemberReader& in, PublicKey trusted, const Note& note) {
    if (signed_by(note, trusted)) return trusted;
    for (const auto& one : in.array("keys")) {
      const core::MemberReader step(one, "a change of keys");
      const std::string bytes = step.text("entry");
      const auto entry = parse_entry(bytes);
      const auto* about = entry ? std::get_if<KeyEntry>(&*entry) : nullptr;
      if (about == nullptr) step.fail("entry", "is not an entry about a key");
      if (about->replaces != trusted.text()) continue;  // a change before the key that is trusted
      const Note under = note_of(step.text("checkpoint"));
      if (!signed_by(under, trusted)) throw Refused{wrong("a change of keys is not signed by the key before")};
      check_in_log(step, bytes, checkpoint_of(under));
      const auto next = parse_public_key(about->key);
      if (!next) step.fail("entry", "names no key");
      if (!signed_by(under, *next)) throw Refused{wrong("a change of keys is not signed by the key that takes over")};
      trusted = *next;
      if (signed_by(note, trusted)) return trusted;
    }
    throw Refused{wrong("the checkpoint is not signed by the key that was given, nor by one that it was replaced by")};
  }

  static void check_in_log(const core::MemberReader& in, const std::string& bytes, const Checkpoint& checkpoint) {
    if (!core::merkle::includes(core::merkle::leaf_hash(bytes), index_member(in, "log_index"), checkpoint.size, path_member(in, "log_path"),
                                checkpoint.root))
      throw Refused{wrong("an entry is not in the log that the checkpoint speaks of")};
  }

  void read_record(const core::MemberReader& in) {
    in.only({"record", "bytes", "index", "path", "entry", "log_index", "log_path"});
    const std::string bytes = bytes_member(in, "bytes"), entry_text = in.text("entry");
    const auto record = parse_record(bytes);
    if (!record) in.fail("bytes", "are not one record");
    const auto entry = parse_entry(entry_text);
    const auto* segment = entry ? std::get_if<SegmentEntry>(&*entry) : nullptr;
    if (segment == nullptr) in.fail("entry", "is not the entry of a segment");
    if (in.value("record") != record_json(*record, *segment))
      throw Refused{wrong("what it says of a record is not what the record's bytes say")};
    check_in_log(in, entry_text, result_.checkpoint);
    if (!core::merkle::includes(core::merkle::leaf_hash(bytes), index_member(in, "index"), std::uint64_t(segment->records),
                                path_member(in, "path"), segment->root))
      throw Refused{wrong("a record is not in the segment that the log has")};
    if (!places_.emplace(index_member(in, "log_index"), index_member(in, "index")).second) throw Refused{wrong("a record is in it twice")};
    result_.milligrams = core::add_or_throw(result_.milligrams, record->milligrams);
    result_.points = core::add_or_throw(result_.points, record->points);
    result_.records.push_back({*record, *segment});
  }

  std::span<const PublicKey> witnesses_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> places_;  // of the records so far: in the log, and in the segment
  ProvenRecords result_;
};

}  // namespace

core::Result<ProvenRecords> verify_proof(std::string_view document, const PublicKey& log_key, std::span<const PublicKey> witnesses) {
  if (document.size() > kProofBytesMax) return bad("it is longer than 16 MiB");
  const auto parsed = core::parse_json(document);
  if (!parsed) return bad("it is not JSON");
  try {
    return ProofReading(witnesses).read(*parsed, log_key);
  } catch (const core::BadMember& problem) {
    return bad(problem.what());
  } catch (const core::Overflow&) {
    return bad("its amounts add up to more than 64 bits hold");
  } catch (const Refused& refused) {
    return refused.error;
  }
}

}  // namespace tanhui::journal
