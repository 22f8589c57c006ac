// libFuzzer: any bytes as JSON, objects line by line and a list, under a profile that looks deep into them: records do not depend on where
// the pieces end, and rows in are rows out.
#include "activity/intake_test_support.h"
#include "core/invariant.h"

using namespace tanhui::activity;
using tanhui::core::invariant;

namespace {

const Profile& profile() {
  static const Profile read = [] {
    const auto parsed = parse_profile(
        "profile: json\nperson: user.id\nevent: id\nactivity: kind\nsource: app\n"
        "start: {column: times.start, format: [rfc3339, epoch-ms]}\nquantities: {distance: {column: trip.km, unit: km}}\n",
        "json.yaml");
    invariant(bool(parsed), "the target's profile is one");
    return *parsed;
  }();
  return read;
}

void check(const Profile& by, const std::string& file) {
  const auto whole = test::read_all(by, {file}), pieces = test::read_all(by, {file}, 512);
  if (!whole.error.empty() || !pieces.error.empty()) return;  // a value may be longer than a piece
  invariant(whole.records == pieces.records && whole.people == pieces.people && whole.events == pieces.events,
            "records do not depend on pieces");
  invariant(whole.rows == whole.records.size(), "rows in are rows out");
  invariant(whole.digest == pieces.digest, "a file has one digest");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::Folder folder;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const bool lines = bytes.starts_with('{');  // what would also be read as a list of one
  check(profile(), folder.write(lines ? "data.ndjson" : "data.json", bytes));
  check(native_profile(), folder.write("native.ndjson", bytes));
  return 0;
}
