#include "activity/open_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "activity/booked_rows.h"
#include "activity/booking.h"
#include "activity/intake_stage.h"
#include "activity/look_back.h"
#include "activity/open_rows.h"
#include "activity/programme_rules.h"
#include "activity/rule_book.h"
#include "activity/window.h"
#include "core/bytes.h"
#include "core/invariant.h"
#include "identity/consent.h"
#include "journal/catalogue.h"
#include "journal/compaction.h"
#include "journal/correction.h"
#include "journal/log.h"
#include "journal/publication.h"
#include "journal/segment.h"
#include "ledger/open_run.h"

namespace tanhui::activity {
namespace {

constexpr Layout kFreshLayout{.object = true, .extras = kExtraQuantities, .booked = false};
constexpr std::size_t kUnbookedMax = 200'000;       // postings that wait for their balances
constexpr std::size_t kBookedTogether = 4'096;      // of them in one commit
constexpr std::size_t kSealedTogether = 64 * 1024;  // rows that are columns at a time

using journal::Column;
constexpr journal::ColumnSet kKeyColumns{Column::person, Column::event, Column::object};

std::vector<ActivityType> activities_of(const methodology::Library& library) {
  std::vector<ActivityType> activities;
  for (const auto& type : library.activities()) {
    ActivityType& one = activities.emplace_back();
    one.id = type.id;
    for (const auto& quantity : type.quantities) one.quantities.push_back({quantity.name, quantity.base_unit});
  }
  return activities;
}

Evidence evidence_of(std::string_view word) {
  return word == "metered" ? Evidence::metered : word == "inferred" ? Evidence::inferred : Evidence::declared;
}

std::vector<SourceName> sources_of(const identity::Programme& programme) {
  std::vector<SourceName> sources;
  for (const auto& source : programme.sources) sources.push_back({source.id, evidence_of(source.evidence)});
  return sources;
}

OpenWindowSettings with_days(OpenWindowSettings settings, const identity::Programme& programme) {
  if (settings.open_days == 0) settings.open_days = int(programme.open_days);
  return settings;
}

core::Error full(std::size_t bytes) {
  return {core::ErrorCode::refused,
          "open-window.full",
          fmt::format("the open window holds {} MiB of records, all it may", bytes >> 20),
          "give it more memory (activities.memory_mib), or fewer open days in the programme",
          {{"bytes", std::to_string(bytes)}}};
}

/// Records that waited, one batch after the other, as a run reads them.
class WaitingSource final : public RecordSource {
 public:
  struct Batch {
    std::vector<std::uint64_t> words;
  };
  WaitingSource(std::vector<Batch> batches, core::Digest digest) : batches_(std::move(batches)), digest_(digest) {
    for (const Batch& batch : batches_) total_ += batch.words.size();
  }
  core::Result<bool> next(RecordBatch& out) override {
    const std::scoped_lock lock(mutex_);
    if (next_ == batches_.size()) return false;
    const std::vector<std::uint64_t>& words = batches_[next_++].words;
    out.clear();
    out.object.clear();
    for (auto& column : out.extra) column.clear();
    for (std::size_t at = 0; at < words.size(); at += kFreshLayout.words()) add(RowView(words.data() + at, kFreshLayout), out);
    done_ += words.size();
    return true;
  }
  core::Digest digest() const override { return digest_; }
  std::uint64_t rows() const override { return rows_; }
  std::uint64_t bytes_done() const override { return done_ * 8; }
  std::uint64_t bytes_total() const override { return total_ * 8; }
  InputReader::Place locate(std::uint32_t line) const override { return {"records that waited", line}; }

 private:
  void add(const RowView& view, RecordBatch& out) {
    const Row& row = view.row();
    out.person.push_back(row.person);
    out.event.push_back(row.event);
    out.object.push_back(view.object());
    out.start_ms.push_back(row.start_ms());
    out.end_ms.push_back(row.has_end() ? row.start_ms() + row.duration_ms() : kMissing);
    out.activity.push_back(row.activity());
    out.source.push_back(row.source());
    out.region.push_back(row.region);
    out.evidence.push_back(row.evidence());
    out.quantity.push_back(view.quantity(0));
    for (std::size_t i = 0; i < kExtraQuantities; ++i) out.extra[i].push_back(view.extra(i));
    out.line.push_back(std::uint32_t(++rows_));
    out.reason.push_back(Reason::none);
    out.reversal.push_back(row.reversal() ? 1 : 0);
  }
  std::mutex mutex_;
  std::vector<Batch> batches_;
  core::Digest digest_;
  std::size_t next_ = 0;
  std::uint64_t rows_ = 0, done_ = 0, total_ = 0;
};

class LoadedWindow final : public OpenWindow {
 public:
  LoadedWindow(identity::Instance& instance, const identity::Programme& programme, const methodology::Library& library,
               const OpenWindowSettings& settings, core::Zone zone)
      : instance_(instance),
        programme_(programme),
        library_(library),
        settings_(with_days(settings, programme)),
        zone_(std::move(zone)),
        names_(activities_of(library), sources_of(programme)),
        selection_(library, enabled_of(programme.methodologies)),
        rules_(library, selection_, lookup_of(programme, library)),
        assets_(programme.id, programme.points.expires_after_days),
        empty_(names_.activities().size(), std::max<std::size_t>(names_.sources().size(), 1)),
        screened_{.fresh = nullptr,
                  .layout = kFreshLayout,
                  .filter = nullptr,
                  .rules = &rules_,
                  .consents = nullptr,
                  .earliest_ms = 0,
                  .latest_ms = 0,
                  .region_code = [this](std::uint16_t region) { return names_.region_name(region); },
                  .note_lines = false},
        screening_(screened_, zone_),
        batches_([this](Word kind, std::uint16_t number) { return text_of(kind, number); }),
        waiting_batches_([this](Word kind, std::uint16_t number) { return text_of(kind, number); }) {
    for (const SourceName& source : names_.sources()) source_ids_.push_back(source.id);
  }

