#include "activity/intake.h"

#include <fmt/format.h>

#include "activity/csv_rows.h"
#include "activity/intake_records.h"
#include "activity/json_reader.h"
#include "activity/parquet_reader.h"
#include "core/invariant.h"

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Result;

// What one thread needs to turn pieces into records; taken from a pool for a call.
struct Worker {
  explicit Worker(const Profile& profile) : tokeniser(profile.csv) {}
  CsvTokeniser tokeniser;
  JsonRows json_rows;
  ParquetRows parquet_rows;
  Table table;
  std::unique_ptr<RecordBuilder> builder;
};

class ProfiledSource : public RecordSource {
 public:
  ProfiledSource(std::shared_ptr<const Profile> profile, std::shared_ptr<const Stations> stations, const Context& context)
      : profile_(std::move(profile)), stations_(std::move(stations)), context_(context) {}

  void open(std::vector<std::filesystem::path> files) {
    InputOptions options;
    options.format = profile_->format;
    options.encoding = profile_->encoding;
    options.records_inside = !profile_->records.empty();
    options.digest = context_.digest;
    options.piece_bytes = context_.piece_bytes;
    reader_ = std::make_unique<InputReader>(
        std::move(files), options, [this](const OpenedFile& file) { return make_cutter(file); },
        [this](const OpenedFile& file) { return open_parquet(file, bind_columns()); });
  }

  Result<bool> next(RecordBatch& batch) override {
    Piece piece;
    const auto got = reader_->next(piece);
    if (!got || !*got) return got;
    std::unique_ptr<Worker> worker = take_worker();
    parse(piece, *worker, batch);
    for (const auto& [line, reason] : piece.refused) append_refused(batch, line, reason);
    rows_.fetch_add(batch.size(), std::memory_order_relaxed);
    reader_->recycle(std::move(piece));
    give_back(std::move(worker));
    return true;
  }
  core::Digest digest() const override { return reader_->digest(); }
  std::uint64_t rows() const override { return rows_.load(std::memory_order_relaxed); }
  std::uint64_t bytes_done() const override { return reader_->bytes_done(); }
  std::uint64_t bytes_total() const override { return reader_->bytes_total(); }
  InputReader::Place locate(std::uint32_t line) const override { return reader_->locate(line); }

 private:
  BindColumns bind_columns() {
    return [this](const std::vector<std::string>& header, const std::string& file) {
      return activity::bind(profile_, *context_.names, stations_, &header, file);
    };
  }
  Result<std::unique_ptr<Cutter>> make_cutter(const OpenedFile& file) {
    if (file.format == InputFormat::csv) return std::unique_ptr<Cutter>(std::make_unique<CsvCutter>(*profile_, file.name, bind_columns()));
    if (!json_layout_) {
      auto plan = activity::bind(profile_, *context_.names, stations_, nullptr, file.name);
      if (!plan) return plan.error();
      json_layout_ = std::make_shared<const JsonLayout>(*std::move(plan));
    }
    if (file.format == InputFormat::ndjson) return std::unique_ptr<Cutter>(std::make_unique<NdjsonCutter>(json_layout_));
    return std::unique_ptr<Cutter>(std::make_unique<JsonListCutter>(json_layout_, file.name, profile_->records));
  }

  void parse(Piece& piece, Worker& worker, RecordBatch& batch) {
    std::shared_ptr<const Plan> plan;
    switch (piece.format) {
      case InputFormat::parquet:
        plan = static_cast<const ParquetLayout&>(*piece.layout).plan;
        worker.parquet_rows.read(piece, worker.table);
        break;
      case InputFormat::ndjson:
      case InputFormat::json:
        plan = static_cast<const JsonLayout&>(*piece.layout).plan;
        worker.json_rows.read(piece, worker.table);
        break;
      default:
        plan = static_cast<const CsvLayout&>(*piece.layout).plan;
        tokenise_piece(piece, worker.tokeniser, worker.table);
    }
    if (!worker.builder || worker.builder->plan() != plan) worker.builder = std::make_unique<RecordBuilder>(std::move(plan), context_);
    worker.builder->build(worker.table, piece.first_line, batch);
  }

