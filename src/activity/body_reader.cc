#include "activity/body_reader.h"

#include <fmt/format.h>

#include <cstring>

#include "activity/intake_plan.h"
#include "activity/intake_records.h"
#include "activity/json_reader.h"

namespace tanhui::activity {
namespace {

core::Error body_error(std::string id, std::string message, std::string action) {
  return {core::ErrorCode::invalid_input, std::move(id), std::move(message), std::move(action)};
}

class ProfiledBody final : public BodyReader {
 public:
  ProfiledBody(Names& names, const core::KeySecret& secret, const identity::Programme& programme, const methodology::Library& library,
               std::shared_ptr<const Profile> profile)
      : profile_(std::move(profile)) {
    context_.names = &names;
    context_.secret = &secret;
    context_.zone = programme.time_zone;
    context_.region = programme.region;
    context_.region_known = [&library](std::string_view code) { return library.find_region(code) != nullptr || code.size() >= 2; };
  }
  core::Status bind_names() {
    if (auto status = check_against(*profile_, *context_.names); !status) return status;
    auto stations = load_stations(*profile_);
    if (!stations) return stations.error();
    auto plan = activity::bind(profile_, *context_.names, *std::move(stations), nullptr, "the body");
    if (!plan) return plan.error();
    layout_ = std::make_shared<const JsonLayout>(*plan);
    builder_ = std::make_unique<RecordBuilder>(*std::move(plan), context_);
    return core::Done{};
  }

  core::Status read(std::string_view body, RecordBatch& records) override {
    if (auto status = cut(body); !status) return status;
    rows_.read(piece_, table_);
    if (table_.rows == 0) return body_error("body.empty", "the body holds no record", "send one object a line, or a list of objects");
    if (table_.rows > kBodyRecordsMax) return too_many(table_.rows);
    builder_->build(table_, 1, records);
    return core::Done{};
  }

 private:
  static core::Error too_many(std::size_t records) {
    return body_error("body.too-many-records",
                      fmt::format("the body holds {} records; at most {} are taken at once", records, kBodyRecordsMax),
                      "send them in several requests, or as a file to /imports");
  }

  // A body as one piece of an input.
  core::Status cut(std::string_view body) {
    if (piece_.capacity < body.size() + Table::kSlack) {
      piece_.capacity = 2 * body.size() + Table::kSlack;
      piece_.bytes = std::make_unique_for_overwrite<char[]>(piece_.capacity);
    }
    std::memcpy(piece_.bytes.get(), body.data(), body.size());
    std::memset(piece_.bytes.get() + body.size(), 0, Table::kSlack);
    piece_.size = body.size();
    piece_.parts.clear();
    piece_.refused.clear();
    piece_.layout = layout_;
    const std::size_t first = body.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos)
      return body_error("body.empty", "the body is empty", "send one object a line, or a list of objects");
    if (profile_->records.empty() && body[first] == '{') {
      piece_.format = InputFormat::ndjson;
      // One object may be written over several lines; then its lines are no objects by themselves.
      const std::size_t line_end = std::min(body.find('\n', first), body.size());
      const std::size_t last = body.find_last_not_of(" \t\r\n");
      JsonValueEnd end;
      const std::size_t size = end.feed(body.substr(first, last + 1 - first));
      if (first + size == last + 1 && end.done && line_end < last) {
        piece_.format = InputFormat::json;
        piece_.parts.emplace_back(std::uint32_t(first), std::uint32_t(size));
      }
      return core::Done{};
    }
    piece_.format = InputFormat::json;
    JsonListCutter cutter(layout_, "the body", profile_->records);
    auto start = cutter.begin(body, true);
    if (!start) return broken(start.error());
    Piece parts;
    auto cut = cutter.cut(body.substr(start->bytes), true, parts);
    if (!cut) return broken(cut.error());
    for (const auto& [begin, size] : parts.parts) piece_.parts.emplace_back(std::uint32_t(begin + start->bytes), size);
    if (piece_.parts.size() > kBodyRecordsMax) return too_many(piece_.parts.size());
    return core::Done{};
  }
  static core::Error broken(const core::Error& why) {
    return body_error("body.broken-json", why.message, "send one object a line, or a list of objects");
  }

  std::shared_ptr<const Profile> profile_;
  Context context_;
  std::shared_ptr<const JsonLayout> layout_;
  std::unique_ptr<RecordBuilder> builder_;
  JsonRows rows_;
  Table table_;
  Piece piece_;
};

}  // namespace

core::Result<std::unique_ptr<BodyReader>> BodyReader::make(Names& names, const core::KeySecret& secret,
                                                           const identity::Programme& programme, const methodology::Library& library,
                                                           std::string_view source) {
  return make(names, secret, programme, library, source, native_profile());
}

core::Result<std::unique_ptr<BodyReader>> BodyReader::make(Names& names, const core::KeySecret& secret,
                                                           const identity::Programme& programme, const methodology::Library& library,
                                                           std::string_view source, const Profile& profile) {
  if (programme.find_source(source) == nullptr)
    return core::Error{core::ErrorCode::not_found,
                       "source.unknown",
                       fmt::format("programme {} has no source '{}'", programme.id, source),
                       "name one of the programme's sources",
                       {{"programme", programme.id}, {"source", std::string(source)}}};
  auto own = std::make_shared<Profile>(profile);
  own->source = {};
  own->source.constant = std::string(source);
  auto body = std::make_unique<ProfiledBody>(names, secret, programme, library, std::move(own));
  if (auto status = body->bind_names(); !status) return status.error();
  return std::unique_ptr<BodyReader>(std::move(body));
}

}  // namespace tanhui::activity