  core::Status refresh(core::Millis now_ms) override {
    known_run_ = 0;
    seen_.clear();
    object_owners_.clear();
    open_run_.reset();
    open_settings_.reset();
    window_key_.clear();
    chain_ = {};
    batch_ = 0;
    asset_ids_.clear();
    committed_assets_ = 0;
    batches_.restart();
    return load(now_ms);
  }
  core::Status load(core::Millis now_ms) {
    journal::recover(instance_.journal(), [&](journal::RunId run) { return journal::find_run(database(), run).has_value(); });
    journal::recover_compactions(database(), instance_.journal());
    auto log = journal::Log::open(instance_.folder(), database(), now_ms);
    if (!log) return log.error();
    log_ = *std::move(log);
    digest_settings();
    if (auto status = load_journal(now_ms); !status) return status;
    if (auto status = load_batches(); !status) return status;
    waiting_ =
        database()
            .find<std::int64_t>("SELECT CAST(coalesce(sum(records), 0) AS BIGINT) FROM waiting_batch WHERE programme = $1", programme_.id)
            .value_or(0);
    waiting_batch_ =
        database().find<std::int64_t>("SELECT coalesce(max(batch), 0) FROM waiting_batch WHERE programme = $1", programme_.id).value_or(0);
    if (open_settings_) {  // what an ended process did not book yet is booked when it is due
      db::Transaction tx = database().begin();
      open_in(tx, now_ms);
      tx.commit();
    }
    if (open_settings_ && *open_settings_ != settings_digest_) {
      auto sealed = seal(now_ms);
      if (!sealed) return sealed.error();
    }
    return core::Done{};
  }

  core::Result<WindowTotals> credit(db::Transaction& tx, std::span<Submission> submissions, core::Millis now_ms) override {
    core::invariant(!pending_, "a batch is committed or rolled back before the next one");
    if (rows_.bytes() > settings_.memory_bytes) return full(rows_.bytes());
    pending_ = true;
    open_in(tx, now_ms);
    WindowTotals totals;
    screen(tx, submissions, now_ms);
    settle(tx);
    for (const std::uint32_t line : decided_) count(answers_[line].outcome, totals);
    if (!waiting_words_.empty()) write_waiting(tx, now_ms);
    totals.waiting = waiting_words_.size() / kFreshLayout.words();
    totals.adjusted = booked_.adjusted;
    totals.milligrams = booked_.milligrams;
    totals.points = booked_.points;
    write_batch(tx, submissions, now_ms, totals);
    book(tx, now_ms);
    hand_out(submissions);
    return totals;
  }

  bool books_due(core::Millis now_ms) const override {
    return open_run_ && open_run_->unbooked() > 0 &&
           (open_run_->booking() || now_ms < booked_ms_ || now_ms - booked_ms_ >= settings_.book_every_ms ||
            open_run_->unbooked() >= kUnbookedMax);
  }
  bool book(db::Transaction& tx, core::Millis now_ms) override {
    if (!books_due(now_ms)) return false;
    if (!open_run_->booking()) booked_ms_ = now_ms;
    open_run_->book(tx, kBookedTogether);
    return true;
  }

  void committed() override {
    if (!pending_) return;  // only balances
    for (std::size_t at = 0; at < result_words_.size(); at += OpenRows::kWords) {
      rows_.add(result_words_.data() + at);
      ++unsealed_rows_;
    }
    for (const auto& [event, person] : fresh_events_) seen_.add(event);
    for (const auto& [object, person] : fresh_objects_) object_owners_.try_emplace(object, person.high);
    committed_assets_ = asset_ids_.size();
    waiting_ += waiting_words_.size() / kFreshLayout.words();
    chain_ = next_chain_;
    open_settings_ = settings_digest_;
    pending_ = false;
  }

  void rolled_back() override {
    open_run_.reset();  // opened again from what is committed
    if (!pending_) return;
    asset_ids_.resize(committed_assets_);
    if (!open_settings_) window_key_.clear();
    --batch_;
    if (!waiting_words_.empty()) --waiting_batch_;
    batches_.restart();
    waiting_batches_.restart();
    credited_.clear();
    pending_ = false;
  }

  const std::vector<Credited>& credited() const override { return credited_; }

  core::Result<SealReport> seal(core::Millis now_ms) override;
  core::Result<std::optional<AccountReport>> settle_waiting(core::Millis now_ms) override;
  core::Result<AccountReport> account(AccountRequest request) override {
    auto sealed = seal(request.now_ms);
    if (!sealed) return sealed.error();
    request.lock_held = true;
    request.threads = settings_.threads;
    auto report = activity::account(instance_, programme_, library_, request);
    const auto loaded = load_journal(request.now_ms);
    if (!loaded) return loaded.error();
    return report;
  }

  Names& names() override { return names_; }
  std::uint64_t unsealed() const override { return unsealed_rows_; }
  std::uint64_t waiting() const override { return std::uint64_t(waiting_); }
  std::size_t memory_bytes() const override { return rows_.bytes(); }
  core::Day first_open_day(core::Millis now_ms) const override {
    return std::max(core::Day{first_loaded_.count + 2 * margin_}, core::Day{zone_.local_day(now_ms).count - settings_.open_days + 1});
  }
  std::vector<Line> lines_of(const core::PersonKey& person) const override {
    std::vector<Line> lines;
    rows_.each_of(person, [&](const std::uint64_t* words) {
      const RowView view(words, kBookedLayout);
      const Row& row = view.row();
      const Booked& booked = view.booked();
      lines.push_back({names_.activities()[row.activity()].id, std::string(text_of(Word::source, row.source())),
                       std::string(names_.region_name(row.region)), rules_.methodologies()[rules_.rule(row.rule).methodology],
                       std::string(name(booked.outcome)), std::string(name(booked.reason)), row.start_ms(),
                       row.has_end() ? row.start_ms() + row.duration_ms() : row.start_ms(), booked.milligrams, booked.points,
                       booked.revision});
    });
    return lines;
  }

