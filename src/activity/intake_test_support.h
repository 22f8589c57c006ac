// activity/intake_test_support.h: what intake's tests share: a small run's words, a folder that goes away, records one can compare.
#pragma once
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "activity/intake.h"

namespace tanhui::activity::test {

/// The first activities and sources are what most tests use.
inline Names names() {
  return Names({{"bike-ride", {{"distance", "m"}}},
                {"walk", {{"steps", "1"}, {"distance", "m"}}},
                {"ev-charge", {{"energy", "Wh"}}},
                {"bus-ride", {{"boardings", "1"}, {"distance", "m"}}},
                {"tap-in", {{"distance", "m"}}},
                {"tap-out", {{"distance", "m"}}},
                {"meter-reading", {{"saved_energy", "Wh"}}},
                {"recycle-paper", {{"mass", "g"}}},
                {"recycle-glass", {{"mass", "g"}}}},
               {{"app", Evidence::declared}, {"gate", Evidence::metered}});
}

inline const core::KeySecret& secret() {
  static const core::KeySecret key([] {
    static std::array<std::uint8_t, core::KeySecret::kBytes> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::uint8_t(7 * i + 1);
    return std::span<const std::uint8_t, core::KeySecret::kBytes>(bytes);
  }());
  return key;
}

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / fmt::format("tanhui-intake-{}-{}", ::getpid(), next_++)) {
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }

 private:
  static inline int next_ = 0;
  std::filesystem::path path_;
};

/// All records of a source, one text each, in order of line: "2 bike-ride app 420100 2024-09-02T08:15:00.000Z 1200000 5000 declared" with
/// line, activity, source, region, start, milliseconds to the end, quantity and evidence; or "2 bad-time".
struct Read {
  std::vector<std::string> records;
  std::vector<core::PersonKey> people;  // of credited records, in the same order
  std::vector<std::uint64_t> events, objects;
  std::array<std::vector<std::int64_t>, kExtraQuantities> extras;
  std::string error;  // its id, with what was read before it
  core::Digest digest{};
  std::uint64_t rows = 0;
};

inline std::string shown(const RecordBatch& batch, std::size_t i, const Names& names) {
  if (batch.reason[i] != Reason::none) return fmt::format("{} {}", batch.line[i], name(batch.reason[i]));
  const auto number = [](std::int64_t value) { return value == kMissing ? std::string("-") : std::to_string(value); };
  return fmt::format("{} {} {} {} {} {} {} {}{}", batch.line[i], names.activities()[batch.activity[i]].id,
                     names.sources()[batch.source[i]].id, names.region_name(batch.region[i]), core::to_text_utc(batch.start_ms[i]),
                     batch.end_ms[i] == kMissing ? std::string("-") : std::to_string(batch.end_ms[i] - batch.start_ms[i]),
                     number(batch.quantity[i]), name(batch.evidence[i]),
                     !batch.reversal.empty() && batch.reversal[i] != 0 ? " reversal" : "");
}

inline Read read_all(const Profile& profile, const std::vector<std::string>& inputs, std::size_t piece_bytes = kPieceBytes) {
  Read read;
  Names words = names();
  Context context;
  context.names = &words;
  context.secret = &secret();
  context.region = "420100";
  context.region_known = [](std::string_view code) { return code.size() == 6; };
  context.piece_bytes = piece_bytes;
  auto source = open_source(profile, inputs, context);
  if (!source) {
    read.error = source.error().id;
    return read;
  }
  RecordBatch batch;
  while (true) {
    const auto more = (*source)->next(batch);
    if (!more) {
      read.error = more.error().id;
      break;
    }
    if (!*more) break;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      read.records.push_back(shown(batch, i, words));
      if (batch.reason[i] != Reason::none) continue;
      read.people.push_back(batch.person[i]);
      read.events.push_back(batch.event[i]);
      if (!batch.object.empty()) read.objects.push_back(batch.object[i]);
      for (std::size_t k = 0; k < kExtraQuantities; ++k) {
        if (!batch.extra[k].empty()) read.extras[k].push_back(batch.extra[k][i]);
      }
    }
  }
  if (read.error.empty()) read.digest = (*source)->digest();
  read.rows = (*source)->rows();
  return read;
}

/// Records of one text under a profile text, or the error's id.
inline Read read_text(std::string_view profile_yaml, std::string_view text, const std::string& file_name = "data.csv",
                      std::size_t piece_bytes = kPieceBytes) {
  const auto profile = profile_yaml.empty() ? core::Result<Profile>(native_profile()) : parse_profile(profile_yaml, "test.yaml");
  if (!profile) {
    Read read;
    read.error = profile.error().id + " " + profile.error().message;
    return read;
  }
  const Folder folder;
  return read_all(*profile, {folder.write(file_name, text)}, piece_bytes);
}

}  // namespace tanhui::activity::test
