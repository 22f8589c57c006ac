// libFuzzer: no bytes may crash the reader of profiles; a profile that reads can be used on a file.
#include "activity/intake_test_support.h"
#include "core/invariant.h"

using namespace tanhui::activity;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto profile = parse_profile({reinterpret_cast<const char*>(data), size}, "profile.yaml");
  if (!profile) {
    tanhui::core::invariant(!profile.error().message.empty() && !profile.error().action.empty(),
                            "a refusal says what is wrong and what to do");
    return 0;
  }
  static const test::Folder folder;
  static const std::string file = folder.write("data.csv", "a,b,c,id,who,when,km\n1,2,3,4,anna,2024-09-02T08:15:00Z,5\n,,,,,,\nx\n\"\n");
  Profile used = *profile;
  used.files.clear();
  if (used.stations) used.stations->file = "none.csv";
  (void)test::read_all(used, {file}, 256);
  return 0;
}