 private:
  db::Database& database() { return instance_.database(); }

  void digest_settings() {
    core::ByteWriter settings;
    settings.u8(2).str(programme_.id).str(core::to_hex(programme_.digest));
    for (const auto* method : selection_.all()) settings.str(method->id).u32(std::uint32_t(method->version)).str(method->digest);
    settings_digest_ = core::sha256(settings.take());
  }

  // ---- words

  std::string_view text_of(Word kind, std::uint16_t number) const {
    switch (kind) {
      case Word::activity:
        return names_.activities()[number].id;
      case Word::source:
        return source_ids_[number];
      case Word::region:
        return names_.region_name(number);
      case Word::methodology:
        return rules_.methodologies()[number];
    }
    throw core::InvariantBroken("there are four kinds of words");
  }
  std::uint16_t source_of(std::string_view id) {
    const std::uint16_t known = names_.find_source(id);
    if (known != Names::kUnknown) return known;
    const auto found = std::find(source_ids_.begin(), source_ids_.end(), id);  // of earlier days: no longer one of the programme's
    if (found != source_ids_.end()) return std::uint16_t(found - source_ids_.begin());
    source_ids_.emplace_back(id);
    return std::uint16_t(source_ids_.size() - 1);
  }
  std::uint8_t priority_of(std::size_t source) const {
    return source < programme_.sources.size() ? programme_.sources[source].priority : std::uint8_t(identity::Source::kPriorityMax);
  }
  journal::Names names_for_journal() const {
    journal::Names names;
    for (const ActivityType& activity : names_.activities()) names.activities.push_back(activity.id);
    names.sources = source_ids_;
    for (std::size_t region = 0; region < names_.region_count(); ++region)
      names.regions.emplace_back(names_.region_name(std::uint16_t(region)));
    for (std::size_t i = 0; i < 3; ++i) names.evidences.emplace_back(name(Evidence(i)));
    for (std::size_t i = 0; i < kOutcomes; ++i) names.outcomes.emplace_back(name(Outcome(i)));
    for (std::size_t i = 0; i < kReasons; ++i) names.reasons.emplace_back(name(Reason(i)));
    names.methodologies = rules_.methodologies();
    return names;
  }

  core::Status load_journal(core::Millis now_ms);
  core::Status load_segment(const journal::CataloguedSegment& segment, bool rows, bool keys);
  core::Status load_batches();
  void note_key(const RowView& view) {
    seen_.add(view.row().event);
    if (view.object() != 0) own_object(view.object(), view.row().person);
  }
  void own_object(std::uint64_t object, const core::PersonKey& person) {
    const auto [found, fresh] = object_owners_.try_emplace(object, person.high);
    if (!fresh && found->second != person.high) found->second = kSeveral;
  }

  // ---- one batch

  void open_in(db::Transaction& tx, core::Millis now_ms);
  void screen(db::Transaction& tx, std::span<Submission> submissions, core::Millis now_ms);
  WindowAnswer::Why why_wait(const Row& row, std::uint64_t object, core::Day day, core::Day first_open);
  template <class Shares>
  bool touch_earlier(const Row& row, Shares shares);
  void settle(db::Transaction& tx);
  void write_waiting(db::Transaction& tx, core::Millis now_ms);
  void write_batch(db::Transaction& tx, std::span<const Submission> submissions, core::Millis now_ms, const WindowTotals& totals);
  void hand_out(std::span<Submission> submissions);
  std::optional<Answer> first_report(const core::PersonKey& person, std::uint64_t event) const;
  static void count(Outcome outcome, WindowTotals& totals) {
    ++totals.outcomes[std::size_t(outcome)];
    ++totals.records;
  }
  void forget_old_days(core::Millis now_ms);

  static constexpr std::uint64_t kSeveral = 0;  // people

  identity::Instance& instance_;
  const identity::Programme& programme_;
  const methodology::Library& library_;
  const OpenWindowSettings settings_;
  core::Zone zone_;
  Names names_;
  methodology::Selection selection_;
  RuleBook rules_;
  AssetBook assets_;
  Tally empty_;
  std::vector<std::string> source_ids_;  // the programme's, then those of earlier days
  std::optional<journal::Log> log_;
  core::Digest settings_digest_{};

  OpenRows rows_;
  std::uint32_t sealed_rows_ = 0;  // rows before this one are in the journal
  std::uint64_t unsealed_rows_ = 0;
  SeenKeys seen_;
  boost::unordered_flat_map<std::uint64_t, std::uint64_t> object_owners_;  // object -> high half of the person
  journal::RunId known_run_ = 0;                                           // whose keys are in seen_
  core::Day first_loaded_{0};
  int margin_ = 0;
  std::size_t margin_rules_ = 0;

  // of the run that is open
  std::string window_key_;
  core::Millis window_started_ms_ = 0;
  std::optional<core::Digest> open_settings_;
  std::optional<ledger::OpenRun> open_run_;
  core::Millis booked_ms_ = 0;
  core::Digest chain_{}, next_chain_{};
  std::int64_t batch_ = 0, waiting_batch_ = 0, waiting_ = 0;
  std::vector<ledger::AssetId> asset_ids_;
  std::size_t committed_assets_ = 0;

