#include "activity/espi.h"

#include <fmt/format.h>
#include <pugixml.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <unordered_map>

#include "activity/fields.h"
#include "core/decimal.h"

namespace tanhui::activity {
namespace {

constexpr std::string_view kAtom = "http://www.w3.org/2005/Atom", kEspi = "http://naesb.org/espi";

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// The namespace a node's prefix stands for where it is.
std::string_view namespace_of(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  const std::string attribute = colon == std::string_view::npos ? "xmlns" : fmt::format("xmlns:{}", name.substr(0, colon));
  for (pugi::xml_node at = node; at; at = at.parent()) {
    if (const pugi::xml_attribute found = at.attribute(attribute.c_str())) return found.value();
  }
  return {};
}

pugi::xml_node child(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& one : node.children()) {
    if (one.type() == pugi::node_element && local_name(one) == name) return one;
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

std::string_view text_of(const pugi::xml_node& node, std::string_view name) { return trimmed(child(node, name).text().get()); }

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number) : std::nullopt;
}

// An address without scheme, host, query and the slash at its end: feeds mix absolute and relative ones.
std::string path_of(std::string_view href) {
  href = trimmed(href);
  if (const std::size_t scheme = href.find("://"); scheme != std::string_view::npos) {
    const std::size_t slash = href.find('/', scheme + 3);
    href = slash == std::string_view::npos ? std::string_view{} : href.substr(slash);
  }
  href = href.substr(0, href.find_first_of("?#"));
  while (href.ends_with('/')) href.remove_suffix(1);
  while (href.starts_with('/')) href.remove_prefix(1);
  return std::string(href);
}

struct Entry {
  std::string self, up, id;
  std::vector<std::string> related;
  pugi::xml_node resource;
  std::string_view kind;
};

Entry read_entry(const pugi::xml_node& node) {
  Entry entry;
  for (const pugi::xml_node& link : node.children()) {
    if (local_name(link) != "link") continue;
    const std::string_view rel = link.attribute("rel").value();
    std::string path = path_of(link.attribute("href").value());
    if (rel == "self") {
      entry.self = std::move(path);
    } else if (rel == "up") {
      entry.up = std::move(path);
    } else if (rel == "related") {
      entry.related.push_back(std::move(path));
    }
  }
  entry.id = text_of(node, "id");
  for (const pugi::xml_node& one : child(node, "content").children()) {
    if (one.type() != pugi::node_element || namespace_of(one) != kEspi) continue;
    entry.resource = one;
    entry.kind = local_name(one);
    break;
  }
  return entry;
}

// Where a resource's parent is: whose self, or whose related collection, is this one's up; or whose self begins this one's own.
class Parents {
 public:
  void add(const Entry& entry, std::size_t number) {
    if (!entry.self.empty()) by_path_.emplace(entry.self, number);
    for (const std::string& related : entry.related) by_related_.emplace(related, number);
  }
  std::optional<std::size_t> of(const Entry& entry) const {
    for (const auto* map : {&by_related_, &by_path_}) {
      if (const auto found = map->find(entry.up); found != map->end() && !entry.up.empty()) return found->second;
    }
    std::string_view path = entry.self;
    for (int steps = 0; steps < 3; ++steps) {
      const std::size_t slash = path.rfind('/');
      if (slash == std::string_view::npos) return std::nullopt;
      path = path.substr(0, slash);
      if (const auto found = by_path_.find(std::string(path)); found != by_path_.end()) return found->second;
    }
    return std::nullopt;
  }

