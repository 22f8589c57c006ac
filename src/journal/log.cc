#include "journal/log.h"

#include <fmt/format.h>
#include <sodium.h>

#include "core/files.h"
#include "core/invariant.h"
#include "journal/tiles.h"

namespace tanhui::journal {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kPublishTogether = 4096;  // entries

fs::path key_path(const fs::path& instance) { return instance / "log.key"; }
fs::path next_key_path(const fs::path& instance) { return instance / "log.key.next"; }

std::string random_origin() {
  std::array<std::uint8_t, 4> random;
  core::invariant(sodium_init() >= 0, "libsodium has a source of randomness");
  randombytes_buf(random.data(), random.size());
  return "localhost/tanhui-" + core::to_hex(random);
}

core::Error key_error(std::string_view id, std::string_view what, std::string_view action, const fs::path& path) {
  return {core::ErrorCode::refused,
          std::string(id),
          fmt::format("'{}': {}", path.string(), what),
          std::string(action),
          {{"path", path.string()}}};
}

std::optional<std::string> newest_key(db::Reader& reader) {
  const auto position = reader.find<std::int64_t>("SELECT position FROM log_key ORDER BY position DESC LIMIT 1");
  if (!position) return std::nullopt;
  const auto entry = parse_entry(log_entry_bytes(reader, std::uint64_t(*position)));
  core::invariant(entry && std::holds_alternative<KeyEntry>(*entry), "a key of the log is an entry about a key");
  return std::get<KeyEntry>(*entry).key;
}

/// The signer whose public half is `wanted`: from log.key, or from log.key.next when a crash came before it was renamed.
core::Result<Signer> find_signer(const fs::path& instance, const std::string& wanted) {
  bool any = false;
  for (const fs::path& path : {key_path(instance), next_key_path(instance)}) {
    const auto text = core::read_file(path);
    if (!text) continue;
    any = true;
    auto signer = Signer::parse(*text);
    if (!signer) {
      if (path == key_path(instance)) return signer.error();
      continue;
    }
    if (signer->key().text() != wanted) continue;
    if (path != key_path(instance)) {
      fs::rename(path, key_path(instance));
      core::sync_folder(instance);
    }
    return signer;
  }
  if (!any)
    return key_error("log.key-missing", "the log's signing key is not there",
                     "restore log.key from a backup; nothing can be booked without it", key_path(instance));
  return key_error("log.other-key", "this is not the key that the log's last key entry names",
                   "restore the log.key that belongs to this database", key_path(instance));
}

}  // namespace

Log::Log(fs::path instance, Signer signer) : instance_(std::move(instance)), folder_(instance_ / "log"), signer_(std::move(signer)) {}

core::Result<Log> Log::open(const fs::path& instance, db::Database& database, core::Millis now_ms, std::string_view origin) {
  fs::create_directories(instance / "log");
  if (const auto wanted = newest_key(database)) {
    auto signer = find_signer(instance, *wanted);
    if (!signer) return signer.error();
    Log log(instance, *std::move(signer));
    log.publish(database);
    return log;
  }
  if (fs::exists(key_path(instance)))
    return key_error("log.other-key", "there is a signing key, but the database has no log", "use the database that belongs to this folder",
                     key_path(instance));
  const Signer signer = Signer::generate(origin.empty() ? random_origin() : std::string(origin));
  Log log(instance, signer);
  {
    const core::FileLock lock(instance / "log" / ".lock");
    db::Transaction tx = database.begin();
    if (newest_key(tx))
      return core::Error{core::ErrorCode::conflict, "log.busy", "another process made the log just now", "start again", {}};
    core::write_file(next_key_path(instance), signer.text(), 0600);
    tx.exec("INSERT INTO log_head (id, origin, edge) VALUES (1, $1, $2)", signer.key().name, db::Bytes{core::merkle::Edge().bytes()});
    const Entry first = KeyEntry{signer.key().text(), ""};
    log.append(tx, {&first, 1}, now_ms);
    tx.commit();
    fs::rename(next_key_path(instance), key_path(instance));
    core::sync_folder(instance);
  }
  log.publish(database);
  return log;
}

