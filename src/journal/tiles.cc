#include "journal/tiles.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/bytes.h"
#include "core/files.h"
#include "core/invariant.h"

namespace tanhui::journal {
namespace {

constexpr std::size_t kTilesKept = 64 * 1024;  // expanded tiles of a reader: 16 KiB each
constexpr std::size_t kSyncOneByOne = 32;      // more new files than this are synced with their file system at once
constexpr std::size_t kDigestBytes = sizeof(core::Digest);

std::string numbered(std::string_view folder, std::uint64_t index, std::uint64_t width) {
  std::string path = fmt::format("{:03}", index % 1000);
  while ((index /= 1000) > 0) path.insert(0, fmt::format("x{:03}/", index % 1000));
  path.insert(0, fmt::format("tile/{}/", folder));
  if (width % kTileWidth != 0) path += fmt::format(".p/{}", width);
  return path;
}

[[noreturn]] void throw_errno(const std::filesystem::path& path, const char* what) {
  throw std::system_error(errno, std::generic_category(), std::string(what) + " '" + path.string() + "'");
}

std::string_view bytes_of(std::span<const core::Digest> hashes) {
  return {reinterpret_cast<const char*>(hashes.data()), hashes.size() * kDigestBytes};
}

/// The hashes of a tile of at least `width`: the partial file, or the full one that took its place.
std::optional<std::vector<core::Digest>> read_hashes(const std::filesystem::path& folder, unsigned level, std::uint64_t index,
                                                     std::uint64_t width) {
  auto bytes = core::read_file(folder / tile_path(level, index, width));
  if (!bytes && width < kTileWidth) bytes = core::read_file(folder / tile_path(level, index));
  if (!bytes || bytes->size() % kDigestBytes != 0 || bytes->size() < width * kDigestBytes) return std::nullopt;
  std::vector<core::Digest> hashes(width);
  std::memcpy(hashes.data(), bytes->data(), width * kDigestBytes);
  return hashes;
}

core::Error damaged(const std::filesystem::path& path) {
  return {core::ErrorCode::refused,
          "log.tile-damaged",
          fmt::format("'{}' is missing or damaged", path.string()),
          "delete the log's tile folder and its checkpoint: both are written anew from the database",
          {{"path", path.string()}}};
}

core::Digest reduce(std::vector<core::Digest>& hashes) {
  for (std::size_t width = hashes.size(); width > 1; width /= 2)
    core::merkle::hash_pairs({hashes.data(), width}, {hashes.data(), width / 2});
  return hashes.front();
}

}  // namespace

std::string tile_path(unsigned level, std::uint64_t index, std::uint64_t width) { return numbered(fmt::format("{}", level), index, width); }
std::string entries_path(std::uint64_t index, std::uint64_t width) { return numbered("entries", index, width); }

core::Result<TileWriter> TileWriter::open(std::filesystem::path folder, std::uint64_t size) {
  TileWriter writer(std::move(folder));
  writer.size_ = size;
  std::filesystem::create_directories(writer.folder_ / "tile");
  for (unsigned level = 0; size >> (kTileHeight * level) != 0; ++level) {
    const std::uint64_t count = size >> (kTileHeight * level), width = count % kTileWidth;
    OpenTile& open = writer.open_.emplace_back();
    if (width == 0) continue;
    auto hashes = read_hashes(writer.folder_, level, count / kTileWidth, width);
    if (!hashes) return damaged(writer.folder_ / tile_path(level, count / kTileWidth, width));
    open.hashes = *std::move(hashes);
    open.written_width = width;
  }
  if (const std::uint64_t width = size % kTileWidth; width != 0) {
    const auto path = writer.folder_ / entries_path(size / kTileWidth, width);
    auto bytes = core::read_file(path);
    if (!bytes) bytes = core::read_file(writer.folder_ / entries_path(size / kTileWidth));  // a crash came after the full one
    if (!bytes) return damaged(path);
    core::ByteReader in(*bytes);
    std::size_t end = 0;
    for (std::uint64_t i = 0; i < width; ++i) {
      const std::uint64_t high = in.u8(), low = in.u8();
      end += 2 + in.bytes(high << 8 | low).size();
    }
    if (!in.ok()) return damaged(path);
    writer.open_entries_ = bytes->substr(0, end);
  }
  return writer;
}

void TileWriter::append(std::span<const std::string_view> entries) {
  while (!entries.empty()) {
    const std::size_t room = std::size_t(kTileWidth - size_ % kTileWidth);
    const auto part = entries.first(std::min(room, entries.size()));
    for (const std::string_view entry : part) {
      core::invariant(entry.size() <= kEntryBytesMax, "an entry of the log fits its bundle");
      open_entries_.push_back(char(entry.size() >> 8));
      open_entries_.push_back(char(entry.size()));
      open_entries_.append(entry);
      batch_.open();
      batch_.bytes().append(entry);
      batch_.close();
    }
    leaves_.clear();
    batch_.hash(leaves_);
    const std::uint64_t tile = size_ / kTileWidth;
    size_ += part.size();
    if (size_ % kTileWidth == 0) {
      write(entries_path(tile), open_entries_);
      open_entries_.clear();
    }
    for (const core::Digest& leaf : leaves_) add_hash(0, leaf);
    entries = entries.subspan(part.size());
  }
}

void TileWriter::add_hash(unsigned level, const core::Digest& hash) {
  if (open_.size() <= level) open_.resize(level + 1);
  open_[level].hashes.push_back(hash);
  if (open_[level].hashes.size() < kTileWidth) return;
  const std::uint64_t index = (size_ >> (kTileHeight * (level + 1))) - 1;
  write(tile_path(level, index), bytes_of(open_[level].hashes));
  reduced_.assign(open_[level].hashes.begin(), open_[level].hashes.end());
  if (std::exchange(open_[level].written_width, 0) != 0) {  // until the full tiles are durable the others stay
    outgrown_.push_back(folder_ / (tile_path(level, index) + ".p"));
    if (level == 0) outgrown_.push_back(folder_ / (entries_path(index) + ".p"));
  }
  open_[level].hashes.clear();
  add_hash(level + 1, reduce(reduced_));
}

core::Digest TileWriter::root() const {
  std::optional<core::Digest> root;
  for (const OpenTile& tile : open_) {
    core::merkle::Edge edge;  // a tile's own tree; its hashes are perfect subtrees
    edge.append(tile.hashes);
    if (tile.hashes.empty()) continue;
    root = root ? edge.root_with(*root) : edge.root();
  }
  return root ? *root : core::merkle::empty_root();
}

void TileWriter::flush() {
  for (unsigned level = 0; level < open_.size(); ++level) {
    OpenTile& tile = open_[level];
    if (tile.hashes.empty() || tile.written_width == tile.hashes.size()) continue;
    const std::uint64_t index = size_ >> (kTileHeight * (level + 1));
    write(tile_path(level, index, tile.hashes.size()), bytes_of(tile.hashes));
    if (level == 0) write(entries_path(index, tile.hashes.size()), open_entries_);
    tile.written_width = tile.hashes.size();
  }
  if (unsynced_.size() > kSyncOneByOne) {
    const int fd = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) throw_errno(folder_, "cannot open");
    const int failed = ::syncfs(fd);
    ::close(fd);
    if (failed != 0) throw_errno(folder_, "cannot sync");
  } else {
    for (const auto& path : unsynced_) {
      const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) throw_errno(path, "cannot open");
      const int failed = ::fsync(fd);
      ::close(fd);
      if (failed != 0) throw_errno(path, "cannot sync");
      for (auto folder = path.parent_path(); folder != folder_.parent_path(); folder = folder.parent_path()) core::sync_folder(folder);
    }
  }
  unsynced_.clear();
  for (const auto& folder : outgrown_) std::filesystem::remove_all(folder);
  outgrown_.clear();
}

