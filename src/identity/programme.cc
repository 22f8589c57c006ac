#include "identity/programme.h"

#include <fmt/format.h>

#include <fstream>
#include <numeric>
#include <sstream>

#include "identity/yaml_fields.h"

namespace tanhui::identity {
namespace {

constexpr std::string_view kInvalid = "programme.invalid";
constexpr std::size_t kIdBytesMax = 60, kDepthMax = 16;
constexpr std::int64_t kDailyCapMax = 1'000'000'000, kExpiryDaysMax = 36'500, kActsMax = 100'000, kOpenDaysMax = 31;
constexpr std::size_t kLogoBytesMax = 500;

void check_id(const Fields& fields, std::string_view field, const std::string& id) {
  if (!id.empty() && !is_id(id))
    fields.problem(field, fmt::format("is '{}'", id), fmt::format("an id is 1 to {} of a-z, 0-9, - and .", kIdBytesMax));
}

Text read_text(Problems& problems, const Fields& parent, std::string_view field) {
  const Fields fields(problems, parent.node(field), parent.path(field), {"en", "zh"});
  return {fields.text("en"), fields.text("zh")};
}

core::Day read_day(const Fields& fields, std::string_view field) {
  const auto day = core::parse_day(fields.text(field));
  if (!day && fields.has(field))
    fields.problem(field, fmt::format("is '{}'", fields.text(field)), "write a calendar day, for example 2020-01-01");
  return day.value_or(core::Day{});
}

/// "10 min": a whole number and one of s, min, h, days.
core::Millis read_duration(const Fields& fields, std::string_view field) {
  const std::string text = fields.text(field);
  const std::pair<std::string_view, core::Millis> units[] = {
      {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"days", core::kMillisPerDay}};
  std::istringstream words(text);
  std::int64_t count = -1;
  std::string unit, rest;
  words >> count >> unit;
  for (const auto& [name, millis] : units)
    if (unit == name && count >= 0 && count <= 366 && !(words >> rest)) return count * millis;
  if (fields.has(field))
    fields.problem(field, fmt::format("is '{}'", text), "write a number up to 366 and one of s, min, h, days, for example 10 min");
  return 0;
}

MethodologyChoice read_methodologies(Problems& problems, const Fields& programme) {
  const Fields fields(problems, programme.node("methodologies"), "methodologies", {"statuses"}, {"illustrative", "only", "off"});
  MethodologyChoice choice{fields.texts("statuses"), fields.texts("illustrative"), fields.texts("only"), fields.texts("off")};
  for (const std::string& status : choice.statuses) {
    if (status == "illustrative")
      fields.problem("statuses", "switches every illustrative methodology on",
                     "name those that are meant under methodologies.illustrative");
    else if (status != "official" && status != "reported-by-platform" && status != "derived")
      fields.problem("statuses", fmt::format("names '{}'", status), "the statuses are official, reported-by-platform, derived");
  }
  return choice;
}

std::vector<Source> read_sources(Problems& problems, const Fields& programme) {
  std::vector<Source> sources;
  const YAML::Node node = programme.node("sources");
  if (!node.IsDefined()) return sources;
  if (!node.IsMap() || node.size() == 0) {
    programme.problem("sources", "names no source", "write at least one: id: {name: {en: ..., zh: ...}, priority: 1, evidence: metered}");
    return sources;
  }
  for (const auto& entry : node) {
    const std::string id = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (!is_id(id)) problems.add(entry.first.Mark(), fmt::format("the source '{}' has no usable id", id), "an id is of a-z, 0-9, - and .");
    const Fields fields(problems, entry.second, "sources." + id, {"name", "priority", "evidence"});
    sources.push_back({id, read_text(problems, fields, "name"), std::uint8_t(fields.whole("priority", 0, Source::kPriorityMax)),
                       fields.one_of("evidence", {"metered", "inferred", "declared"})});
  }
  std::sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) { return a.id < b.id; });
  for (std::size_t i = 1; i < sources.size(); ++i)
    if (sources[i].id == sources[i - 1].id)
      programme.problem("sources", fmt::format("names '{}' twice", sources[i].id), "keep one of them");
  return sources;
}

