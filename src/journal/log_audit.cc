#include "journal/log_audit.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "core/files.h"
#include "core/merkle.h"
#include "journal/checkpoint.h"
#include "journal/log.h"
#include "journal/tiles.h"

namespace tanhui::journal {
namespace {

namespace fs = std::filesystem;

struct StoredCheckpoint {
  std::uint64_t size;
  std::string note;
};

class LogReading {
 public:
  LogReading(db::Reader& reader, const std::optional<fs::path>& folder,
             const std::function<core::Status(std::uint64_t, const Entry&)>& visit)
      : reader_(reader), read_files_(folder.has_value()), folder_(folder.value_or("")), visit_(visit) {}

  core::Result<LogAudit> run(const std::optional<PublicKey>& first_key) {
    reader_.each("SELECT size, note FROM log_checkpoint ORDER BY size", [&](const db::Row& row) {
      checkpoints_.push_back({std::uint64_t(row.integer(0)), row.get<std::string>(1)});
    });
    if (auto status = read_keys(first_key); !status) return status.error();
    if (auto status = read_entries(); !status) return status.error();
    if (auto status = check_head(); !status) return status.error();
    if (read_files_)
      if (auto status = check_files(); !status) return status.error();
    audit_.checkpoints = checkpoints_.size();
    audit_.keys = keys_.size();
    audit_.newest_checkpoint = checkpoints_.empty() ? "" : checkpoints_.back().note;
    return audit_;
  }

 private:
  core::Status read_keys(const std::optional<PublicKey>& first_key) {
    auto keys = log_keys(reader_);
    if (!keys) return diverges("log-key", "the log's keys", keys.error().message);
    keys_ = *std::move(keys);
    if (keys_.empty() || keys_.front().position != 0) return diverges("log-key", "the log's keys", "its first entry is not its first key");
    if (first_key && keys_.front().key != *first_key)
      return diverges("log-key", "the log's keys", fmt::format("its first key is {}, not {}", keys_.front().key.text(), first_key->text()));
    for (std::size_t i = 1; i < keys_.size(); ++i)
      if (keys_[i].key.name != keys_.front().key.name)
        return diverges("log-key", fmt::format("entry {}", keys_[i].position), "it names a key of another log");
    audit_.origin = keys_.front().key.name;
    return core::Done{};
  }

  core::Status read_entries() {
    core::Status status = core::Done{};
    reader_.each("SELECT position, bytes FROM log_entry ORDER BY position", [&](const db::Row& row) {
      if (!status) return;
      const auto position = std::uint64_t(row.integer(0));
      const std::string bytes = row.get<std::string>(1);
      status = read_entry(position, bytes);
    });
    if (!status) return status;
    if (next_key_ != keys_.size()) return diverges("log-key", "the list of keys", "it names an entry that is no key");
    if (next_checkpoint_ != checkpoints_.size())
      return diverges("log-checkpoint", fmt::format("the checkpoint of {} entries", checkpoints_[next_checkpoint_].size),
                      fmt::format("the log has {}", edge_.size()));
    if (checkpoints_.empty() || checkpoints_.back().size != edge_.size())
      return diverges("log-entry", fmt::format("entry {}", edge_.size() - 1), "no checkpoint covers it");
    return core::Done{};
  }

  core::Status read_entry(std::uint64_t position, const std::string& bytes) {
    const std::string where = fmt::format("entry {}", position);
    if (position != edge_.size()) return diverges("log-entry", fmt::format("entry {}", edge_.size()), "it is missing");
    const auto entry = parse_entry(bytes);
    if (!entry) return diverges("log-entry", where, entry.error().message);
    if (const auto* about = std::get_if<KeyEntry>(&*entry)) {
      const bool listed = next_key_ < keys_.size() && keys_[next_key_].position == position;
      if (!listed) return diverges("log-key", where, "it names a key, and the list of keys does not have it");
      const std::string before = next_key_ == 0 ? "" : keys_[next_key_ - 1].key.text();
      if (about->replaces != before) return diverges("log-key", where, "it does not replace the key before it");
      ++next_key_;
    }
    const core::Digest leaf = core::merkle::leaf_hash(bytes);
    edge_.append(leaf);
    leaves_.push_back(leaf);
    bundles_ += char(bytes.size() >> 8);
    bundles_ += char(bytes.size());
    bundles_ += bytes;
    bundle_ends_.push_back(bundles_.size());
    ++audit_.entries;
    if (auto status = visit_(position, *entry); !status) return status;
    if (next_checkpoint_ < checkpoints_.size() && checkpoints_[next_checkpoint_].size == edge_.size())
      return check_checkpoint(checkpoints_[next_checkpoint_++]);
    return core::Done{};
  }

  // The size's own root and signatures: as all roots come from one growing tree, each checkpoint is consistent with the one before.
  core::Status check_checkpoint(const StoredCheckpoint& stored) const {
    const std::string where = fmt::format("the checkpoint of {} entries", stored.size);
    const auto note = parse_note(stored.note);
    if (!note) return diverges("log-checkpoint", where, note.error().message);
    if (to_text(*note) != stored.note) return diverges("log-checkpoint", where, "it is not written in the one way");
    const Checkpoint expected{audit_.origin, edge_.size(), edge_.root()};
    if (note->text != to_text(expected)) return diverges("log-checkpoint", where, "it is not that of the log's entries");
    std::vector<PublicKey> due;
    for (const KeyPeriod& period : keys_)
      if (period.from <= stored.size && (period.to == 0 || stored.size <= period.to)) due.push_back(period.key);
    const auto signed_by = signers(*note, due);
    if (!signed_by) return diverges("log-checkpoint", where, signed_by.error().message);
    if (signed_by->size() != due.size()) return diverges("log-checkpoint", where, "the log's key did not sign it");
    return core::Done{};
  }

