// libFuzzer: no bytes may crash the loader, make it slow, or make a program that was compiled compute differently from the reference.
#include <filesystem>
#include <fstream>

#include "core/invariant.h"
#include "methodology/library_fixture.h"

using namespace tanhui::methodology;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::Folder folder;
  folder.write("420100/cn-420100-test-2024.yaml", std::string(reinterpret_cast<const char*>(data), size));
  std::vector<Problem> problems;
  const Library library = folder.load(problems);
  tanhui::core::invariant(!library.methodologies().empty() || !problems.empty(), "what is not loaded is reported");
  for (const auto& methodology : library.methodologies()) {
    library.check_examples(*methodology, problems);
    for (const Problem& problem : problems)
      tanhui::core::invariant(problem.message.find("the compiled program gives") == std::string::npos, "program and reference agree");
  }
  return 0;
}
