// activity/intake.h: partners' files in, activity records out. This header is what the accounting run needs; the rest of intake is private.
//
//   const auto source = open_source(profile, {"trips.csv.gz"}, context);      // errors name the file, what is wrong, what to do
//   RecordBatch batch;                                                        // one per thread
//   while (true) { const auto more = (*source)->next(batch); ... }            // several threads may ask at the same time
//
// Every row becomes exactly one record (or one for each unpivoted cell); a row that cannot be read is a record with a reason.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "activity/profile.h"
#include "activity/record.h"
#include "core/hash.h"
#include "core/result.h"

namespace tanhui::activity {

/// A type of activity as the catalogue has it: records carry its quantities in this order, in base units (m, Wh, g, mL, s, 1, m2, ppm).
struct ActivityType {
  struct Quantity {
    std::string name, unit;
  };
  std::string id;
  std::vector<Quantity> quantities;
};

struct SourceName {
  std::string id;
  Evidence evidence = Evidence::declared;  // where neither row nor profile says
};

/// The words of a run and their numbers. Activities and sources are fixed; regions are numbered as they come, from any thread.
class Names {
 public:
  Names(std::vector<ActivityType> activities, std::vector<SourceName> sources);
  static constexpr std::uint16_t kUnknown = 0xFFFF;
  std::uint16_t find_activity(std::string_view id) const;
  std::uint16_t find_source(std::string_view id) const;
  /// Number of a region code; kUnknown when there are 65 535 of them already.
  std::uint16_t region(std::string_view code);
  const std::vector<ActivityType>& activities() const { return activities_; }
  const std::vector<SourceName>& sources() const { return sources_; }
  std::string_view region_name(std::uint16_t region) const;
  std::size_t region_count() const;
  /// What keys of a source's events are mixed with: from the source's id alone, so that it is the same in every run.
  std::uint64_t source_seed(std::uint16_t source) const { return source_seeds_[source]; }

 private:
  std::vector<ActivityType> activities_;
  std::vector<SourceName> sources_;
  std::vector<std::uint64_t> source_seeds_;
  std::unordered_map<std::string_view, std::uint16_t> activity_index_, source_index_;
  mutable std::shared_mutex regions_mutex_;
  std::deque<std::string> regions_;
  std::unordered_map<std::string_view, std::uint16_t> region_index_;
};

/// What the run gives to intake. Referenced objects outlive the source.
struct Context {
  Names* names = nullptr;
  const core::KeySecret* secret = nullptr;
  std::string zone = "Asia/Shanghai";                  // of times without one, unless the profile says otherwise
  std::string region = "000000";                       // of records without one
  std::function<bool(std::string_view)> region_known;  // unset: every code is taken; called from any thread
  std::size_t piece_bytes = kPieceBytes;
  bool digest = true;  // SHA-256 of the raw input on the way
};

/// Keys objects (meters, serial numbers, documents) are given: the same whoever sends them.
constexpr std::uint64_t kObjectSeed = 0x6F626A656374;

class RecordSource {
 public:
  virtual ~RecordSource() = default;
  /// Fills `batch` (what it held is lost) with the next records, in no particular order among threads; false at the end.
  /// After an error nothing that was given may be credited. Errors: those of InputReader, input.missing-column, input.duplicate-column,
  /// input.broken-json, input.broken-parquet.
  virtual core::Result<bool> next(RecordBatch& batch) = 0;
  virtual core::Digest digest() const = 0;  // of the raw inputs, complete after the end
  virtual std::uint64_t rows() const = 0;   // records given so far
  virtual std::uint64_t bytes_done() const = 0;
  virtual std::uint64_t bytes_total() const = 0;                    // 0 when unknown
  virtual InputReader::Place locate(std::uint32_t line) const = 0;  // of a record's `line`
};

/// Opens files, folders or "-" under a profile. The first file is looked at when the first records are asked for.
/// Errors: input.not-found, input.empty-folder, input.none, profile.unknown-activity, profile.unknown-source, profile.other-unit,
/// profile.station-table.
core::Result<std::unique_ptr<RecordSource>> open_source(const Profile& profile, const std::vector<std::string>& inputs,
                                                        const Context& context);

}  // namespace tanhui::activity
