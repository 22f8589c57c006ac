// activity/account_fixture.h: for tests of whole runs: an instance with a real SQLite and real segments in a temporary folder.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "activity/account.h"
#include "activity/recalculate.h"
#include "activity/recheck.h"
#include "db/test_database.h"
#include "journal/catalogue.h"
#include "ledger/ledger.h"

namespace tanhui::activity::test {

namespace fs = std::filesystem;

inline const fs::path kHome = TANHUI_SOURCE_DIR;
constexpr std::string_view kHeader = "event_id,source,person,activity,region,start,end,quantity,evidence,reversal";
constexpr core::Millis kNow = 1'767'000'000'000;  // 2025-12-29

inline const methodology::Library& library() {
  static const methodology::Library loaded = [] {
    std::vector<methodology::Problem> problems;
    return *methodology::Library::load(kHome / "methodologies", problems);
  }();
  return loaded;
}

inline const identity::Programme& programme() {
  static const identity::Programme read = *identity::find_programme(kHome / "programmes", "wuhan-demo");
  return read;
}

/// What stands in the journal about one record, all its revisions together.
struct FinalRecord {
  std::string outcome, methodology;  // "capped: daily-cap"; of the latest revision
  std::int64_t milligrams = 0, points = 0;
  int revision = 0;
  friend bool operator==(const FinalRecord&, const FinalRecord&) = default;
  friend std::ostream& operator<<(std::ostream& out, const FinalRecord& record) {
    return out << record.outcome << " " << record.milligrams << " mg " << record.points << " p " << record.methodology << " r"
               << record.revision;
  }
};

/// An instance in a folder that is gone afterwards.
class City {
 public:
  explicit City(const identity::Programme& programme = test::programme())
      : programme_(programme), folder_(fs::temp_directory_path() / fs::path("tanhui-test-" + std::to_string(std::random_device{}()))) {
    fs::create_directories(folder_);
    instance_.emplace(*identity::Instance::open_or_create(folder_ / "instance", db::test::fresh_store()));
  }
  ~City() {
    instance_.reset();
    fs::remove_all(folder_);
  }
  City(const City&) = delete;
  City& operator=(const City&) = delete;

  /// From now on runs use this library instead of the project's.
  void use(const methodology::Library& library) { library_ = &library; }
  void header(std::string_view header) { header_ = header; }