  // of a batch; buffers are kept
  IntakeShared screened_;
  Screening screening_;
  OpenBatchWriter batches_, waiting_batches_;
  std::optional<PersonStage> stage_;
  StageInput stage_input_;
  std::size_t stage_rules_ = 0;
  bool pending_ = false;
  std::vector<std::uint64_t> unsorted_, fresh_words_, earlier_words_, waiting_words_, result_words_;
  std::vector<std::uint32_t> order_, decided_;
  std::vector<core::Day> touched_;
  std::vector<Answer> answers_;
  std::vector<WindowAnswer::Why> waits_;
  boost::unordered_flat_map<std::uint64_t, core::PersonKey> fresh_events_, fresh_objects_;
  std::vector<Credited> credited_;
  struct {
    std::uint64_t adjusted = 0;
    std::int64_t milligrams = 0, points = 0;
  } booked_;  // of the batch
};

// ---- loading ---------------------------------------------------------------------------------------------------------------------

core::Status LoadedWindow::load_journal(core::Millis now_ms) {
  rules_.know(journal::corrections_of(database(), programme_.id));
  // The rules that records of these days will most likely be quantified by: how far back decisions reach must be known before the first.
  const core::Day today = zone_.local_day(now_ms);
  for (std::uint16_t activity = 0; activity < names_.activities().size(); ++activity) rules_.find(activity, programme_.region, today);
  rows_.clear();
  margin_rules_ = 0;
  while (margin_rules_ != rules_.rules().size()) {  // earlier records may bring rules that reach further
    margin_rules_ = rules_.rules().size();
    const int margin = margin_of(rules_.rules());
    if (rows_.size() > 0 && margin <= margin_) break;
    margin_ = margin;
    first_loaded_ = {today.count - settings_.open_days + 1 - 2 * margin_};
    rows_.clear();
    for (const auto& segment : journal::files_between(database(), programme_.id, first_loaded_, core::kLastDay)) {
      if (auto status = load_segment(segment, true, false); !status) return status;
    }
  }
  journal::RunId newest = known_run_;
  for (const auto& segment : journal::files_between(database(), programme_.id, core::kFirstDay, core::kLastDay)) {
    newest = std::max(newest, segment.run);
    if (segment.run <= known_run_) continue;
    if (auto status = load_segment(segment, false, true); !status) return status;
  }
  known_run_ = newest;
  sealed_rows_ = rows_.size();
  unsealed_rows_ = 0;
  return core::Done{};
}

core::Status LoadedWindow::load_segment(const journal::CataloguedSegment& segment, bool rows, bool keys) {
  auto opened = journal::SegmentReader::open(instance_.journal() / segment.info.path);
  if (!opened) return opened.error();
  journal::SegmentReader reader = *std::move(opened);
  journal::Names names = names_for_journal();
  journal::Columns columns;
  std::map<std::tuple<std::uint16_t, std::uint16_t, std::uint16_t, std::int32_t>, RuleBook::BookedRule> known;
  std::array<std::uint64_t, OpenRows::kWords> words;
  for (std::size_t group = 0; group < reader.row_groups(); ++group) {
    if (auto status = reader.read(group, rows ? journal::ColumnSet::all() : kKeyColumns, names, columns); !status) return status;
    for (std::size_t i = 0; keys && i < columns.size(); ++i) {
      seen_.add(columns.event[i]);
      if (!columns.object.empty() && columns.object[i] != 0) own_object(columns.object[i], columns.person[i]);
    }
    if (!rows) continue;
    if (names.activities.size() > names_.activities().size() || names.reasons.size() > kReasons || names.outcomes.size() > kOutcomes)
      return core::Error{
          core::ErrorCode::refused,
          "account.newer-journal",
          fmt::format("{} holds activities, outcomes or reasons that this version does not know", segment.info.path.string()),
          "use the version of tanhui that wrote it, or a newer one",
          {{"segment", segment.info.path.string()}}};
    std::vector<std::uint16_t> sources, regions;
    for (const std::string& source : names.sources) sources.push_back(source_of(source));
    for (const std::string& region : names.regions) regions.push_back(names_.region(region));
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns.methodology[i] == journal::kNoName) continue;  // nothing that is booked
      const core::Day day = zone_.local_day(columns.start_ms[i]);
      const auto key = std::tuple(columns.methodology[i], columns.activity[i], columns.region[i], day.count);
      auto rule = known.find(key);
      if (rule == known.end()) {
        auto found =
            rules_.find_booked(names.methodologies[columns.methodology[i]], columns.activity[i], names.regions[columns.region[i]], day);
        if (!found) return found.error();
        rule = known.emplace(key, *found).first;
      }
      columns.source[i] = sources[columns.source[i]];
      columns.region[i] = regions[columns.region[i]];
      pack_booked(columns, i, rule->second, words.data());
      rows_.add(words.data());
    }
  }
  return core::Done{};
}

core::Status LoadedWindow::load_batches() {
  const auto window = database().find<std::string, std::int64_t, core::Digest>(
      "SELECT key, started_ms, settings_digest FROM open_window WHERE programme = $1", programme_.id);
  if (!window) return core::Done{};
  window_key_ = std::get<0>(*window);
  window_started_ms_ = std::get<1>(*window);
  open_settings_ = std::get<2>(*window);
  std::vector<std::string> methodologies;
  OpenBatchReader reader([&](Word kind, std::string_view text) -> std::uint16_t {
    switch (kind) {
      case Word::activity:
        return names_.find_activity(text);
      case Word::source:
        return source_of(text);
      case Word::region:
        return names_.region(text);
      case Word::methodology:
        methodologies.emplace_back(text);
        return std::uint16_t(methodologies.size() - 1);
    }
    return Names::kUnknown;
  });
  core::Status status = core::Done{};
  database().each(
      "SELECT batch, inputs_digest, bytes FROM open_batch WHERE programme = $1 ORDER BY batch",
      [&](const db::Row& row) {
        if (!status) return;
        batch_ = row.integer(0);
        chain_ = row.get<core::Digest>(1);
        auto read = reader.read(row.bytes(2), kBookedLayout);
        if (!read) {
          status = read.error();
          return;
        }
        std::vector<std::uint64_t> words = *std::move(read);
        for (std::size_t at = 0; at < words.size(); at += OpenRows::kWords) {
          Row& one = *reinterpret_cast<Row*>(words.data() + at);
          const auto rule =
              rules_.find_booked(methodologies[one.rule], one.activity(), names_.region_name(one.region), zone_.local_day(one.start_ms()));
          if (!rule) {
            status = rule.error();
            return;
          }
          one.rule = rule->now;
          one.line = rule->before;
          note_key(RowView(words.data() + at, kBookedLayout));
          rows_.add(words.data() + at);
          ++unsealed_rows_;
        }
      },
      programme_.id);
  return status;
}

