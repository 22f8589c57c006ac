// libFuzzer: any bytes as a partner's Parquet file end in records or one error that says what to do.
#include "activity/intake_test_support.h"
#include "core/invariant.h"

using namespace tanhui::activity;
using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::Folder folder;
  const std::string file = folder.write("data.parquet", {reinterpret_cast<const char*>(data), size});
  const auto once = test::read_all(native_profile(), {file}), again = test::read_all(native_profile(), {file});
  invariant(once.error == again.error && once.records == again.records && once.events == again.events, "a file is read alike each time");
  invariant(!once.error.empty() || once.rows == once.records.size(), "rows in are rows out");
  return 0;
}