Appended Log::append(db::Transaction& tx, std::span<const Entry> entries, core::Millis now_ms) const {
  return append_signed(tx, entries, now_ms, nullptr);
}

Appended Log::append_signed(db::Transaction& tx, std::span<const Entry> entries, core::Millis now_ms, const Signer* also) const {
  core::invariant(!entries.empty(), "what is appended to the log is at least one entry");
  tx.exec("UPDATE log_head SET origin = origin WHERE id = 1");  // one after the other, on every store
  const auto stored = tx.find<std::string>("SELECT edge FROM log_head WHERE id = 1");
  core::invariant(stored.has_value(), "a log that is appended to exists");
  auto edge = core::merkle::Edge::from_bytes(*stored);
  core::invariant(edge.has_value(), "the log's head holds an edge");
  Appended appended{edge->size(), {}};
  for (const Entry& entry : entries) {
    const std::string bytes = entry_bytes(entry);
    core::invariant(bytes.size() <= kEntryBytesMax, "an entry of the log fits its bundle");
    tx.exec("INSERT INTO log_entry (position, bytes) VALUES ($1, $2)", std::int64_t(edge->size()), db::Bytes{bytes});
    if (std::holds_alternative<KeyEntry>(entry)) tx.exec("INSERT INTO log_key (position) VALUES ($1)", std::int64_t(edge->size()));
    edge->append(core::merkle::leaf_hash(bytes));
  }
  appended.checkpoint = {signer_.key().name, edge->size(), edge->root()};
  Note note{to_text(appended.checkpoint), {}};
  note.signatures.push_back(signer_.sign(note.text));
  if (also != nullptr) note.signatures.push_back(also->sign(note.text));
  tx.exec("UPDATE log_head SET edge = $1 WHERE id = 1", db::Bytes{edge->bytes()});
  tx.exec("INSERT INTO log_checkpoint (size, at_ms, note) VALUES ($1, $2, $3)", std::int64_t(edge->size()), now_ms, to_text(note));
  return appended;
}

void Log::publish(db::Reader& reader) const {
  fs::create_directories(folder_);
  const core::FileLock lock(folder_ / ".lock");
  const auto newest = newest_checkpoint(reader);
  if (!newest) return;
  const auto published = core::read_file(folder_ / "checkpoint");
  if (published == newest) return;
  const auto size_of = [](std::string_view text) -> std::uint64_t {
    const auto note = parse_note(text);
    const auto checkpoint = note ? parse_checkpoint(note->text) : core::Result<Checkpoint>(note.error());
    return checkpoint ? checkpoint->size : 0;
  };
  const std::uint64_t size = size_of(*newest);
  core::invariant(size > 0, "a stored checkpoint can be read");
  std::uint64_t from = published ? std::min(size_of(*published), size) : 0;
  auto opened = TileWriter::open(folder_, from);
  if (!opened) {  // the files are a copy: write all of them anew
    from = 0;
    opened = TileWriter::open(folder_, 0);
  }
  auto tiles = *std::move(opened);
  std::vector<std::string> entries;
  const auto write = [&] {
    tiles.append(std::vector<std::string_view>(entries.begin(), entries.end()));
    entries.clear();
  };
  reader.each(
      "SELECT bytes FROM log_entry WHERE position >= $1 AND position < $2 ORDER BY position",
      [&](const db::Row& row) {
        entries.push_back(row.get<std::string>(0));
        if (entries.size() == kPublishTogether) write();
      },
      std::int64_t(from), std::int64_t(size));
  write();
  tiles.flush();
  core::invariant(tiles.size() == size, "the log's files hold as many entries as its checkpoint says");
  core::write_file(folder_ / "key.pub", signer_.key().text() + "\n", 0644);
  core::write_file(folder_ / "checkpoint", *newest, 0644);
}