// ---- crediting -------------------------------------------------------------------------------------------------------------------

// The run that these records will be sealed as, in SQL.
void LoadedWindow::open_in(db::Transaction& tx, core::Millis now_ms) {
  if (open_run_) return;
  if (window_key_.empty()) {
    core::ByteWriter key;  // the log grows with every sealing, so no two windows have one key
    key.u8(3).str(programme_.id).i64(now_ms).u64(journal::log_size(tx));
    window_key_ = core::to_hex(core::sha256(key.take()));
    window_started_ms_ = now_ms;
    tx.exec("INSERT INTO open_window (programme, key, started_ms, settings_digest) VALUES ($1, $2, $3, $4)", programme_.id, window_key_,
            now_ms, settings_digest_);
  }
  auto run = ledger::OpenRun::open(tx, window_key_, fmt::format("open window of {}", programme_.id));
  core::invariant(bool(run), "the run of an open window is open");
  open_run_ = *std::move(run);
}

void LoadedWindow::screen(db::Transaction& tx, std::span<Submission> submissions, core::Millis now_ms) {
  unsorted_.clear();
  waiting_words_.clear();
  decided_.clear();
  touched_.clear();
  fresh_events_.clear();
  fresh_objects_.clear();
  std::size_t all = 0;
  for (const Submission& one : submissions) all += one.records->size();
  answers_.assign(all, {});
  waits_.assign(all, WindowAnswer::Why::none);

  std::optional<identity::ConsentBook> consents;
  const auto ids = std::span(source_ids_).first(names_.sources().size());
  if (programme_.consent_required || identity::anybody_spoke(tx, programme_.id)) {
    std::vector<core::PersonKey> people;
    for (const Submission& one : submissions) people.insert(people.end(), one.records->person.begin(), one.records->person.end());
    std::sort(people.begin(), people.end());
    people.erase(std::unique(people.begin(), people.end()), people.end());
    consents.emplace(tx, programme_.id, ids, programme_.consent_required, people);
  } else {
    consents.emplace(tx, programme_.id, ids, false, std::span<const core::PersonKey>());
  }
  screened_.consents = &*consents;
  screened_.earliest_ms = zone_.start_of(programme_.earliest_day);
  screened_.latest_ms = std::min(now_ms + programme_.future_tolerance_ms, kStartLimit - 1);

  const core::Day first_open = first_open_day(now_ms);
  std::array<std::uint64_t, kFreshLayout.words()> words;
  std::uint32_t line = 0;
  for (const Submission& one : submissions) {
    const RecordBatch& batch = *one.records;
    for (std::size_t i = 0; i < batch.size(); ++i, ++line) {
      Reason reason = batch.reason[i];
      std::uint16_t rule = kNoRule;
      core::Day day;
      if (reason == Reason::none) reason = screening_.judge(batch, i, rule, day);
      if (reason != Reason::none) {
        answers_[line] = {refusal_outcome(reason), reason, 0, 0, 0};
        decided_.push_back(line);
        continue;
      }
      Screening::write(batch, i, rule, kFreshLayout, words.data());
      Row& row = *reinterpret_cast<Row*>(words.data());
      row.line = line;
      const std::uint64_t object = RowView(words.data(), kFreshLayout).object();
      waits_[line] = why_wait(row, object, day, first_open);
      if (waits_[line] != WindowAnswer::Why::none) {
        waiting_words_.insert(waiting_words_.end(), words.begin(), words.end());
        continue;
      }
      unsorted_.insert(unsorted_.end(), words.begin(), words.end());
      decided_.push_back(line);
      if (touched_.empty() || touched_.back() != day) touched_.push_back(day);
    }
  }
}

WindowAnswer::Why LoadedWindow::why_wait(const Row& row, std::uint64_t object, core::Day day, core::Day first_open) {
  if (day < first_open) return WindowAnswer::Why::late_day;
  const auto [event, first_use] = fresh_events_.try_emplace(row.event, row.person);
  if (event->second != row.person) return WindowAnswer::Why::seen_before;
  if (first_use && seen_.may_hold(row.event) && !touch_earlier(row, [&](const RowView& view) { return view.row().event == row.event; })) {
    fresh_events_.erase(event);
    return WindowAnswer::Why::seen_before;
  }
  if (object == 0) return WindowAnswer::Why::none;
  const auto [thing, first_seen] = fresh_objects_.try_emplace(object, row.person);
  if (thing->second != row.person) return WindowAnswer::Why::seen_before;
  const auto owner = object_owners_.find(object);
  if (!first_seen || owner == object_owners_.end()) return WindowAnswer::Why::none;
  if (owner->second != row.person.high || !touch_earlier(row, [&](const RowView& view) { return view.object() == object; })) {
    fresh_objects_.erase(thing);
    return WindowAnswer::Why::seen_before;
  }
  return WindowAnswer::Why::none;
}

// Decisions on the person's rows that share a key with the new record may change: their days are touched too. False when there are none, or
// one is too far back, or the record gives an object back that others want as well.
template <class Shares>
bool LoadedWindow::touch_earlier(const Row& row, Shares shares) {
  bool any = false, near = true;
  const std::size_t before = touched_.size();
  rows_.each_of(row.person, [&](const std::uint64_t* words) {
    const RowView view(words, kBookedLayout);
    if (!shares(view)) return;
    if (row.reversal() && view.object() != 0) {
      const auto owner = object_owners_.find(view.object());
      near &= owner != object_owners_.end() && owner->second == row.person.high;
    }
    const core::Day day = zone_.local_day(view.row().start_ms());
    any = true;
    near &= first_loaded_.count + 2 * margin_ <= day.count;
    touched_.push_back(day);
  });
  if (any && near) return true;
  touched_.resize(before);
  return false;
}