PointRule read_points(Problems& problems, const Fields& programme) {
  const Fields fields(problems, programme.node("points"), "points", {"per_kilogram", "daily_cap", "expires_after_days"});
  PointRule rule;
  rule.daily_cap = fields.whole("daily_cap", 0, kDailyCapMax);
  rule.expires_after_days = fields.whole("expires_after_days", 0, kExpiryDaysMax);
  const auto rate = core::parse_decimal(fields.text("per_kilogram"));
  constexpr int kScaleMax = 9;
  constexpr std::int64_t kRateMax = 1'000'000'000'000;  // digits; milligrams times them stay inside 128 bits with room
  if (!rate || rate->digits < 0 || rate->digits > kRateMax || rate->scale < 0 || rate->scale > kScaleMax) {
    if (fields.has("per_kilogram"))
      fields.problem("per_kilogram", fmt::format("is '{}'", fields.text("per_kilogram")),
                     "write a decimal that is not negative, for example 10 or 0.5");
    return rule;
  }
  std::int64_t denominator = 1'000'000;  // milligrams in a kilogram
  for (int i = 0; i < rate->scale; ++i) denominator *= 10;
  const std::int64_t common = std::gcd(rate->digits, denominator);
  rule.per_milligram = {rate->digits / common, denominator / common};
  return rule;
}

std::optional<Trial> read_trial(Problems& problems, const Fields& programme) {
  if (!programme.has("trial")) return std::nullopt;
  const Fields fields(problems, programme.node("trial"), "trial", {"as_region", "as_day", "warning"}, {"elsewhere"});
  Trial trial{fields.text("as_region"), {}, read_day(fields, "as_day"), read_text(problems, fields, "warning")};
  const YAML::Node elsewhere = fields.node("elsewhere");
  if (!elsewhere.IsDefined()) return trial;
  if (!elsewhere.IsMap()) {
    fields.problem("elsewhere", "is not a mapping", "write activity: region, for example {home-electricity: \"310000\"}");
    return trial;
  }
  for (const auto& entry : elsewhere) {
    const bool texts = entry.first.IsScalar() && entry.second.IsScalar() && !entry.second.Scalar().empty();
    if (!texts || !trial.elsewhere.emplace(entry.first.Scalar(), entry.second.Scalar()).second)
      problems.add(entry.first.Mark(), "an entry of 'trial.elsewhere' is not one activity and one region, each activity once",
                   "write activity: region");
  }
  return trial;
}

/// "2.5" kilograms as milligrams.
std::optional<std::int64_t> read_kilograms(const Fields& fields, std::string_view field) {
  if (!fields.has(field)) return std::nullopt;
  const auto kilograms = core::parse_decimal(fields.text(field));
  const auto milligrams = kilograms && kilograms->scale <= 6 ? core::scale_to_whole(*kilograms, {1'000'000, 1}) : std::nullopt;
  if (milligrams && *milligrams >= 0) return milligrams;
  fields.problem(field, fmt::format("is '{}'", fields.text(field)), "write kilograms with at most six decimals, for example 2.5");
  return std::nullopt;
}

std::map<std::string, ActivityCap> read_caps(Problems& problems, const Fields& programme) {
  std::map<std::string, ActivityCap> caps;
  if (!programme.has("caps")) return caps;
  const YAML::Node node = programme.node("caps");
  if (!node.IsMap()) {
    programme.problem("caps", "is not a mapping", "write activity: {acts_per_day: 4, kilograms_per_day: 2.5}, one of both at least");
    return caps;
  }
  for (const auto& entry : node) {
    const std::string activity = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const Fields fields(problems, entry.second, "caps." + activity, {}, {"acts_per_day", "kilograms_per_day"});
    ActivityCap cap;
    if (fields.has("acts_per_day")) cap.acts = fields.whole("acts_per_day", 0, kActsMax);
    cap.milligrams = read_kilograms(fields, "kilograms_per_day");
    if (!is_id(activity) || (!fields.has("acts_per_day") && !fields.has("kilograms_per_day")) || !caps.emplace(activity, cap).second)
      problems.add(entry.first.Mark(), "an entry of 'caps' is not one activity and its limits, each activity once",
                   "write activity: {acts_per_day: 4, kilograms_per_day: 2.5}, one of both at least");
  }
  return caps;
}

