#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/invariant.h"
#include "core/json.h"
#include "core/merkle.h"
#include "journal/catalogue.h"
#include "journal/log.h"
#include "journal/proof.h"
#include "journal/proof_json.h"
#include "journal/segment.h"
#include "journal/tiles.h"

namespace tanhui::journal {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

std::string base64_of(const core::Digest& digest) { return base64({reinterpret_cast<const char*>(digest.data()), digest.size()}); }

json::array path_json(const std::vector<core::Digest>& path) {
  json::array steps;
  for (const core::Digest& step : path) steps.emplace_back(base64_of(step));
  return steps;
}

/// A row that is to be proved, and where it is.
struct Found {
  CataloguedSegment segment;
  std::uint64_t index = 0;  // among the segment's records
  Record record;
  std::vector<core::Digest> path;
};

/// Reads one segment whole: its leaves are needed for the path of any of them.
class SegmentProof {
 public:
  explicit SegmentProof(const fs::path& journal) : journal_(journal), hasher_(names_) {}

  core::Status find(const CataloguedSegment& segment, const ProofRequest& request, std::vector<Found>& found) {
    auto opened = SegmentReader::open(journal_ / segment.info.path);
    if (!opened) return opened.error();
    auto reader = *std::move(opened);
    if (!holds_event(reader, segment.run, request)) return failed_;
    leaves_.clear();
    const std::size_t first = found.size();
    for (std::size_t group = 0; group < reader.row_groups(); ++group) {
      if (auto status = reader.read(group, ColumnSet::all(), names_, rows_); !status) return status;
      for (std::size_t row = 0; row < rows_.size(); ++row) {
        if (!rows_.run.empty() && std::uint64_t(rows_.run[row]) != segment.run) continue;
        if (rows_.event[row] == request.event && (!request.person || rows_.person[row] == *request.person))
          found.push_back({segment, leaves_.size(), record_at(rows_, row, names_), {}});
        hasher_.hash(rows_, row, row + 1, leaves_);
      }
    }
    core::merkle::Tree tree;
    tree.append(leaves_);
    if (tree.root() != segment.info.root)
      return core::Error{core::ErrorCode::refused,
                         "proof.segment-differs",
                         fmt::format("the records of '{}' do not hash to the root in the log", segment.info.path.string()),
                         "run `tanhui verify --all`; restore the file from a backup",
                         {{"path", segment.info.path.string()}}};
    for (std::size_t i = first; i < found.size(); ++i)
      found[i].path = core::merkle::inclusion_path(found[i].index, leaves_.size(), tree.source());
    return core::Done{};
  }

 private:
  // Looks at the event column only, and only where the person may be.
  bool holds_event(SegmentReader& reader, RunId run, const ProofRequest& request) {
    failed_ = core::Done{};
    for (std::size_t group = 0; group < reader.row_groups(); ++group) {
      const auto [least, greatest] = reader.persons_of(group);
      if (request.person && (*request.person < least || greatest < *request.person)) continue;
      if (failed_ = reader.read(group, {Column::event, Column::run}, names_, rows_); !failed_) return false;
      for (std::size_t row = 0; row < rows_.event.size(); ++row)
        if (rows_.event[row] == request.event && (rows_.run.empty() || RunId(rows_.run[row]) == run)) return true;
    }
    return false;
  }

  fs::path journal_;
  Names names_;
  Columns rows_;
  RecordHasher hasher_;
  std::vector<core::Digest> leaves_;
  core::Status failed_ = core::Done{};
};

json::object hand_over(db::Reader& reader, const KeyPeriod& period, TileReader& tiles) {
  const std::uint64_t size = period.from;  // the checkpoint of that size is signed by the key before, too
  const auto checkpoint = checkpoint_covering(reader, size);
  core::invariant(checkpoint.has_value(), "a key's entry is covered by a checkpoint");
  return {{"entry", log_entry_bytes(reader, period.position)},
          {"log_index", period.position},
          {"log_path", path_json(core::merkle::inclusion_path(period.position, size, tiles.source()))},
          {"checkpoint", *checkpoint}};
}

}  // namespace