void LoadedWindow::settle(db::Transaction& tx) {
  result_words_.clear();
  credited_.clear();
  booked_ = {};
  const std::size_t width = kFreshLayout.words(), count = unsorted_.size() / width;
  if (count == 0) return;
  const auto row = [&](std::uint32_t i) -> const Row& { return *reinterpret_cast<const Row*>(unsorted_.data() + i * width); };
  order_.resize(count);
  for (std::uint32_t i = 0; i < count; ++i) order_[i] = i;
  std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    const Row &left = row(a), &right = row(b);
    return left.person != right.person ? left.person < right.person : left.when != right.when ? left.when < right.when : a < b;
  });
  fresh_words_.clear();
  earlier_words_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t* words = unsorted_.data() + order_[i] * width;
    if (i == 0 || row(order_[i]).person != row(order_[i - 1]).person) {
      rows_.each_of(row(order_[i]).person,
                    [&](const std::uint64_t* known) { earlier_words_.insert(earlier_words_.end(), known, known + OpenRows::kWords); });
    }
    fresh_words_.insert(fresh_words_.end(), words, words + width);
  }
  if (!stage_ || stage_rules_ != rules_.rules().size()) {
    stage_rules_ = rules_.rules().size();
    margin_ = std::max(margin_, margin_of(rules_.rules()));
    stage_input_.fresh_layout = kFreshLayout;
    stage_input_.earlier_layout = kBookedLayout;
    stage_input_.rules = &rules_;
    stage_input_.priorities.clear();
    for (std::size_t source = 0; source < kSourcesMax; ++source) stage_input_.priorities.push_back(priority_of(source));
    stage_input_.points = {programme_.points.per_milligram.numerator, programme_.points.per_milligram.denominator,
                           programme_.points.daily_cap};
    stage_input_.as_words = true;
    stage_input_.answers = &answers_;
    stage_input_.empty_tally = &empty_;
    stage_.emplace(stage_input_, zone_, assets_);
  }
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  stage_input_.window = Window(touched_, margin_);
  PartitionResult result(empty_);
  try {
    result = stage_->run(fresh_words_, earlier_words_);
  } catch (const WindowTooNarrow&) {  // a chain of changes that reaches beyond the days in view: a run looks further
    for (const std::uint32_t i : order_) waits_[row(i).line] = WindowAnswer::Why::late_day;
    std::erase_if(decided_, [&](std::uint32_t line) { return waits_[line] != WindowAnswer::Why::none; });
    waiting_words_.insert(waiting_words_.end(), unsorted_.begin(), unsorted_.end());
    fresh_events_.clear();
    fresh_objects_.clear();
    return;
  }
  booked_.adjusted = result.tally.adjusted;
  booked_.milligrams = core::add_or_throw(result.tally.milligrams, result.tally.adjusted_milligrams);
  booked_.points = core::add_or_throw(result.tally.points, result.tally.adjusted_points);
  result_words_ = std::move(result.words);
  if (result.deltas.empty()) return;
  std::uint32_t highest = 0;
  for (const Delta& delta : result.deltas) highest = std::max(highest, delta.asset);
  if (highest >= asset_ids_.size()) {
    const std::vector<ledger::Asset> assets = assets_.assets();
    while (asset_ids_.size() < assets.size()) asset_ids_.push_back(ledger::asset_id(tx, assets[asset_ids_.size()]));
  }
  std::vector<ledger::Delta> deltas;
  deltas.reserve(result.deltas.size());
  for (const Delta& delta : result.deltas) {
    deltas.push_back({delta.person, asset_ids_[delta.asset], delta.amount});
    if (credited_.empty() || credited_.back().person != delta.person) credited_.push_back({delta.person, 0, 0});
    const bool points = assets_.is_points(delta.asset);
    (points ? credited_.back().points : credited_.back().milligrams) += delta.amount;
  }
  open_run_->post(tx, deltas);
}

void LoadedWindow::write_waiting(db::Transaction& tx, core::Millis now_ms) {
  for (std::size_t at = 0; at < waiting_words_.size(); at += kFreshLayout.words())
    reinterpret_cast<Row*>(waiting_words_.data() + at)->rule = kNoMethodology;  // a run chooses again
  waiting_batches_.restart();                                                   // each of them is read by itself
  const std::string bytes = waiting_batches_.write(waiting_words_, kFreshLayout);
  tx.exec("INSERT INTO waiting_batch (programme, batch, at_ms, records, bytes) VALUES ($1, $2, $3, $4, $5)", programme_.id,
          ++waiting_batch_, now_ms, std::int64_t(waiting_words_.size() / kFreshLayout.words()), db::Bytes{bytes});
}

void LoadedWindow::write_batch(db::Transaction& tx, std::span<const Submission> submissions, core::Millis now_ms,
                               const WindowTotals& totals) {
  core::Sha256 chain;
  chain.update({reinterpret_cast<const char*>(chain_.data()), chain_.size()});
  for (const Submission& one : submissions) chain.update({reinterpret_cast<const char*>(one.digest.data()), one.digest.size()});
  next_chain_ = chain.finish();
  fresh_words_.assign(result_words_.begin(), result_words_.end());
  for (std::size_t at = 0; at < fresh_words_.size(); at += OpenRows::kWords) {
    Row& row = *reinterpret_cast<Row*>(fresh_words_.data() + at);
    row.rule = rules_.rule(row.rule).methodology;
    row.line = 0;
  }
  const std::string bytes = batches_.write(fresh_words_, kBookedLayout);
  const auto of = [&](Outcome outcome) { return std::int64_t(totals.outcomes[std::size_t(outcome)]); };
  tx.exec(
      "INSERT INTO open_batch (programme, batch, at_ms, inputs_digest, records, accepted, duplicate, capped, rejected, held, no_consent, "
      "adjusted, milligrams, points, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
      programme_.id, ++batch_, now_ms, next_chain_, std::int64_t(totals.records), of(Outcome::accepted), of(Outcome::duplicate),
      of(Outcome::capped), of(Outcome::rejected), of(Outcome::held), of(Outcome::no_consent), std::int64_t(totals.adjusted),
      totals.milligrams, totals.points, db::Bytes{bytes});
}