Brand read_brand(Problems& problems, const Fields& programme) {
  Brand brand;
  if (!programme.has("brand")) return brand;
  const Fields fields(problems, programme.node("brand"), "brand", {}, {"colour", "logo", "slogan"});
  brand.colour = fields.text("colour");
  const auto is_colour = [](std::string_view text) {
    return text.size() == 7 && text.front() == '#' && text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string_view::npos;
  };
  if (!brand.colour.empty() && !is_colour(brand.colour))
    fields.problem("colour", fmt::format("is '{}'", brand.colour), "write # and six hexadecimal digits in quotes, for example \"#00A86B\"");
  brand.logo = fields.text("logo");
  // An address that a page puts into an attribute: printable ASCII, nothing that ends the attribute.
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\'' && c != '<' && c != '>'; };
  if (!brand.logo.empty() && (!brand.logo.starts_with("https://") || brand.logo.size() > kLogoBytesMax ||
                              !std::all_of(brand.logo.begin(), brand.logo.end(), is_plain)))
    fields.problem("logo", fmt::format("is '{}'", brand.logo), fmt::format("write an https address of at most {} bytes", kLogoBytesMax));
  if (fields.has("slogan")) brand.slogan = read_text(problems, fields, "slogan");
  return brand;
}

std::vector<std::string> read_languages(const Fields& programme, std::vector<std::string> otherwise) {
  if (!programme.has("languages")) return otherwise;
  std::vector<std::string> languages = programme.texts("languages");
  if (languages.empty())
    programme.problem("languages", "is empty", "list zh, en or both, the first one is what people get unless they choose");
  for (const std::string& language : languages)
    if (language != "zh" && language != "en")
      programme.problem("languages", fmt::format("has '{}'", language), "the languages are zh and en");
  return languages;
}

Programme read_fields(Problems& problems, const YAML::Node& root) {
  const Fields fields(problems, root, "",
                      {"id", "name", "region", "time_zone", "currency", "methodologies", "sources", "points", "clock", "consent"},
                      {"parent", "trial", "caps", "window", "brand", "languages"});
  Programme programme;
  programme.id = fields.text("id");
  check_id(fields, "id", programme.id);
  programme.name = read_text(problems, fields, "name");
  programme.region = fields.text("region");
  programme.time_zone = fields.text("time_zone");
  if (fields.has("time_zone") && !core::Zone::find(programme.time_zone))
    fields.problem("time_zone", fmt::format("is '{}'", programme.time_zone),
                   "write a name of the IANA time zone database, for example Asia/Shanghai");
  programme.currency = fields.text("currency");
  if (fields.has("currency") && (programme.currency.size() != 3 || !std::all_of(programme.currency.begin(), programme.currency.end(),
                                                                                [](char c) { return c >= 'A' && c <= 'Z'; })))
    fields.problem("currency", fmt::format("is '{}'", programme.currency), "write an ISO 4217 code, for example CNY");
  if (fields.has("parent")) {
    programme.parent = fields.text("parent");
    check_id(fields, "parent", *programme.parent);
  }
  programme.methodologies = read_methodologies(problems, fields);
  programme.sources = read_sources(problems, fields);
  programme.points = read_points(problems, fields);
  const Fields clock(problems, fields.node("clock"), "clock", {"earliest_day", "future_tolerance"});
  programme.earliest_day = read_day(clock, "earliest_day");
  programme.future_tolerance_ms = read_duration(clock, "future_tolerance");
  programme.consent_required = Fields(problems, fields.node("consent"), "consent", {"required"}).boolean("required");
  programme.trial = read_trial(problems, fields);
  programme.caps = read_caps(problems, fields);
  if (fields.has("window"))
    programme.open_days = Fields(problems, fields.node("window"), "window", {"open_days"}).whole("open_days", 0, kOpenDaysMax);
  programme.brand = read_brand(problems, fields);
  programme.languages = read_languages(fields, std::move(programme.languages));
  return programme;
}