core::Result<Appended> Log::rotate_key(db::Database& database, core::Millis now_ms) {
  const Signer next = Signer::generate(signer_.key().name);
  core::write_file(next_key_path(instance_), next.text(), 0600);
  Appended appended;
  {
    db::Transaction tx = database.begin();
    const auto current = newest_key(tx);
    core::invariant(current == signer_.key().text(), "the log's key is replaced by whoever holds it");
    const Entry entry = KeyEntry{next.key().text(), signer_.key().text()};
    appended = append_signed(tx, {&entry, 1}, now_ms, &next);
    tx.commit();
  }
  fs::rename(next_key_path(instance_), key_path(instance_));
  core::sync_folder(instance_);
  signer_ = next;
  publish(database);
  return appended;
}

std::uint64_t log_size(db::Reader& reader) {
  return std::uint64_t(reader.find<std::int64_t>("SELECT coalesce(max(size), 0) FROM log_checkpoint").value_or(0));
}

std::string log_entry_bytes(db::Reader& reader, std::uint64_t position) {
  auto bytes = reader.find<std::string>("SELECT bytes FROM log_entry WHERE position = $1", std::int64_t(position));
  if (!bytes) throw db::Failure(fmt::format("entry {} of the log is missing", position));
  return *std::move(bytes);
}

std::optional<std::string> newest_checkpoint(db::Reader& reader) {
  return reader.find<std::string>("SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1");
}

std::optional<std::string> checkpoint_covering(db::Reader& reader, std::uint64_t size) {
  return reader.find<std::string>("SELECT note FROM log_checkpoint WHERE size >= $1 ORDER BY size LIMIT 1", std::int64_t(size));
}

core::Result<std::vector<KeyPeriod>> log_keys(db::Reader& reader) {
  std::vector<KeyPeriod> periods;
  for (const auto& [position] : reader.query<std::int64_t>("SELECT position FROM log_key ORDER BY position")) {
    const auto entry = parse_entry(log_entry_bytes(reader, std::uint64_t(position)));
    if (!entry) return entry.error();
    const auto* about = std::get_if<KeyEntry>(&*entry);
    if (about == nullptr)
      return core::Error{core::ErrorCode::refused,
                         "log.not-a-key",
                         fmt::format("entry {} of the log is listed as a key and is none", position),
                         "run `tanhui verify --all`",
                         {}};
    const auto key = parse_public_key(about->key);
    if (!key) return key.error();
    const std::uint64_t size = std::uint64_t(position) + 1;  // of the tree that first covers it
    if (!periods.empty()) periods.back().to = size;
    periods.push_back({*key, std::uint64_t(position), size, 0});
  }
  return periods;
}

core::Status add_cosignature(db::Transaction& tx, std::string_view signed_note, const PublicKey& witness) {
  const auto theirs = parse_note(signed_note);
  if (!theirs) return theirs.error();
  if (witness.type != KeyType::witness)
    return core::Error{core::ErrorCode::invalid_input,
                       "log.not-a-witness",
                       fmt::format("the key '{}' is not a witness's", witness.name),
                       "give the witness's public key, of type 4",
                       {{"key", witness.name}}};
  const PublicKey keys[] = {witness};
  const auto signed_by = signers(*theirs, keys);
  if (!signed_by) return signed_by.error();
  const auto ours = newest_checkpoint(tx);
  auto note = ours ? parse_note(*ours) : core::Result<Note>(core::Error{});
  if (!note || note->text != theirs->text || signed_by->empty())
    return core::Error{core::ErrorCode::not_found,
                       "log.no-such-checkpoint",
                       "the cosigned note is not this log's newest checkpoint with a line of that witness",
                       "show the witness the newest checkpoint and bring back what it signed",
                       {}};
  Note merged = *std::move(note);
  for (const Signature& signature : theirs->signatures) {
    if (signature.name != witness.name || signature.id != witness.id) continue;
    std::erase_if(merged.signatures, [&](const Signature& old) { return old.name == signature.name && old.id == signature.id; });
    merged.signatures.push_back(signature);
  }
  const auto checkpoint = parse_checkpoint(merged.text);
  core::invariant(bool(checkpoint), "a stored checkpoint can be read");
  tx.exec("UPDATE log_checkpoint SET note = $2 WHERE size = $1", std::int64_t(checkpoint->size), to_text(merged));
  return core::Done{};
}

}  // namespace tanhui::journal