 private:
  std::unordered_map<std::string, std::size_t> by_path_, by_related_;
};

struct ReadingType {
  bool cumulative = false;
  std::int64_t interval_s = 0;
  int ten_power = 0;
  core::Factor to_wh;
  std::string default_quality;
  Reason reason = Reason::none;
  std::string field, message;  // why readings of it are refused
};

ReadingType read_type(const pugi::xml_node& node) {
  ReadingType type;
  const auto refuse = [&](Reason reason, std::string_view field, std::string message) {
    if (type.reason != Reason::none) return;
    type.reason = reason;
    type.field = fmt::format("ReadingType.{}", field);
    type.message = std::move(message);
  };
  const auto code = [&](std::string_view name) -> std::int64_t {
    const std::string_view text = text_of(node, name);
    if (text.empty()) return 0;
    const auto number = whole(text);
    if (!number) refuse(Reason::bad_row, name, fmt::format("'{}' is not a whole number", text.substr(0, 40)));
    return number.value_or(-1);
  };
  switch (const std::int64_t commodity = code("commodity")) {
    case 0:
    case 1:
    case 2:
      break;
    default:
      refuse(Reason::unknown_activity, "commodity", fmt::format("{} is not electricity", commodity));
  }
  switch (const std::int64_t flow = code("flowDirection")) {
    case 0:
    case 1:
      break;
    default:
      refuse(Reason::unknown_activity, "flowDirection", fmt::format("{} is not what was delivered to the customer", flow));
  }
  switch (const std::int64_t kind = code("kind")) {
    case 0:
    case 12:
      break;
    default:
      refuse(Reason::unknown_activity, "kind", fmt::format("{} is not energy", kind));
  }
  switch (const std::int64_t qualifier = code("dataQualifier")) {
    case 0:
    case 12:
      break;
    default:
      refuse(Reason::unknown_activity, "dataQualifier", fmt::format("{} is no total of the interval", qualifier));
  }
  switch (const std::int64_t behaviour = code("accumulationBehaviour")) {
    case 0:
    case 4:
      break;
    case 1:
    case 3:
      type.cumulative = true;
      break;
    default:
      refuse(Reason::unknown_activity, "accumulationBehaviour",
             fmt::format("{} is neither an amount of an interval nor a register", behaviour));
  }
  switch (const std::int64_t unit = code("uom")) {
    case 72:
      break;
    case 31:
      type.to_wh = {1, 3600};
      break;
    default:
      refuse(Reason::other_unit, "uom", fmt::format("{} is neither Wh (72) nor J (31)", unit));
  }
  const std::int64_t power = code("powerOfTenMultiplier");
  if (power < -12 || power > 12) refuse(Reason::other_unit, "powerOfTenMultiplier", fmt::format("{} is not from -12 to 12", power));
  type.ten_power = int(std::clamp<std::int64_t>(power, -12, 12));
  type.interval_s = code("intervalLength");
  type.default_quality = text_of(node, "defaultQuality");
  return type;
}

// nullopt: no reading at all.
std::optional<Evidence> evidence_of(std::string_view quality) {
  if (quality.empty()) return Evidence::metered;
  switch (whole(quality).value_or(16)) {
    case 0:
    case 17:
    case 18:
    case 19:
      return Evidence::metered;
    case 10:
    case 12:
    case 15:
      return std::nullopt;
    default:
      return Evidence::inferred;
  }
}

core::Error feed_error(std::string_view id, std::string message, std::string action) {
  return {core::ErrorCode::invalid_input, std::string(id), std::move(message), std::move(action)};
}

class FeedReader {
 public:
  explicit FeedReader(const EspiRequest& request) : request_(request) {}