void LoadedWindow::hand_out(std::span<Submission> submissions) {
  std::size_t line = 0;
  for (Submission& one : submissions) {
    one.answers.resize(one.records->size());
    std::size_t i = 0;
    for (WindowAnswer& answer : one.answers) {
      answer = {answers_[line], waits_[line] != WindowAnswer::Why::none, std::nullopt, waits_[line]};
      if (answer.answer.reason == Reason::same_event) answer.first = first_report(one.records->person[i], one.records->event[i]);
      ++line;
      ++i;
    }
  }
}

// Of the rows in memory and those of this batch: the latest outcome of the report that counts, and the sum of what it was credited with.
std::optional<Answer> LoadedWindow::first_report(const core::PersonKey& person, std::uint64_t event) const {
  std::optional<Answer> sum;
  int newest = -1;
  const auto take = [&](const std::uint64_t* words) {
    const RowView view(words, kBookedLayout);
    const Booked& booked = view.booked();
    if (view.row().event != event || view.row().person != person || view.row().reversal() || booked.reason == Reason::same_event) return;
    if (!sum) sum.emplace();
    sum->milligrams += booked.milligrams;
    sum->points += booked.points;
    if (int(booked.revision) < newest) return;
    newest = booked.revision;
    sum->outcome = booked.outcome;
    sum->reason = booked.reason;
    sum->winner = booked.winner;
  };
  rows_.each_of(person, take);
  for (std::size_t at = 0; at < result_words_.size(); at += OpenRows::kWords) take(result_words_.data() + at);
  return sum;
}

// ---- sealing ---------------------------------------------------------------------------------------------------------------------

core::Result<SealReport> LoadedWindow::seal(core::Millis now_ms) {
  core::invariant(!pending_, "no batch is under way while the window is sealed");
  SealReport report;
  if (!open_settings_) return report;
  const auto begin = std::chrono::steady_clock::now();
  db::Transaction tx = database().begin();
  open_in(tx, now_ms);
  journal::Run run;
  run.id = journal::next_run_id(tx);
  run.key = window_key_;
  run.programme = programme_.id;
  run.started_ms = window_started_ms_;
  run.finished_ms = std::max(now_ms, window_started_ms_);
  run.inputs_digest = chain_;
  run.settings_digest = *open_settings_;
  tx.each(
      "SELECT CAST(coalesce(sum(records), 0) AS BIGINT), CAST(coalesce(sum(accepted), 0) AS BIGINT), CAST(coalesce(sum(duplicate), 0) AS "
      "BIGINT), CAST(coalesce(sum(capped), 0) AS BIGINT), CAST(coalesce(sum(rejected), 0) AS BIGINT), CAST(coalesce(sum(held), 0) AS "
      "BIGINT), CAST(coalesce(sum(no_consent), 0) AS BIGINT), CAST(coalesce(sum(adjusted), 0) AS BIGINT), CAST(coalesce(sum(milligrams), "
      "0) AS BIGINT), CAST(coalesce(sum(points), 0) AS BIGINT) FROM open_batch WHERE programme = $1",
      [&](const db::Row& row) {
        int column = 0;
        for (std::int64_t* count : {&run.records, &run.accepted, &run.duplicate, &run.capped, &run.rejected, &run.held, &run.no_consent,
                                    &run.adjusted, &run.milligrams, &run.points})
          *count = row.integer(column++);
      },
      programme_.id);

  struct Place {
    std::int32_t day;
    std::uint32_t row;
  };
  std::vector<Place> order;
  order.reserve(rows_.size() - sealed_rows_);
  for (std::uint32_t row = sealed_rows_; row < rows_.size(); ++row)
    order.push_back({zone_.local_day(rows_.at(row).row().start_ms()).count, row});
  std::sort(order.begin(), order.end(), [&](const Place& a, const Place& b) {
    if (a.day != b.day) return a.day < b.day;
    const RowView left = rows_.at(a.row), right = rows_.at(b.row);
    const auto key = [](const RowView& view) {
      const Row& row = view.row();
      return std::tuple(row.person, row.start_ms(), row.source(), row.event, view.booked().revision);
    };
    return key(left) < key(right);
  });
  journal::Publication publication(instance_.journal(), run.id);
  std::map<core::Day, journal::SegmentInfo> segments;
  std::vector<std::string> used;
  try {
    const journal::Names names = names_for_journal();
    std::vector<bool> used_methodologies(names.methodologies.size());
    boost::unordered_flat_set<std::uint64_t> people;
    journal::Columns columns;
    for (std::size_t at = 0; at < order.size();) {
      const core::Day day{order[at].day};
      journal::SegmentWriter writer(publication.stage(programme_.id, day), names,
                                    {{"tanhui.programme", programme_.id}, {"tanhui.day", core::to_text(day)}});
      while (at < order.size() && order[at].day == day.count) {
        columns.clear();
        for (; at < order.size() && order[at].day == day.count && columns.size() < kSealedTogether; ++at) {
          const RowView view = rows_.at(order[at].row);
          const ActRule& rule = rules_.rule(view.row().rule);
          used_methodologies[rule.methodology] = true;
          if (view.booked().revision == 0 && view.booked().milligrams > 0) people.insert(view.row().person.high);
          unpack_booked(view, rule, columns);
        }
        writer.append(columns, 0, columns.size());
      }
      segments.emplace(day, writer.close());
    }
    run.people = std::int64_t(people.size());
    for (std::size_t i = 0; i < used_methodologies.size(); ++i) {
      if (used_methodologies[i]) used.push_back(names.methodologies[i]);
    }
    const ledger::RunTotals totals = open_run_->close(tx);
    run.postings_digest = totals.digest;
    record_run(tx, *log_, library_, {run, programme_.points.expires_after_days, std::move(used), {}, &segments});
    tx.exec("DELETE FROM open_batch WHERE programme = $1", programme_.id);
    tx.exec("DELETE FROM open_window WHERE programme = $1", programme_.id);
  } catch (...) {
    publication.discard();
    open_run_.reset();
    throw;
  }
  tx.commit();  // when this throws, it may have happened all the same: recover() asks the database
  publication.publish();
  log_->publish(database());
  report.run = run.id;
  report.rows = order.size();
  report.segments = segments.size();
  open_run_.reset();
  open_settings_.reset();
  window_key_.clear();
  chain_ = {};
  batch_ = 0;
  batches_.restart();
  known_run_ = std::max(known_run_, run.id);
  sealed_rows_ = rows_.size();
  unsealed_rows_ = 0;
  forget_old_days(now_ms);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

// Days that nothing of the open ones depends on any more. Only when all rows are sealed.
void LoadedWindow::forget_old_days(core::Millis now_ms) {
  const core::Day first{zone_.local_day(now_ms).count - settings_.open_days + 1 - 2 * margin_};
  if (first <= first_loaded_) return;
  OpenRows kept;
  for (std::uint32_t row = 0; row < rows_.size(); ++row) {
    const Row& one = rows_.at(row).row();
    if (first <= zone_.local_day(one.start_ms())) kept.add(reinterpret_cast<const std::uint64_t*>(&one));
  }
  rows_ = std::move(kept);
  sealed_rows_ = rows_.size();
  first_loaded_ = first;
}

core::Result<std::optional<AccountReport>> LoadedWindow::settle_waiting(core::Millis now_ms) {
  if (waiting_ == 0) return std::optional<AccountReport>();
  const std::int64_t last = waiting_batch_;
  AccountRequest request;
  request.now_ms = now_ms;
  request.source = [this, last](const Context& context) -> core::Result<std::unique_ptr<RecordSource>> {
    std::vector<WaitingSource::Batch> batches;
    core::Sha256 digest;
    core::Status status = core::Done{};
    OpenBatchReader reader([&](Word kind, std::string_view text) -> std::uint16_t {
      return kind == Word::activity ? context.names->find_activity(text)
             : kind == Word::source ? context.names->find_source(text)
                                    : context.names->region(text);
    });
    database().each(
        "SELECT batch, at_ms, bytes FROM waiting_batch WHERE programme = $1 AND batch <= $2 ORDER BY batch",
        [&](const db::Row& row) {
          if (!status) return;
          core::ByteWriter head;
          head.i64(row.integer(0)).i64(row.integer(1)).str(row.bytes(2));
          digest.update(head.take());
          auto words = reader.read(row.bytes(2), kFreshLayout);
          if (!words) {
            status = words.error();
            return;
          }
          batches.push_back({*std::move(words)});
        },
        programme_.id, last);
    if (!status) return status.error();
    return std::unique_ptr<RecordSource>(std::make_unique<WaitingSource>(std::move(batches), digest.finish()));
  };
  request.also = [this, last](db::Transaction& tx) {
    tx.exec("DELETE FROM waiting_batch WHERE programme = $1 AND batch <= $2", programme_.id, last);
  };
  auto report = account(std::move(request));
  if (!report) return report.error();
  waiting_ =
      database()
          .find<std::int64_t>("SELECT CAST(coalesce(sum(records), 0) AS BIGINT) FROM waiting_batch WHERE programme = $1", programme_.id)
          .value_or(0);
  return std::optional(*std::move(report));
}

}  // namespace