json::object record_json(const Record& record, const SegmentEntry& segment) {
  const auto number = [](const std::optional<std::int64_t>& value) { return value ? json::value(*value) : json::value(nullptr); };
  const auto key = [](std::uint64_t value) { return value == 0 ? json::value(nullptr) : json::value(fmt::format("{:016x}", value)); };
  const auto word = [](const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); };
  json::array quantities{number(record.quantity)};
  for (const auto& quantity : record.extra) quantities.push_back(number(quantity));
  return {{"programme", segment.programme},
          {"day", core::to_text(segment.day)},
          {"run", std::int64_t(segment.run)},
          {"person", core::to_hex(record.person)},
          {"start", core::to_text_utc(record.start_ms)},
          {"start_ms", record.start_ms},
          {"duration_ms", number(record.duration_ms)},
          {"activity", record.activity},
          {"source", record.source},
          {"event", fmt::format("{:016x}", record.event)},
          {"object", key(record.object)},
          {"region", record.region},
          {"evidence", record.evidence},
          {"quantities", std::move(quantities)},
          {"methodology", word(record.methodology)},
          {"outcome", record.outcome},
          {"reason", record.reason},
          {"milligrams", record.milligrams},
          {"points", record.points},
          {"winner", key(record.winner)},
          {"winner_source", word(record.winner_source)},
          {"revision", std::int64_t(record.revision)},
          {"line", record.line == 0 ? json::value(nullptr) : json::value(std::int64_t(record.line))}};
}

core::Result<std::string> make_proof(db::Reader& reader, const fs::path& instance, const ProofRequest& request) {
  std::vector<Found> found;
  SegmentProof proof(instance / "journal");
  for (const std::string& programme : programmes_with_segments(reader)) {
    if (!request.programme.empty() && programme != request.programme) continue;
    for (const auto& segment : segments_between(reader, programme, core::kFirstDay, core::kLastDay)) {
      if (request.person && (*request.person < segment.info.person_min || segment.info.person_max < *request.person)) continue;
      if (auto status = proof.find(segment, request, found); !status) return status.error();
    }
  }
  if (found.empty())
    return core::Error{core::ErrorCode::not_found,
                       "proof.unknown-record",
                       fmt::format("no record with the event key {:016x} is in the journal", request.event),
                       "give SOURCE/EVENT_ID as the partner sent it, or the 16 digits that `tanhui statement --json` shows",
                       {{"event", fmt::format("{:016x}", request.event)}}};
  const auto checkpoint = newest_checkpoint(reader);
  core::invariant(checkpoint.has_value(), "a journal with records has a log");
  const std::uint64_t size = log_size(reader);
  TileReader tiles(instance / "log", size);
  json::array records, keys;
  for (const Found& one : found) {
    const std::string entry_text = log_entry_bytes(reader, one.segment.position);
    const auto entry = parse_entry(entry_text);
    const auto* segment = entry ? std::get_if<SegmentEntry>(&*entry) : nullptr;
    core::invariant(segment != nullptr, "a segment's row names its entry");
    records.push_back(json::object{{"record", record_json(one.record, *segment)},
                                   {"bytes", base64(record_bytes(one.record))},
                                   {"index", one.index},
                                   {"path", path_json(one.path)},
                                   {"entry", entry_text},
                                   {"log_index", one.segment.position},
                                   {"log_path", path_json(core::merkle::inclusion_path(one.segment.position, size, tiles.source()))}});
  }
  const auto periods = log_keys(reader);
  if (!periods) return periods.error();
  for (std::size_t i = 1; i < periods->size(); ++i) keys.push_back(hand_over(reader, (*periods)[i], tiles));
  return json::serialize(json::object{{"format", kProofFormat},
                                      {"version", kProofVersion},
                                      {"records", std::move(records)},
                                      {"checkpoint", *checkpoint},
                                      {"keys", std::move(keys)}});
}

}  // namespace tanhui::journal
