// libFuzzer: any bytes as one field: a time in every format, a number with every mark and unit. What is read as a time is printed and read
// as the same; short cuts read what the long way reads.
#include <cstring>

#include "activity/fields.h"
#include "core/invariant.h"

using namespace tanhui::activity;
using tanhui::core::invariant;
namespace core = tanhui::core;

namespace {

const std::vector<TimeReader>& readers() {
  static const std::vector<TimeReader> all = [] {
    std::vector<TimeReader> made;
    for (const std::vector<std::string>& formats : {std::vector<std::string>{"rfc3339"},
                                                    {"epoch-s"},
                                                    {"epoch-ms"},
                                                    {"http-date"},
                                                    {"%d/%m/%Y %H:%M"},
                                                    {"%b %e, %y %I:%M:%S%f %p"},
                                                    {"%a %Y%m%d%z"}})
      for (const char* zone : {"Asia/Shanghai", "America/New_York", "UTC"}) made.push_back(*TimeReader::make(formats, zone));
    return made;
  }();
  return all;
}

void check_times(std::string_view text) {
  static const TimeReader rfc3339 = *TimeReader::make({"rfc3339"}, "UTC");
  static const TimeReader http_date = *TimeReader::make({"http-date"}, "UTC");
  static const TimeReader slow = *TimeReader::make({"http-date", "rfc3339"}, "UTC");  // without the short cuts, which need rfc3339 first
  for (const TimeReader& reader : readers()) {
    const core::Millis instant = reader.read(text);
    if (instant == kMissing) continue;
    invariant(is_time(instant), "a time is one of the years 0 to 9999");
    const bool four_digits = instant >= kTimeLeast + core::kMillisPerDay && instant < kTimeLimit - core::kMillisPerDay;
    invariant(!four_digits || rfc3339.read(core::to_text_utc(instant)) == instant, "a time that was printed is read as the same");
  }
  if (http_date.read(text) == kMissing) invariant(rfc3339.read(text) == slow.read(text), "short cuts read what the long way reads");
}

void check_numbers(std::string_view text) {
  std::string padded(text);
  padded.append(16, '\0');
  const std::int64_t small = read_small_whole(padded.data(), text.size());
  const auto plain = read_number(text, {}, {1, 1});
  if (small >= 0) invariant(plain == small, "the quick way reads the same number");
  for (const NumberFormat format : {NumberFormat{'.', ','}, NumberFormat{',', '.'}, NumberFormat{'.', ' '}})
    for (const core::Factor factor : {core::Factor{1, 1}, core::Factor{1000, 1}, core::Factor{1609344, 1000}, core::Factor{INT64_MAX, 1}})
      (void)read_number(text, format, factor);
  if (const auto unit = find_unit(text))
    invariant(is_base_unit(unit->base) && unit->factor.numerator > 0 && unit->factor.denominator > 0, "a unit is some of a base unit");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 256) return 0;  // no field of a time or a number is longer
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_times(text);
  check_numbers(text);
  return 0;
}
