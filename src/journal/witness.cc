#include "journal/witness.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "core/files.h"
#include "core/invariant.h"
#include "core/merkle.h"
#include "journal/checkpoint.h"
#include "journal/log.h"
#include "journal/tiles.h"

namespace tanhui::journal {
namespace {

constexpr std::size_t kProofLinesMax = 63;

struct Request {
  std::uint64_t old_size = 0;
  std::vector<core::Digest> path;
  Note note;
  Checkpoint checkpoint;
};

std::optional<Checkpoint> checkpoint_of(std::string_view note_text) {
  const auto note = parse_note(note_text);
  const auto checkpoint = note ? parse_checkpoint(note->text) : core::Result<Checkpoint>(note.error());
  return checkpoint ? std::optional(*checkpoint) : std::nullopt;
}

std::optional<Request> parse_request(std::string_view text) {
  const std::size_t end = text.find("\n\n");
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view lines = text.substr(0, end + 1);
  Request request;
  constexpr std::string_view kOld = "old ";
  for (bool first = true; !lines.empty(); first = false) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(line.size() + 1);
    if (first) {
      const auto read = line.starts_with(kOld) ? std::from_chars(line.data() + kOld.size(), line.data() + line.size(), request.old_size)
                                               : std::from_chars_result{nullptr, std::errc::invalid_argument};
      if (read.ec != std::errc{} || read.ptr != line.data() + line.size()) return std::nullopt;
      continue;
    }
    const auto hash = from_base64(line);
    if (!hash || hash->size() != sizeof(core::Digest) || request.path.size() == kProofLinesMax) return std::nullopt;
    std::memcpy(request.path.emplace_back().data(), hash->data(), hash->size());
  }
  auto note = parse_note(text.substr(end + 2));
  if (!note) return std::nullopt;
  request.note = *std::move(note);
  auto checkpoint = parse_checkpoint(request.note.text);
  if (!checkpoint) return std::nullopt;
  request.checkpoint = *std::move(checkpoint);
  return request;
}

}  // namespace

Witness::Witness(Signer signer, PublicKey log, std::filesystem::path memory)
    : signer_(std::move(signer)), log_(std::move(log)), memory_(std::move(memory)) {
  core::invariant(signer_.key().type == KeyType::witness, "a witness signs with a witness's key");
}

WitnessAnswer Witness::add_checkpoint(std::string_view text, std::uint64_t posix_seconds) const {
  const auto request = parse_request(text);
  if (!request) return {400, "the request cannot be read\n"};
  const Checkpoint& shown = request->checkpoint;
  if (shown.origin != log_.name) return {404, "this witness does not watch that log\n"};
  const auto signed_by = signers(request->note, {&log_, 1});
  if (!signed_by || signed_by->empty()) return {403, "the log's key did not sign the checkpoint\n"};
  if (request->old_size > shown.size) return {400, "the old size is beyond the new one\n"};
  const core::FileLock lock(memory_.string() + ".lock");
  const auto stored = core::read_file(memory_);
  const auto remembered = stored ? checkpoint_of(*stored) : std::nullopt;
  if (stored && !remembered) return {500, "what the witness remembers cannot be read\n"};
  const std::uint64_t known = remembered ? remembered->size : 0;
  if (request->old_size != known) return {409, fmt::format("{}\n", known)};
  const bool grows =
      known == 0 ? request->path.empty() : core::merkle::consistent(known, remembered->root, shown.size, shown.root, request->path);
  if (!grows) return {422, "the checkpoint does not grow from the one that was seen\n"};
  core::write_file(memory_, to_text(request->note), 0600);
  return {200, signer_.sign(request->note.text, posix_seconds).line()};
}

core::Result<std::string> witness_request(db::Reader& reader, const std::filesystem::path& instance, std::uint64_t old_size) {
  const auto newest = newest_checkpoint(reader);
  const std::uint64_t size = log_size(reader);
  if (!newest || old_size > size)
    return core::Error{core::ErrorCode::invalid_input,
                       "witness.bad-size",
                       fmt::format("the log has {} entries, fewer than the {} that the witness remembers", size, old_size),
                       "ask the witness again; if it is right, this is not the log that it saw",
                       {{"size", std::to_string(size)}}};
  std::string request = fmt::format("old {}\n", old_size);
  if (old_size > 0) {
    TileReader tiles(instance / "log", size);
    for (const core::Digest& step : core::merkle::consistency_path(old_size, size, tiles.source()))
      request += base64({reinterpret_cast<const char*>(step.data()), step.size()}) + "\n";
  }
  return request + "\n" + *newest;
}

}  // namespace tanhui::journal