core::Result<std::unique_ptr<OpenWindow>> OpenWindow::open(identity::Instance& instance, const identity::Programme& programme,
                                                           const methodology::Library& library, const OpenWindowSettings& settings,
                                                           core::Millis now_ms) {
  auto zone = core::Zone::find(programme.time_zone);
  if (!zone) return zone.error();
  auto window = std::make_unique<LoadedWindow>(instance, programme, library, settings, *std::move(zone));
  if (auto status = window->load(now_ms); !status) return status.error();
  return std::unique_ptr<OpenWindow>(std::move(window));
}

std::vector<std::string> open_windows(db::Reader& reader) {
  std::vector<std::string> programmes;
  reader.each("SELECT programme FROM open_window UNION SELECT programme FROM waiting_batch ORDER BY programme",
              [&](const db::Row& row) { programmes.push_back(row.get<std::string>(0)); });
  return programmes;
}

core::Status each_open_record(db::Reader& reader, std::string_view programme,
                              const std::function<void(const RowView&, const OpenWords&)>& visit) {
  OpenWords words;
  OpenBatchReader batches([&](Word kind, std::string_view text) {
    auto& texts = words.texts[std::size_t(kind)];
    texts.emplace_back(text);
    return std::uint16_t(texts.size() - 1);
  });
  core::Status status = core::Done{};
  reader.each(
      "SELECT bytes FROM open_batch WHERE programme = $1 ORDER BY batch",
      [&](const db::Row& row) {
        if (!status) return;
        const auto rows = batches.read(row.bytes(0), kBookedLayout);
        if (!rows) {
          status = rows.error();
          return;
        }
        for (std::size_t at = 0; at < rows->size(); at += OpenRows::kWords) visit(RowView(rows->data() + at, kBookedLayout), words);
      },
      programme);
  return status;
}

core::Result<SealReport> seal_left_open(identity::Instance& instance, const identity::Programme& programme,
                                        const methodology::Library& library, core::Millis now_ms) {
  if (!instance.database().find<std::int64_t>("SELECT 1 FROM open_window WHERE programme = $1", programme.id)) return SealReport{};
  auto window = OpenWindow::open(instance, programme, library, {}, now_ms);
  if (!window) return window.error();
  return (*window)->seal(now_ms);
}

core::Result<std::optional<AccountReport>> settle_left_open(identity::Instance& instance, const identity::Programme& programme,
                                                            const methodology::Library& library, core::Millis now_ms) {
  auto window = OpenWindow::open(instance, programme, library, {}, now_ms);
  if (!window) return window.error();
  if (auto sealed = (*window)->seal(now_ms); !sealed) return sealed.error();
  return (*window)->settle_waiting(now_ms);
}

}  // namespace tanhui::activity
