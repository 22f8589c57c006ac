// journal/tiles.h: the log as files that any web server can hand out: the C2SP tlog-tiles layout.
//
//   checkpoint                   the newest signed note; it is written last, so everything it speaks of is there
//   tile/<L>/<N>[.p/<W>]         up to 256 hashes: level L holds the roots of aligned groups of 256^L entries
//   tile/entries/<N>[.p/<W>]     the entries of level-0 tile N, each behind its length:u16be
//
// N is written in groups of three digits, all but the last behind an x: 1234067 is x001/x234/067. A tile that is not full ends in .p/W
// and goes when the full one is there. Files never change; what lies behind the checkpoint's size is written again after a crash.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/merkle.h"
#include "core/result.h"

namespace tanhui::journal {

constexpr unsigned kTileHeight = 8;
constexpr std::uint64_t kTileWidth = std::uint64_t{1} << kTileHeight;
constexpr std::size_t kEntryBytesMax = 65'535;

/// "tile/0/x001/x234/067" or, for width 1 to 255, "tile/0/x001/x234/067.p/5". `width` 0 or 256: a full tile.
std::string tile_path(unsigned level, std::uint64_t index, std::uint64_t width = 0);
std::string entries_path(std::uint64_t index, std::uint64_t width = 0);

/// Writes tiles at the right edge. Not for several threads at once. A disk that fails throws std::system_error.
class TileWriter {
 public:
  /// Goes on behind `size` entries, whose tiles are read. Errors: log.tile-missing, log.tile-damaged.
  static core::Result<TileWriter> open(std::filesystem::path folder, std::uint64_t size);

  /// Entries of at most kEntryBytesMax bytes (an invariant). Full tiles are written as they fill.
  void append(std::span<const std::string_view> entries);
  /// Writes the tiles that are not full and makes everything durable.
  void flush();
  std::uint64_t size() const { return size_; }
  core::Digest root() const;

 private:
  struct OpenTile {
    std::vector<core::Digest> hashes;  // fewer than 256
    std::uint64_t written_width = 0;   // of the partial file that stands there
  };
  explicit TileWriter(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void add_hash(unsigned level, const core::Digest& hash);
  void write(const std::string& path, std::string_view bytes);

  std::filesystem::path folder_;
  std::uint64_t size_ = 0;
  std::vector<OpenTile> open_;  // by level
  std::string open_entries_;
  core::merkle::LeafBatch batch_;
  std::vector<core::Digest> leaves_, reduced_;
  std::vector<std::filesystem::path> unsynced_, outgrown_;
};

/// Reads hashes and entries of a log of `size` entries. Keeps the tiles it has read. Not for several threads at once.
class TileReader {
 public:
  TileReader(std::filesystem::path folder, std::uint64_t size);
  ~TileReader();
  /// For proofs. Throws BadTile when a file is missing or has another length.
  core::merkle::NodeSource source();
  /// The entries of one tile. Throws BadTile.
  std::vector<std::string> entries(std::uint64_t tile);

  struct BadTile : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

 private:
  struct Expanded;  // a tile with the nodes inside it
  const Expanded& tile(unsigned level, std::uint64_t index);
  std::uint64_t width(unsigned level, std::uint64_t index) const;

  std::filesystem::path folder_;
  std::uint64_t size_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Expanded>> tiles_;  // by level and index
};

}  // namespace tanhui::journal