void TileWriter::write(const std::string& name, std::string_view bytes) {
  const auto path = folder_ / name;
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0 && errno == ENOENT) {
    std::filesystem::create_directories(path.parent_path());
    fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  }
  if (fd < 0) throw_errno(path, "cannot create");
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      ::close(fd);
      throw_errno(path, "cannot write");
    }
    bytes.remove_prefix(std::size_t(written));
  }
  if (::close(fd) != 0) throw_errno(path, "cannot close");
  unsynced_.push_back(path);
}

// Levels 0 to 8 of the part of a tile that is there: [0] its hashes, then their parents.
struct TileReader::Expanded {
  std::vector<std::vector<core::Digest>> levels;
};

TileReader::TileReader(std::filesystem::path folder, std::uint64_t size) : folder_(std::move(folder)), size_(size) {}
TileReader::~TileReader() = default;

std::uint64_t TileReader::width(unsigned level, std::uint64_t index) const {
  const std::uint64_t count = size_ >> (kTileHeight * level);
  return std::min(kTileWidth, count - std::min(count, index * kTileWidth));
}

const TileReader::Expanded& TileReader::tile(unsigned level, std::uint64_t index) {
  const std::uint64_t key = std::uint64_t(level) << 58 | index;
  if (const auto found = tiles_.find(key); found != tiles_.end()) return *found->second;
  auto hashes = read_hashes(folder_, level, index, width(level, index));
  if (!hashes) throw BadTile("'" + (folder_ / tile_path(level, index, width(level, index))).string() + "' is missing or too short");
  auto expanded = std::make_unique<Expanded>();
  expanded->levels.push_back(*std::move(hashes));
  while (expanded->levels.back().size() > 1) {
    const auto& children = expanded->levels.back();
    std::vector<core::Digest> parents(children.size() / 2);
    core::merkle::hash_pairs(std::span(children).first(2 * parents.size()), parents);
    expanded->levels.push_back(std::move(parents));
  }
  if (tiles_.size() >= kTilesKept) tiles_.clear();
  return *tiles_.emplace(key, std::move(expanded)).first->second;
}

core::merkle::NodeSource TileReader::source() {
  return [this](unsigned level, std::uint64_t index) {
    unsigned tile_level = level / kTileHeight, inside = level % kTileHeight;
    const std::uint64_t first = index << inside;  // of the tile level's hashes
    const Expanded& expanded = tile(tile_level, first / kTileWidth);
    const std::uint64_t at = first % kTileWidth >> inside;
    if (inside >= expanded.levels.size() || at >= expanded.levels[inside].size()) throw BadTile("the log has no such node");
    return expanded.levels[inside][std::size_t(at)];
  };
}

std::vector<std::string> TileReader::entries(std::uint64_t index) {
  const std::uint64_t count = width(0, index);
  auto bytes = core::read_file(folder_ / entries_path(index, count));
  if (!bytes && count < kTileWidth) bytes = core::read_file(folder_ / entries_path(index));
  const std::string path = (folder_ / entries_path(index, count)).string();
  if (!bytes) throw BadTile("'" + path + "' is missing");
  std::vector<std::string> entries;
  core::ByteReader in(*bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t high = in.u8(), low = in.u8();
    entries.emplace_back(in.bytes(high << 8 | low));
  }
  if (!in.ok()) throw BadTile("'" + path + "' is too short");
  return entries;
}

}  // namespace tanhui::journal