  core::Result<std::vector<ForeignRecord>> read(const pugi::xml_document& document) {
    const pugi::xml_node root = document.document_element();
    if (namespace_of(root) != kAtom || (local_name(root) != "feed" && local_name(root) != "entry"))
      return feed_error("espi.not-a-feed",
                        fmt::format("the document is '{}', not an Atom feed", std::string_view(root.name()).substr(0, 60)),
                        "send the feed as the custodian gives it");
    if (local_name(root) == "entry") entries_.push_back(read_entry(root));
    for (const pugi::xml_node& node : root.children()) {
      if (node.type() == pugi::node_element && local_name(node) == "entry") entries_.push_back(read_entry(node));
    }
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].kind == "UsagePoint") points_.add(entries_[i], i);
      if (entries_[i].kind == "MeterReading") meters_.add(entries_[i], i);
      if (entries_[i].kind == "ReadingType") types_.emplace(entries_[i].self, read_type(entries_[i].resource));
    }
    for (const Entry& entry : entries_) {
      if (entry.kind == "IntervalBlock") read_block(entry);
      if (records_.size() > kEspiReadingsMax)
        return feed_error("espi.too-many", fmt::format("the feed holds more than {} readings", kEspiReadingsMax), "send shorter periods");
    }
    if (records_.empty())
      return feed_error("espi.no-readings", fmt::format("none of the feed's {} entries has an IntervalReading", entries_.size()),
                        "ask the custodian for interval data");
    for (auto& [meter, registers] : registers_) subtract(registers);
    refuse_overlaps();
    return std::move(records_);
  }

 private:
  // A reading of a register, until the one before it is known.
  struct Register {
    std::size_t record;
    core::Millis at_ms;
    std::int64_t value;
    const ReadingType* type;
  };
  struct Where {
    std::size_t meter = 0;
    std::string point;  // empty: unknown
    const ReadingType* type = nullptr;
    std::string problem;
  };

  Where place(const Entry& block) {
    Where where;
    const auto meter = meters_.of(block);
    if (!meter) {
      where.problem = "its links lead to no MeterReading";
      return where;
    }
    where.meter = *meter;
    for (const std::string& related : entries_[*meter].related) {
      if (const auto found = types_.find(related); found != types_.end()) where.type = &found->second;
    }
    const auto point = points_.of(entries_[*meter]);
    if (where.type == nullptr) where.problem = "the MeterReading's links lead to no ReadingType";
    if (!point) {
      where.problem = "the MeterReading's links lead to no UsagePoint";
      return where;
    }
    const Entry& entry = entries_[*point];
    const std::string_view kind = text_of(child(entry.resource, "ServiceCategory"), "kind");
    if (!kind.empty() && kind != "0")
      where.problem = fmt::format("the UsagePoint's ServiceCategory {} is not electricity (0)", kind.substr(0, 20));
    where.point = entry.id.starts_with("urn:uuid:") && entry.id.size() == 45 ? entry.id.substr(9) : entry.self;
    for (char& c : where.point) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
    if (where.point.empty()) where.problem = "the UsagePoint has neither an id nor an address";
    return where;
  }

  void read_block(const Entry& block) {
    const Where where = place(block);
    const std::string subject = fmt::format("espi:{}/{}", request_.custodian, where.point);
    const auto claimed = where.point.empty() ? std::nullopt : request_.claims(subject);
    const pugi::xml_node interval = child(block.resource, "interval");
    std::int64_t count = 0, number = 0;
    for (const pugi::xml_node& reading : block.resource.children()) count += local_name(reading) == "IntervalReading";
    for (const pugi::xml_node& reading : block.resource.children()) {
      if (local_name(reading) != "IntervalReading" || records_.size() > kEspiReadingsMax) continue;
      ForeignRecord& record = records_.emplace_back();
      record.element = std::uint32_t(records_.size());
      record.activity = "meter-reading";
      record.person = claimed;
      read_reading(reading, interval, number++, count, where, record);
      if (record.reason == Reason::none && !record.person)
        refuse(record, Reason::missing_person, "UsagePoint", "nobody says whose meter it is",
               "claim the usage point, then send the feed again");
      if (!where.point.empty()) record.object = subject;
      if (where.type == nullptr || !where.type->cumulative) record.event = event_of(record);
    }
  }

  static std::string event_of(const ForeignRecord& record) {
    if (record.object.empty() || record.start_ms == kMissing || record.end_ms == kMissing) return {};
    return fmt::format("{}/{}/{}", record.object, record.start_ms / 1000, (record.end_ms - record.start_ms) / 1000);
  }

  static void refuse(ForeignRecord& record, Reason reason, std::string_view field, std::string message, std::string action = "") {
    if (record.reason != Reason::none) return;
    record.reason = reason;
    record.why = field_error("espi.bad-field", fmt::format("reading {}: {}", record.element, field), std::move(message), std::move(action));
  }

  void read_reading(const pugi::xml_node& reading, const pugi::xml_node& interval, std::int64_t number, std::int64_t count,
                    const Where& where, ForeignRecord& record) {
    if (!where.problem.empty()) refuse(record, Reason::missing_event, "IntervalBlock", where.problem);
    if (where.type != nullptr && where.type->reason != Reason::none)
      refuse(record, where.type->reason, where.type->field, where.type->message);
    read_period(reading, interval, number, count, where.type, record);
    Evidence worst = Evidence::metered;
    bool any = false;
    const auto judge = [&](std::string_view quality) {
      const auto evidence = evidence_of(quality);
      if (!evidence) refuse(record, Reason::bad_row, "ReadingQuality", fmt::format("quality {} is no reading", quality.substr(0, 20)));
      worst = std::max(worst, evidence.value_or(worst));
    };
    for (const pugi::xml_node& one : reading.children()) {
      if (local_name(one) != "ReadingQuality") continue;
      any = true;
      judge(text_of(one, "quality"));
    }
    if (!any && where.type != nullptr) judge(where.type->default_quality);
    record.evidence = worst;
    const std::string_view text = text_of(reading, "value");
    const auto value = whole(text);
    constexpr std::int64_t limit = std::int64_t{1} << 47;  // Int48
    if (text.empty()) return refuse(record, Reason::missing_quantity, "value", "is missing");
    if (!value || *value >= limit || *value < -limit)
      return refuse(record, Reason::bad_number, "value", fmt::format("'{}' is not a whole number of 48 bits", text.substr(0, 40)));
    if (record.reason != Reason::none) return;
    if (where.type->cumulative) {
      registers_[where.meter].push_back({records_.size() - 1, record.end_ms, *value, where.type});
    } else {
      set_amount(record, *value, *where.type);
    }
  }

  static void set_amount(ForeignRecord& record, std::int64_t value, const ReadingType& type) {
    if (value < 0) return refuse(record, Reason::quantity_too_small, "value", "is negative");
    const auto decimal = core::parse_decimal(fmt::format("{}e{}", value, type.ten_power));
    const auto amount = decimal ? core::scale_to_whole(*decimal, type.to_wh) : std::nullopt;
    if (!amount) return refuse(record, Reason::quantity_too_large, "value", "is out of range");
    record.quantity = *amount;
  }

  static void read_period(const pugi::xml_node& reading, const pugi::xml_node& interval, std::int64_t number, std::int64_t count,
                          const ReadingType* type, ForeignRecord& record) {
    const auto seconds = [&](const pugi::xml_node& node, std::string_view name, std::int64_t least, std::int64_t most) {
      const auto read = whole(text_of(node, name));
      return read && *read >= least && *read <= most ? read : std::nullopt;
    };
    constexpr std::int64_t year_9999 = 253'402'300'799, uint32_max = 0xFFFFFFFF;
    std::optional<std::int64_t> start, duration;
    if (const pugi::xml_node period = child(reading, "timePeriod")) {
      start = seconds(period, "start", 1, year_9999);
      duration = seconds(period, "duration", 0, uint32_max);
    } else if (type != nullptr && type->interval_s > 0) {
      start = seconds(interval, "start", 1, year_9999);
      const auto whole_block = seconds(interval, "duration", 0, uint32_max);
      if (start && whole_block == type->interval_s * count) {
        duration = type->interval_s;
        start = *start + number * type->interval_s;
      }
    }
    if (!start || !duration || *start + *duration > year_9999 || (*duration == 0 && type != nullptr && !type->cumulative))
      return refuse(record, Reason::bad_time, "timePeriod", "neither it nor the block's interval says when the reading begins and ends");
    record.start_ms = *start * 1000;
    record.end_ms = (*start + *duration) * 1000;
  }

  // Registers to what was used between two readings of it.
  void subtract(std::vector<Register>& registers) {
    std::stable_sort(registers.begin(), registers.end(), [](const Register& a, const Register& b) { return a.at_ms < b.at_ms; });
    for (std::size_t i = 0; i < registers.size(); ++i) {
      ForeignRecord& record = records_[registers[i].record];
      const auto give_up = [&](Reason reason, std::string message) {
        record.end_ms = registers[i].at_ms;
        record.event = event_of(record);
        refuse(record, reason, "value", std::move(message));
      };
      if (i == 0) {
        give_up(Reason::missing_quantity, "the first reading of a register: nothing to subtract from it");
        continue;
      }
      const Register& before = registers[i - 1];
      if (registers[i].at_ms == before.at_ms) {
        give_up(Reason::bad_time, "the register was read at that time already");
        continue;
      }
      record.start_ms = before.at_ms;
      record.end_ms = registers[i].at_ms;
      record.event = event_of(record);
      if (registers[i].value < before.value) {
        refuse(record, Reason::quantity_too_small, "value", "is less than the reading before: the register rolled over or was replaced");
      } else {
        set_amount(record, registers[i].value - before.value, *registers[i].type);
      }
    }
  }

  void refuse_overlaps() {
    std::map<std::string_view, std::vector<std::size_t>> by_point;
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (records_[i].reason == Reason::none) by_point[records_[i].object].push_back(i);
    }
    for (auto& [point, readings] : by_point) {
      // Of readings that overlap, the one that stands first in the feed stays; the same interval again is the same event.
      std::map<core::Millis, std::pair<core::Millis, std::string_view>> kept;  // start -> end, event
      for (const std::size_t i : readings) {
        ForeignRecord& record = records_[i];
        auto after = kept.lower_bound(record.start_ms);
        const bool next = after != kept.end() && after->first < record.end_ms && after->second.second != record.event;
        const bool previous = after != kept.begin() && std::prev(after)->second.first > record.start_ms;
        if (next || previous) {
          refuse(record, Reason::overlap, "timePeriod", "another reading of the feed covers a part of that time");
        } else {
          kept.emplace(record.start_ms, std::pair(record.end_ms, std::string_view(record.event)));
        }
      }
    }
  }

  const EspiRequest& request_;
  std::vector<Entry> entries_;
  Parents points_, meters_;
  std::unordered_map<std::string, ReadingType> types_;
  std::unordered_map<std::size_t, std::vector<Register>> registers_;  // by MeterReading
  std::vector<ForeignRecord> records_;
};

}  // namespace

core::Result<std::vector<ForeignRecord>> read_espi(std::string_view body, const EspiRequest& request) {
  if (body.size() > kEspiBytesMax)
    return feed_error("espi.too-large", fmt::format("the feed has {} bytes; at most {} are taken", body.size(), kEspiBytesMax),
                      "send shorter periods");
  if (std::size_t(std::count(body.begin(), body.end(), '<')) > kEspiTagsMax)
    return feed_error("espi.too-large", fmt::format("the feed has more than {} tags", kEspiTagsMax), "send shorter periods");
  pugi::xml_document document;
  // The document type is parsed only to be refused; pugixml itself reads none and knows no entities but XML's five.
  const pugi::xml_parse_result parsed = document.load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_doctype);
  if (!parsed)
    return feed_error("espi.broken", fmt::format("no XML at byte {}: {}", parsed.offset, parsed.description()),
                      "send the feed as the custodian gives it");
  for (const pugi::xml_node& node : document.children()) {
    if (node.type() == pugi::node_doctype)
      return feed_error("espi.doctype", "the document has a document type declaration", "leave it out; a feed needs none");
  }
  return FeedReader(request).read(document);
}

}  // namespace tanhui::activity