std::vector<std::string> ids_in(const std::filesystem::path& folder) {
  std::vector<std::string> ids;
  std::error_code ignored;  // a folder that cannot be listed has no programmes
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".yaml") ids.push_back(entry.path().stem().string());
  std::sort(ids.begin(), ids.end());
  return ids;
}

core::Error broken_parent(const Programme& programme, std::string_view why) {
  return {core::ErrorCode::invalid_input,
          "programme.parent",
          fmt::format("the programme '{}' {}", programme.id, why),
          "name a programme of the same folder above it, or leave parent out",
          {{"programme", programme.id}}};
}

}  // namespace

bool is_id(std::string_view id) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return !id.empty() && id.size() <= kIdBytesMax && id.front() != '.' && id.front() != '-' && std::all_of(id.begin(), id.end(), fits);
}

const Source* Programme::find_source(std::string_view source) const {
  const auto found =
      std::lower_bound(sources.begin(), sources.end(), source, [](const Source& a, std::string_view wanted) { return a.id < wanted; });
  return found != sources.end() && found->id == source ? &*found : nullptr;
}

core::Result<Programme> parse_programme(std::string_view yaml, std::string_view file_name) {
  Problems problems{std::string(file_name), yaml, std::string(kInvalid)};
  YAML::Node root;
  try {
    root = YAML::Load(std::string(yaml));
  } catch (const YAML::Exception& error) {
    problems.add(error.mark, error.msg, "mend the YAML there");
    return *problems.first();
  }
  Programme programme = read_fields(problems, root);
  if (problems.first()) return *problems.first();
  programme.digest = core::sha256(yaml);
  return programme;
}

core::Result<Programme> read_programme(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return core::Error{core::ErrorCode::not_found,
                       "programme.not-found",
                       fmt::format("the programme file '{}' cannot be read", file.string()),
                       "check the path",
                       {{"file", file.string()}}};
  std::ostringstream text;
  text << in.rdbuf();
  auto programme = parse_programme(text.str(), file.string());
  if (programme && programme->id != file.stem().string())
    return core::Error{core::ErrorCode::invalid_input,
                       std::string(kInvalid),
                       fmt::format("{}: the id is '{}' but the file is named '{}'", file.string(), programme->id, file.filename().string()),
                       "give both the same name",
                       {{"file", file.string()}}};
  return programme;
}

core::Result<Programme> find_programme(const std::filesystem::path& folder, std::string_view id) {
  const auto file = folder / fmt::format("{}.yaml", id);
  if (is_id(id) && std::filesystem::is_regular_file(file)) return read_programme(file);
  const std::vector<std::string> ids = ids_in(folder);
  return core::Error{core::ErrorCode::not_found,
                     "programme.not-found",
                     fmt::format("there is no programme '{}' in '{}'", id, folder.string()),
                     ids.empty() ? "put a file <id>.yaml there" : "the programmes are " + join(ids),
                     {{"programme", std::string(id)}}};
}

core::Result<std::vector<Programme>> read_programmes(const std::filesystem::path& folder) {
  std::vector<Programme> waiting, ordered;
  for (const std::string& id : ids_in(folder)) {
    auto programme = read_programme(folder / (id + ".yaml"));
    if (!programme) return programme.error();
    waiting.push_back(*std::move(programme));
  }
  for (const Programme& programme : waiting) {
    const auto is_parent = [&](const Programme& other) { return other.id == programme.parent; };
    if (programme.parent && std::none_of(waiting.begin(), waiting.end(), is_parent))
      return broken_parent(programme, fmt::format("has the parent '{}', which is not there", *programme.parent));
  }
  for (std::size_t depth = 0; depth < kDepthMax && !waiting.empty(); ++depth) {  // one level of the tree at a time
    const auto is_placed = [&, placed = ordered](const Programme& programme) {
      return !programme.parent ||
             std::any_of(placed.begin(), placed.end(), [&](const Programme& other) { return other.id == programme.parent; });
    };
    for (const Programme& programme : waiting)
      if (is_placed(programme)) ordered.push_back(programme);
    std::erase_if(waiting, is_placed);
  }
  if (!waiting.empty()) return broken_parent(waiting.front(), "is its own ancestor, or more than 16 levels deep");
  return ordered;
}

}  // namespace tanhui::identity