  core::Result<AccountReport> try_account(const std::vector<std::string>& rows, AccountRequest request = {}) {
    const fs::path file = folder_ / "records.csv";
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << header_ << '\n';
    for (const std::string& row : rows) {
      out << row << '\n';
      const std::string person = row.substr(std::min(row.size(), row.find(',', row.find(',') + 1) + 1));
      people_[instance_->secret().person(person.substr(0, person.find(',')))] = person.substr(0, person.find(','));
    }
    out.close();
    request.inputs = {file.string()};
    request.now_ms = kNow;
    return activity::account(*instance_, programme_, *library_, request);
  }
  /// People whose records come in another way than by try_account().
  void meet(const std::string& person) { people_[instance_->secret().person(person)] = person; }
  AccountReport account(const std::vector<std::string>& rows) {
    auto report = try_account(rows);
    EXPECT_TRUE(report) << (report ? "" : report.error().message);
    return *std::move(report);
  }
  core::Result<AccountReport> try_recalculate(RecalculateRequest request) {
    request.now_ms = kNow;
    return activity::recalculate(*instance_, programme_, *library_, request);
  }
  AccountReport recalculate(RecalculateRequest request) {
    auto report = try_recalculate(std::move(request));
    EXPECT_TRUE(report) << (report ? "" : report.error().message);
    return *std::move(report);
  }
  /// Records that a settlement of everybody would book otherwise.
  std::uint64_t differing() {
    const auto settled = resettle(*instance_, programme_, *library_, {});
    EXPECT_TRUE(settled) << (settled ? "" : settled.error().message);
    return settled->differing;
  }
  /// Everything the ledger holds, by asset.
  std::map<std::string, std::int64_t> held() {
    std::map<std::string, std::int64_t> amounts;
    EXPECT_TRUE(ledger::check(instance_->database()));
    for (const auto& total : ledger::totals(instance_->database())) {
      amounts[fmt::format("{} {} {}", ledger::name(total.asset.kind), total.asset.category, total.asset.period)] = total.held;
    }
    std::erase_if(amounts, [](const auto& amount) { return amount.second == 0; });
    return amounts;
  }
  std::int64_t milligrams() {
    std::int64_t sum = 0;
    for (const auto& [asset, amount] : held()) sum += asset.starts_with("reduction") ? amount : 0;
    return sum;
  }
  std::int64_t balance(const std::string& person, ledger::AssetKind kind = ledger::AssetKind::reduction) {
    std::int64_t sum = 0;
    for (const auto& one : ledger::balances(instance_->database(), instance_->secret().person(person))) {
      if (one.asset.kind == kind) sum += one.amount;
    }
    return sum;
  }
  /// Every record of the journal as its revisions leave it, by person, event, time and quantity. A repetition of an event id that was
  /// overtaken by an earlier one is left out: in another order of arrival it would never have been written.
  std::map<std::string, FinalRecord> records() {
    std::map<std::string, FinalRecord> found;
    journal::Names names;
    journal::Columns columns;
    for (const auto& segment : journal::files_between(instance_->database(), programme_.id, core::kFirstDay, core::kLastDay)) {
      auto reader = *journal::SegmentReader::open(instance_->journal() / segment.info.path);
      for (std::size_t group = 0; group < reader.row_groups(); ++group) {
        EXPECT_TRUE(reader.read(group, journal::ColumnSet::all(), names, columns));
        for (std::size_t i = 0; i < columns.size(); ++i) {
          const std::string& reason = names.reasons[columns.reason[i]];
          FinalRecord& record =
              found[fmt::format("{} {:016x} {} {} {} {}", people_[columns.person[i]], columns.event[i], columns.start_ms[i],
                                columns.duration_ms[i], columns.quantity[i], reason == "reversal" ? "reversal" : "")];
          record.milligrams += columns.milligrams[i];
          record.points += columns.points[i];
          if (columns.revision[i] < record.revision) continue;
          record.revision = columns.revision[i];
          record.outcome = names.outcomes[columns.outcome[i]] + ": " + reason;
          record.methodology = names.methodologies[columns.methodology[i]];
        }
      }
    }
    std::erase_if(found, [](const auto& one) {
      return one.second.outcome == "duplicate: same-event" || one.second.outcome == "duplicate: reversal";
    });
    return found;
  }
  /// The same without how it came about.
  std::map<std::string, std::string> outcomes() {
    std::map<std::string, std::string> final;
    for (const auto& [key, record] : records())
      final[key] = fmt::format("{} {} mg {} points", record.outcome, record.milligrams, record.points);
    return final;
  }
  identity::Instance& instance() { return *instance_; }
  const fs::path& folder() const { return folder_; }

 private:
  identity::Programme programme_;
  const methodology::Library* library_ = &test::library();
  std::string header_{kHeader};
  std::map<core::PersonKey, std::string> people_;  // keys differ between instances, names do not
  fs::path folder_;
  std::optional<identity::Instance> instance_;
};

inline std::string clock(int minute) {  // from March 2025 on, local
  const core::Day day{core::day_of(2025, 3, 1).count + minute / 1440};
  return fmt::format("{}T{:02}:{:02}:00+08:00", core::to_text(day), minute / 60 % 24, minute % 60);
}

inline std::string row(std::string_view event, std::string_view source, std::string_view person, std::string_view activity, int start,
                       int end, std::int64_t quantity, std::string_view evidence = "metered", std::string_view reversal = "") {
  return fmt::format("{},{},{},{},420100,{},{},{},{},{}", event, source, person, activity, clock(start), clock(end), quantity, evidence,
                     reversal);
}

inline std::uint64_t count(const AccountReport& report, Outcome outcome, Reason reason) {
  return report.tally.records[std::size_t(outcome)][std::size_t(reason)];
}

}  // namespace tanhui::activity::test
