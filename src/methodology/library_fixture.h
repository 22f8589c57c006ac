// methodology/library_fixture.h: a small library in a folder of its own, for tests.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/invariant.h"
#include "methodology/methodology.h"

namespace tanhui::methodology::test {

class Folder {
 public:
  Folder() {
    static int made = 0;
    path_ = std::filesystem::temp_directory_path() / ("tanhui-methodology-" + std::to_string(getpid()) + "-" + std::to_string(++made));
    std::filesystem::create_directories(path_ / "420100");
    std::filesystem::create_directories(path_ / "tables");
    write("activities.yaml", R"yaml(activities:
  ride: {name: {en: Ride, zh: 出行}, category: travel, quantities: {distance: m, boardings: "1", energy: Wh, rate: ppm}}
  bus: {name: {en: Bus, zh: 公交}, category: travel, quantities: {distance: m}}
  stop: {name: {en: Stop, zh: 停驶}, category: travel, quantities: {days: "1", displacement: mL}}
)yaml");
    write("regions.yaml", R"yaml(regions:
  "gl": {name: {en: World, zh: 全球}}
  "000000": {name: {en: China, zh: 中国}, parent: "gl"}
  "grid-central": {name: {en: Central, zh: 华中}, parent: "000000"}
  "420000": {name: {en: Hubei, zh: 湖北}, parent: "grid-central"}
  "420100": {name: {en: Wuhan, zh: 武汉}, parent: "420000"}
  "110000": {name: {en: Beijing, zh: 北京}, parent: "000000"}
)yaml");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((path_ / file).parent_path());
    std::ofstream(path_ / file, std::ios::binary) << text;
  }
  Library load(std::vector<Problem>& problems) const {
    auto library = Library::load(path_, problems);
    core::invariant(bool(library), "the test library has its catalogues");
    return *library;
  }
  /// Problems with the folder's path taken out.
  std::vector<Problem> problems() const {
    std::vector<Problem> problems;
    const Library library = load(problems);
    for (const auto& methodology : library.methodologies()) library.check_examples(*methodology, problems);
    for (Problem& problem : problems) {
      const std::string prefix = path_.string() + "/";
      if (problem.file.starts_with(prefix)) problem.file.erase(0, prefix.size());
      if (problem.text.starts_with(prefix)) problem.text.erase(0, prefix.size());
    }
    return problems;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Act {
  std::string kind = "quantitative";
  std::string activities = "[ride]";
  std::string inputs = "  distance: {unit: person km, min: 0.5, max: 120}\n";
  std::string parameters =
      "  factor: {value: 0.0784, unit: kg CO2e/(person km), grade: S2, status: reported-by-platform, source: white paper}\n";
  std::string formula = "  reduction: distance * factor\n";
  std::string examples = "  - {given: {distance: 13 km}, expect: 1019 g}\n";
  std::string more;  // further fields
  std::string id = "cn-420100-test-2024", region = "420100", status = "reported-by-platform", from = "2024-09-02";
};

inline std::string text_of(const Act& act) {
  return "id: " + act.id + "\nversion: 1\nkind: " + act.kind + "\nname: {en: Test, zh: 测试}\nregion: \"" + act.region +
         "\"\nvalid: {from: " + act.from + "}\nstatus: " + act.status +
         "\nbasis: {document: test, grade: S2}\ncategory: travel\ntradable: no\ngwp: none\nactivities: " + act.activities + "\ninputs:\n" +
         act.inputs + "parameters:\n" + act.parameters + "formula:\n" + act.formula +
         "evidence: {grade: metered, required: {en: gate, zh: 闸机}}\nadditionality: {en: none, zh: 无}\nmonitoring: {en: gate, zh: "
         "闸机}\n" +
         act.more + "examples:\n" + act.examples;
}

inline void write_act(const Folder& folder, const Act& act) { folder.write(act.region + "/" + act.id + ".yaml", text_of(act)); }

}  // namespace tanhui::methodology::test
