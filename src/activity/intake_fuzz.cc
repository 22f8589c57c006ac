// libFuzzer: any bytes as a file of any format end in records or one error, the same wherever the pieces end.
#include "activity/intake_test_support.h"
#include "core/invariant.h"

using namespace tanhui::activity;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::Folder folder;
  if (size < 1) return 0;
  constexpr const char* header = "event_id,source,person,activity,region,start,end,quantity\n";
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string file = folder.write("data", (data[0] & 1) != 0 ? header + bytes : bytes);
  const auto whole = test::read_all(native_profile(), {file});
  if ((data[0] & 1) == 0) return 0;  // the header must fit the first piece
  const auto pieces = test::read_all(native_profile(), {file}, 256);
  tanhui::core::invariant(whole.error == pieces.error, "the error does not depend on pieces");
  if (!whole.error.empty()) return 0;
  tanhui::core::invariant(whole.records == pieces.records && whole.people == pieces.people && whole.events == pieces.events,
                          "records do not depend on pieces");
  tanhui::core::invariant(whole.rows == whole.records.size(), "counts in equal counts out");
  return 0;
}