  static void append_refused(RecordBatch& batch, std::uint32_t line, Reason reason) {
    batch.person.emplace_back();
    batch.event.push_back(0);
    batch.start_ms.push_back(kMissing);
    batch.end_ms.push_back(kMissing);
    batch.activity.push_back(Names::kUnknown);
    batch.source.push_back(Names::kUnknown);
    batch.region.push_back(Names::kUnknown);
    batch.evidence.push_back(Evidence::declared);
    batch.quantity.push_back(kMissing);
    batch.line.push_back(line);
    batch.reason.push_back(reason);
    if (!batch.object.empty()) batch.object.push_back(0);
    if (!batch.reversal.empty()) batch.reversal.push_back(0);
    for (auto& column : batch.extra) {
      if (!column.empty()) column.push_back(kMissing);
    }
  }

  std::unique_ptr<Worker> take_worker() {
    const std::lock_guard lock(workers_mutex_);
    if (workers_.empty()) return std::make_unique<Worker>(*profile_);
    auto worker = std::move(workers_.back());
    workers_.pop_back();
    return worker;
  }
  void give_back(std::unique_ptr<Worker> worker) {
    const std::lock_guard lock(workers_mutex_);
    workers_.push_back(std::move(worker));
  }

  std::shared_ptr<const Profile> profile_;
  std::shared_ptr<const Stations> stations_;
  Context context_;
  std::shared_ptr<const JsonLayout> json_layout_;  // made and shared under the reader's lock
  std::unique_ptr<InputReader> reader_;
  std::mutex workers_mutex_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<std::uint64_t> rows_{0};
};

}  // namespace

Names::Names(std::vector<ActivityType> activities, std::vector<SourceName> sources)
    : activities_(std::move(activities)), sources_(std::move(sources)) {
  for (std::size_t i = 0; i < activities_.size(); ++i) activity_index_.emplace(activities_[i].id, std::uint16_t(i));
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    source_index_.emplace(sources_[i].id, std::uint16_t(i));
    source_seeds_.push_back(core::name_seed(sources_[i].id));
  }
}

std::uint16_t Names::find_activity(std::string_view id) const {
  const auto found = activity_index_.find(id);
  return found == activity_index_.end() ? kUnknown : found->second;
}

std::uint16_t Names::find_source(std::string_view id) const {
  const auto found = source_index_.find(id);
  return found == source_index_.end() ? kUnknown : found->second;
}

std::uint16_t Names::region(std::string_view code) {
  {
    const std::shared_lock lock(regions_mutex_);
    const auto found = region_index_.find(code);
    if (found != region_index_.end()) return found->second;
  }
  const std::unique_lock lock(regions_mutex_);
  const auto found = region_index_.find(code);
  if (found != region_index_.end()) return found->second;
  if (regions_.size() == kUnknown) return kUnknown;
  regions_.emplace_back(code);
  region_index_.emplace(regions_.back(), std::uint16_t(regions_.size() - 1));
  return std::uint16_t(regions_.size() - 1);
}

std::string_view Names::region_name(std::uint16_t region) const {
  const std::shared_lock lock(regions_mutex_);
  core::invariant(region < regions_.size(), "a region number was given by these names");
  return regions_[region];
}

std::size_t Names::region_count() const {
  const std::shared_lock lock(regions_mutex_);
  return regions_.size();
}

Result<std::unique_ptr<RecordSource>> open_source(const Profile& profile, const std::vector<std::string>& inputs, const Context& context) {
  core::invariant(context.names != nullptr && context.secret != nullptr, "intake knows the run's names and secret");
  if (const auto checked = check_against(profile, *context.names); !checked) return checked.error();
  if (const auto zone = core::Zone::find(context.zone); !zone) return zone.error();
  auto stations = load_stations(profile);
  if (!stations) return stations.error();
  auto files = list_inputs(inputs, profile.files);
  if (!files) return files.error();
  auto source = std::make_unique<ProfiledSource>(std::make_shared<const Profile>(profile), *std::move(stations), context);
  source->open(*std::move(files));
  return std::unique_ptr<RecordSource>(std::move(source));
}

}  // namespace tanhui::activity