  core::Status check_head() {
    const auto head = reader_.find<std::string, std::string>("SELECT origin, edge FROM log_head WHERE id = 1");
    if (!head) return diverges("log-head", "the log's head", "it is missing");
    if (std::get<0>(*head) != audit_.origin) return diverges("log-head", "the log's head", "it names another log");
    if (std::get<1>(*head) != edge_.bytes()) return diverges("log-head", "the log's head", "its edge is not that of the entries");
    return core::Done{};
  }

  core::Status check_files() {
    core::merkle::Tree tree;
    tree.append(leaves_);
    const std::uint64_t size = leaves_.size();
    for (unsigned level = 0; size >> (kTileHeight * level) != 0; ++level) {
      const std::uint64_t count = size >> (kTileHeight * level);
      for (std::uint64_t index = 0; index * kTileWidth < count; ++index) {
        const std::uint64_t width = std::min(kTileWidth, count - index * kTileWidth);
        if (auto status = compare(tile_path(level, index, width), tile_bytes(tree, level, index, width)); !status) return status;
        if (level > 0) continue;
        if (auto status = compare(entries_path(index, width), bundle_bytes(index, width)); !status) return status;
      }
    }
    if (auto status = compare("checkpoint", checkpoints_.back().note); !status) return status;
    if (auto status = compare("key.pub", keys_.back().key.text() + "\n"); !status) return status;
    return check_left_over(tree);
  }

  static std::string tile_bytes(const core::merkle::Tree& tree, unsigned level, std::uint64_t index, std::uint64_t width) {
    std::string bytes;
    for (std::uint64_t i = 0; i < width; ++i) {
      const core::Digest& node = tree.node(kTileHeight * level, index * kTileWidth + i);
      bytes.append(reinterpret_cast<const char*>(node.data()), node.size());
    }
    return bytes;
  }
  std::string bundle_bytes(std::uint64_t index, std::uint64_t width) const {
    const std::size_t first = std::size_t(index * kTileWidth);
    const std::size_t begin = first == 0 ? 0 : bundle_ends_[first - 1];
    return bundles_.substr(begin, bundle_ends_[first + std::size_t(width) - 1] - begin);
  }

  core::Status compare(const std::string& name, const std::string& expected) {
    const auto bytes = core::read_file(folder_ / name);
    if (!bytes) return diverges("log-file", fmt::format("'{}'", (folder_ / name).string()), "it is missing");
    if (*bytes != expected) return diverges("log-file", fmt::format("'{}'", (folder_ / name).string()), "it is not what the entries say");
    compared_.insert(name);
    ++audit_.files;
    return core::Done{};
  }

  // Tiles of earlier sizes may stand beside; what they hold must be true too, and nothing else may be there.
  core::Status check_left_over(const core::merkle::Tree& tree) {
    for (const auto& item : fs::recursive_directory_iterator(folder_)) {
      if (!item.is_regular_file()) continue;
      const std::string name = fs::relative(item.path(), folder_).generic_string();
      if (compared_.contains(name) || name == ".lock") continue;
      const std::size_t partial = name.rfind(".p/");
      std::uint64_t width = 0;
      if (partial != std::string::npos) std::from_chars(name.data() + partial + 3, name.data() + name.size(), width);
      const auto known = width > 0 && width < kTileWidth ? find_earlier(tree, name, width) : std::nullopt;
      if (!known) return diverges("log-file", fmt::format("'{}'", item.path().string()), "nothing in the log explains it");
      if (auto status = compare(name, *known); !status) return status;
    }
    return core::Done{};
  }
  std::optional<std::string> find_earlier(const core::merkle::Tree& tree, const std::string& name, std::uint64_t width) const {
    for (unsigned level = 0; tree.size() >> (kTileHeight * level) != 0; ++level) {
      const std::uint64_t count = tree.size() >> (kTileHeight * level);
      for (std::uint64_t index = 0; index * kTileWidth + width <= count; ++index) {
        if (name == tile_path(level, index, width)) return tile_bytes(tree, level, index, width);
        if (level == 0 && name == entries_path(index, width)) return bundle_bytes(index, width);
      }
    }
    return std::nullopt;
  }

  db::Reader& reader_;
  bool read_files_;
  fs::path folder_;
  const std::function<core::Status(std::uint64_t, const Entry&)>& visit_;
  std::vector<StoredCheckpoint> checkpoints_;
  std::vector<KeyPeriod> keys_;
  std::size_t next_checkpoint_ = 0, next_key_ = 0;
  core::merkle::Edge edge_;
  std::vector<core::Digest> leaves_;
  std::string bundles_;
  std::vector<std::size_t> bundle_ends_;
  std::set<std::string> compared_;
  LogAudit audit_;
};

}  // namespace

core::Error diverges(std::string_view what, std::string_view where, std::string_view why) {
  return {core::ErrorCode::refused,
          fmt::format("verify.{}", what),
          fmt::format("{}: {}", where, why),
          "stop booking, keep a copy of everything as it is, and find out who or what changed it; restore from a backup",
          {{"where", std::string(where)}, {"why", std::string(why)}}};
}

core::Result<LogAudit> audit_log(db::Reader& reader, const std::optional<fs::path>& folder, const std::optional<PublicKey>& first_key,
                                 const std::function<core::Status(std::uint64_t, const Entry&)>& visit) {
  return LogReading(reader, folder, visit).run(first_key);
}

}  // namespace tanhui::journal
