#include "activity/foreign.h"

#include <fmt/format.h>

#include "core/text.h"

namespace tanhui::activity {

using core::JsonTree;

core::Error field_error(std::string_view id, std::string_view field, std::string message, std::string action) {
  return {core::ErrorCode::invalid_input,
          std::string(id),
          fmt::format("{}: {}", field, message),
          action.empty() ? "correct the field and send the element again" : std::move(action),
          {{"field", std::string(field)}}};
}

FieldReader::FieldReader(const JsonTree& object, std::string path, std::string_view format)
    : object_(&object), path_(std::move(path)), format_(format) {
  if (!object.is(JsonTree::Kind::object))
    throw BadField{Reason::bad_row, field_error(format_ + ".bad-field", path_.empty() ? "the document" : path_, "is not an object")};
}

std::string FieldReader::path(std::string_view name) const { return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name); }

void FieldReader::fail(std::string_view name, std::string message, std::string action, Reason reason) const {
  throw BadField{reason, field_error(format_ + ".bad-field", path(name), std::move(message), std::move(action))};
}

const JsonTree* FieldReader::find(std::string_view name) const {
  const JsonTree* found = object_->find(name);
  return found == nullptr || found->is(JsonTree::Kind::null) ? nullptr : found;
}

const JsonTree& FieldReader::value(std::string_view name, Reason missing) const {
  const JsonTree* found = find(name);
  if (found == nullptr) throw BadField{missing, field_error(format_ + ".missing-field", path(name), "is missing")};
  return *found;
}

std::string FieldReader::text(std::string_view name, std::size_t size_max, Reason reason) const {
  const JsonTree& found = value(name, reason);
  if (!found.is(JsonTree::Kind::text)) fail(name, "is not a text", "", reason);
  if (found.text.empty()) fail(name, "is empty", "", reason);
  if (found.text.size() > size_max) fail(name, fmt::format("has {} bytes; at most {} are taken", found.text.size(), size_max), "", reason);
  return found.text;
}

std::string FieldReader::text_or_empty(std::string_view name, std::size_t size_max) const {
  const JsonTree* found = find(name);
  if (found == nullptr || (found->is(JsonTree::Kind::text) && found->text.empty())) return {};
  return text(name, size_max);
}

bool FieldReader::truth_or_false(std::string_view name) const {
  const JsonTree* found = find(name);
  if (found == nullptr) return false;
  if (!found->is(JsonTree::Kind::boolean)) fail(name, "is neither true nor false");
  return found->truth;
}

std::int64_t FieldReader::number(std::string_view name, core::Factor factor, Reason reason) const {
  const JsonTree& found = value(name, reason == Reason::bad_number ? Reason::missing_quantity : reason);
  if (!found.is(JsonTree::Kind::number)) fail(name, "is not a number", "", reason);
  const auto decimal = core::parse_decimal(found.text);
  const auto scaled = decimal ? core::scale_to_whole(*decimal, factor) : std::nullopt;
  if (!scaled) fail(name, fmt::format("{} is out of range", found.text.substr(0, 40)), "", reason);
  return *scaled;
}

std::int64_t FieldReader::whole(std::string_view name, Reason reason) const {
  const std::int64_t count = number(name, {}, reason);
  // A number that is whole is the same a thousand times as large; beyond that range no count or time is meant.
  if (count > INT64_MAX / 1000 || count < INT64_MIN / 1000 || number(name, {1000, 1}, reason) != count * 1000)
    fail(name, fmt::format("{} is not a whole number", value(name).text.substr(0, 40)), "", reason);
  return count;
}

const JsonTree& FieldReader::list(std::string_view name) const {
  const JsonTree& found = value(name);
  if (!found.is(JsonTree::Kind::list)) fail(name, "is not a list");
  return found;
}

FieldReader FieldReader::object(std::string_view name) const { return {value(name), path(name), format_}; }

FieldReader FieldReader::element(const JsonTree& list, std::string_view name, std::size_t i) const {
  return {list.items[i], fmt::format("{}[{}]", path(name), i), format_};
}

std::string read_uuid(const FieldReader& fields, std::string_view name, Reason reason) {
  std::string uuid = fields.text(name, 36, reason);
  bool good = uuid.size() == 36;
  for (std::size_t i = 0; i < uuid.size() && good; ++i) {
    char& c = uuid[i];
    if (c >= 'A' && c <= 'F') c = char(c - 'A' + 'a');
    good = i == 8 || i == 13 || i == 18 || i == 23 ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  }
  if (!good) fields.fail(name, "is not a UUID", "write it as 8-4-4-4-12 hexadecimal digits", reason);
  return uuid;
}

core::Result<RecordMaker> RecordMaker::make(Names& names, const core::KeySecret& secret, const identity::Programme& programme,
                                            std::string_view source) {
  const std::uint16_t number = programme.find_source(source) == nullptr ? Names::kUnknown : names.find_source(source);
  if (number == Names::kUnknown)
    return core::Error{core::ErrorCode::not_found,
                       "source.unknown",
                       fmt::format("programme {} has no source '{}'", programme.id, source),
                       "name one of the programme's sources",
                       {{"programme", programme.id}, {"source", std::string(source)}}};
  return RecordMaker(names, secret, number, programme.region);
}

void RecordMaker::make_batch(const std::vector<ForeignRecord>& records, RecordBatch& batch) const {
  batch.clear();
  const std::uint16_t region = names_->region(region_);
  for (const ForeignRecord& record : records) {
    Reason reason = record.reason;
    const auto refuse = [&](bool wrong, Reason why) {
      if (reason == Reason::none && wrong) reason = why;
    };
    const std::uint16_t activity = names_->find_activity(record.activity);
    refuse(!record.person && record.subject.empty(), Reason::missing_person);
    refuse(record.event.empty(), Reason::missing_event);
    refuse(activity == Names::kUnknown, Reason::unknown_activity);
    refuse(record.start_ms == kMissing || !is_time(record.start_ms), Reason::bad_time);
    refuse(region == Names::kUnknown, Reason::unknown_region);
    batch.person.push_back(record.person ? *record.person : record.subject.empty() ? core::PersonKey{} : secret_->person(record.subject));
    batch.event.push_back(record.event.empty() ? 0 : core::event_key(names_->source_seed(source_), record.event));
    batch.object.push_back(record.object.empty() ? 0 : core::event_key(kObjectSeed, record.object));
    batch.start_ms.push_back(record.start_ms);
    batch.end_ms.push_back(record.end_ms);
    batch.activity.push_back(activity);
    batch.source.push_back(source_);
    batch.region.push_back(region);
    batch.evidence.push_back(record.evidence);
    batch.quantity.push_back(record.quantity);
    batch.line.push_back(record.element);
    batch.reason.push_back(reason);
    batch.reversal.push_back(record.reversal ? 1 : 0);
  }
}

}  // namespace tanhui::activity
