#include "activity/account.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <set>

#include "activity/booking.h"
#include "activity/correction_plan.h"
#include "activity/intake.h"
#include "activity/intake_stage.h"
#include "activity/lane.h"
#include "activity/look_back.h"
#include "activity/open_window.h"
#include "activity/person_stage.h"
#include "activity/programme_rules.h"
#include "activity/recalculate.h"
#include "activity/recheck.h"
#include "activity/rejects.h"
#include "core/bytes.h"
#include "core/invariant.h"
#include "core/threads.h"
#include "identity/consent.h"
#include "journal/catalogue.h"
#include "journal/compaction.h"
#include "journal/correction.h"
#include "journal/log.h"
#include "journal/publication.h"
#include "journal/record_bytes.h"
#include "journal/segment.h"
#include "ledger/ledger.h"

namespace tanhui::activity {
namespace {

constexpr std::uint64_t kBytesPerRecordGuess = 60;             // only sizes the key filter
constexpr std::uint64_t kRecordsGuess = 20'000'000;            // when the input's size is unknown
constexpr std::size_t kOpenRowsBytes = std::size_t{96} << 20;  // of all segments being written together
constexpr std::size_t kRowBytesGuess = 110;
constexpr int kWindowTries = 4;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Says how far the run is, a few times a second, from whichever thread comes by.
class Reporter {
 public:
  explicit Reporter(const std::function<void(const Progress&)>& callback) : callback_(callback) {}
  void say(const Progress& progress, bool now = false) {
    if (!callback_) return;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;
    const auto time = std::chrono::steady_clock::now();
    if (!now && time - last_ < std::chrono::milliseconds(100)) return;
    last_ = time;
    callback_(progress);
  }

 private:
  const std::function<void(const Progress&)>& callback_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point last_;
};

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

/// How much of a record's extra words this profile fills.
Layout layout_of(const Profile& profile, const methodology::Library& library) {
  Layout layout;
  layout.object = profile.object.given();
  std::size_t widest = 0;
  for (const auto& type : library.activities()) widest = std::max(widest, type.quantities.size());
  const bool more_than_main =
      profile.quantities_by_header || profile.quantities.size() > 1 ||
      std::any_of(profile.quantities.begin(), profile.quantities.end(), [](const QuantityFrom& one) { return one.name != "quantity"; });
  if (more_than_main) layout.extras = std::min(widest - 1, kExtraQuantities);
  return layout;
}

core::Status check_words(const identity::Programme& programme, const methodology::Library& library) {
  if (programme.sources.size() <= kSourcesMax && library.activities().size() <= kActivitiesMax) return core::Done{};
  return core::Error{core::ErrorCode::refused,
                     "account.too-many-words",
                     fmt::format("a run takes {} sources and {} activity types", kSourcesMax, kActivitiesMax),
                     "split the programme",
                     {{"sources", std::to_string(programme.sources.size())}}};
}

class AccountingRun {
 public:
  AccountingRun(identity::Instance& instance, const identity::Programme& programme, const methodology::Library& library,
                const AccountRequest& request, Profile profile, core::Zone zone)
      : instance_(instance),
        programme_(programme),
        library_(library),
        request_(request),
        profile_(std::move(profile)),
        zone_(std::move(zone)),
        names_(activities_of(library), sources_of(programme)),
        selection_(library, enabled_of(programme.methodologies)),
        rules_(library, selection_, lookup_of(programme, library)),
        assets_(programme.id, programme.points.expires_after_days),
        layout_(layout_of(profile_, library)),
        reporter_(request.progress),
        empty_(names_.activities().size(), std::max<std::size_t>(names_.sources().size(), 1)),
        tally_(empty_) {}

  core::Result<AccountReport> go() {
    if (request_.rejects) {
      if (auto status = check_rejects_file(*request_.rejects); !status) return status.error();
    }
    std::optional<identity::RunLock> lock;
    if (auto status = take_lock(lock); !status) return status.error();
    if (auto status = prepare(); !status) return status.error();
    if (auto status = take_in(); !status) return status.error();
    if (auto status = recognise(); !status) return status.error();
    if (nothing_can_change()) {
      report_repetition();
      do_also();
      return std::move(report_);
    }
    if (auto status = try_windows(); !status) return status.error();
    if (request_.rejects) write_rejects_file(*request_.rejects, std::move(noted_), *source_);
    return std::move(report_);
  }

  /// The same run without new records: what a correction of a methodology changes.
  core::Result<AccountReport> go_again(Corrected corrected, std::vector<journal::Correction> corrections) {
    std::optional<identity::RunLock> lock;
    if (auto status = take_lock(lock); !status) return status.error();
    if (auto status = prepare(); !status) return status.error();
    fresh_ = std::make_unique<Shuffle>(layout_.words(), request_.memory_bytes, spill_folder());
    report_.corrected = std::move(corrected);
    corrections_ = std::move(corrections);
    rules_.correct(corrections_);
    name_correction();
    if (auto status = try_windows(); !status) return status.error();
    return std::move(report_);
  }

  /// Nothing new at all: whether what is booked is what today's settlement says.
  core::Result<Resettled> check(Days days, bool try_settings) {
    std::optional<identity::RunLock> lock;
    if (auto status = take_lock(lock); !status) return status.error();
    if (auto status = prepare(); !status) return status.error();
    fresh_ = std::make_unique<Shuffle>(layout_.words(), request_.memory_bytes, spill_folder());
    checked_ = days;
    try_settings_ = try_settings;
    for (const auto& segment : journal::files_between(instance_.database(), programme_.id, days.first, days.last))
      days_.insert(segment.day.count);
    if (auto status = look_back_and_settle(); !status) return status.error();
    resettled_.differing = report_.tally.adjusted;
    return std::move(resettled_);
  }

 private:
  core::Status take_lock(std::optional<identity::RunLock>& lock) {
    if (request_.lock_held) return core::Done{};
    auto taken = instance_.lock_for_run();
    if (!taken) return taken.error();
    lock.emplace(*std::move(taken));
    return core::Done{};
  }
  void do_also() {
    if (!request_.also || request_.dry_run) return;
    db::Transaction tx = instance_.database().begin();
    request_.also(tx);
    tx.commit();
  }
  std::filesystem::path spill_folder() const { return instance_.folder(); }
  std::uint64_t rows_read() const { return source_ ? source_->rows() : 0; }

  // With the run lock held: what other runs left is settled first.
  core::Status prepare() {
    journal::recover(instance_.journal(), [&](journal::RunId run) { return journal::find_run(instance_.database(), run).has_value(); });
    journal::recover_compactions(instance_.database(), instance_.journal());
    rules_.know(journal::corrections_of(instance_.database(), programme_.id));
    if (auto status = close_window(); !status) return status;
    if (request_.dry_run) return core::Done{};
    auto log = journal::Log::open(instance_.folder(), instance_.database(), request_.now_ms);
    if (!log) return log.error();
    log_ = *std::move(log);
    return core::Done{};
  }

  // What a service credited and did not seal is seen by this run too.
  core::Status close_window() {
    if (request_.lock_held) return core::Done{};
    const auto open = instance_.database().find<std::int64_t>("SELECT 1 FROM open_window WHERE programme = $1", programme_.id);
    if (!open) return core::Done{};
    if (request_.dry_run)
      return core::Error{
          core::ErrorCode::refused,
          "account.window-open",
          fmt::format("records of {} that the service credited are not sealed yet, and a dry run writes nothing", programme_.id),
          "seal them first: tanhui seal",
          {{"programme", programme_.id}}};
    auto sealed = seal_left_open(instance_, programme_, library_, request_.now_ms);
    if (!sealed) return sealed.error();
    return core::Done{};
  }

  /// By rule; empty unless settings are tried.
  std::vector<bool> rules_that_are_off() const {
    if (!try_settings_) return {};
    std::set<std::string, std::less<>> on;
    for (const methodology::Methodology* methodology : selection_.all()) on.insert(methodology->id);
    std::vector<bool> off;
    for (const ActRule& rule : rules_.rules()) {
      const std::string_view name = rules_.methodologies()[rule.methodology];
      off.push_back(!on.contains(name.substr(0, name.rfind('@'))));
    }
    return off;
  }

  core::Status try_windows() {
    for (int attempt = 0;; ++attempt) {
      try {
        return look_back_and_settle();
      } catch (const WindowTooNarrow&) {
        core::invariant(attempt < kWindowTries, "a change to earlier records does not reach further and further back");
        margin_days_ = 4 * look_back_.margin_days;
      }
    }
  }

  core::Status take_in() {
    const auto begin = std::chrono::steady_clock::now();
    Context context;
    context.names = &names_;
    context.secret = &instance_.secret();
    context.zone = programme_.time_zone;
    context.region = programme_.region;
    context.region_known = [this](std::string_view code) { return library_.find_region(code) != nullptr || code.size() >= 2; };
    auto source = request_.source ? request_.source(context) : open_source(profile_, request_.inputs, context);
    if (!source) return source.error();
    source_ = *std::move(source);
    const std::uint64_t guess = source_->bytes_total() == 0 ? kRecordsGuess : source_->bytes_total() / kBytesPerRecordGuess;
    filter_ = std::make_unique<KeyFilter>(guess);
    const identity::ConsentBook consents(instance_.database(), programme_.id, source_ids(), programme_.consent_required);
    asks_consent_ = !consents.always();
    fresh_ = std::make_unique<Shuffle>(layout_.words(), request_.memory_bytes, spill_folder());
    const IntakeShared shared{.fresh = fresh_.get(),
                              .layout = layout_,
                              .filter = filter_.get(),
                              .rules = &rules_,
                              .consents = &consents,
                              .earliest_ms = zone_.start_of(programme_.earliest_day),
                              .latest_ms = std::min(request_.now_ms + programme_.future_tolerance_ms, kStartLimit - 1),
                              .region_code = [this](std::uint16_t region) { return names_.region_name(region); },
                              .note_lines = request_.rejects.has_value()};
    std::mutex mutex;
    std::optional<core::Error> problem;
    std::atomic<bool> stopped{false};
    core::on_threads(
        request_.threads,
        [&](unsigned) {
          Packer packer(shared, zone_, empty_);
          RecordBatch batch;
          while (!stopped) {
            auto more = source_->next(batch);
            if (!more) {
              const std::scoped_lock lock(mutex);
              if (!problem) problem = more.error();
              return;
            }
            if (!*more) break;
            packer.take(batch);
            reporter_.say({Progress::Step::intake, source_->rows(), source_->bytes_done(), source_->bytes_total()});
          }
          packer.flush();
          const std::scoped_lock lock(mutex);
          tally_.add(packer.tally());
          noted_.insert(noted_.end(), packer.noted().begin(), packer.noted().end());
          candidates_.insert(candidates_.end(), packer.candidates().begin(), packer.candidates().end());
          reversals_.insert(reversals_.end(), packer.reversals().begin(), packer.reversals().end());
          days_.insert(packer.days().begin(), packer.days().end());
        },
        [&](const std::exception_ptr&) { stopped = true; });
    if (problem) return *problem;
    core::invariant(tally_.all() + fresh_->rows() == source_->rows(), "every record read is refused or packed");
    report_.seconds_intake = seconds_since(begin);
    return core::Done{};
  }

  std::vector<std::string> source_ids() const {
    std::vector<std::string> ids;
    for (const SourceName& source : names_.sources()) ids.push_back(source.id);
    return ids;
  }

  // Whether the very same inputs were accounted before, by the same profile and programme.
  core::Status recognise() {
    inputs_digest_ = source_->digest();
    digest_settings();
    core::ByteWriter key;
    key.u8(1).str(programme_.id).str(profile_.id).str(core::to_hex(inputs_digest_));
    key_ = core::to_hex(core::sha256(key.take()));
    report_.repeats = find_repeated();
    return core::Done{};
  }
  void digest_settings() {
    core::ByteWriter settings;
    settings.u8(1).str(programme_.id).str(core::to_hex(programme_.digest)).str(profile_.id);
    for (const auto* method : selection_.all()) settings.str(method->id).u32(std::uint32_t(method->version)).str(method->digest);
    settings_digest_ = core::sha256(settings.take());
  }
  std::optional<std::uint64_t> find_repeated() {
    const auto known = journal::find_run_by_key(instance_.database(), key_);
    for (std::uint64_t again = 2; journal::find_run_by_key(instance_.database(), run_key()); ++again) repetition_ = again;
    return known ? std::optional(known->id) : std::nullopt;
  }

  // A recalculation has no inputs; what it was asked stands in their place.
  void name_correction() {
    core::ByteWriter asked;
    asked.u8(2).str(programme_.id).str(report_.corrected->methodology);
    asked.str(core::to_text(report_.corrected->first)).str(core::to_text(report_.corrected->last));
    for (const journal::Correction& correction : corrections_) asked.u32(std::uint32_t(correction.version));
    inputs_digest_ = core::sha256(asked.take());
    digest_settings();
    key_ = core::to_hex(inputs_digest_);
    asked_before_ = find_repeated();
  }
  std::string run_key() const { return repetition_ == 0 ? key_ : fmt::format("{}/{}", key_, repetition_); }

  core::Status look_back_and_settle() {
    auto begin = std::chrono::steady_clock::now();
    reporter_.say({Progress::Step::look_back, rows_read(), 0, 0}, true);
    journal_names_ = names_for_journal();
    std::vector<core::Day> touched;
    for (const std::int32_t day : days_) touched.push_back({day});
    auto seen = look_back({.journal = instance_.journal(),
                           .spill_folder = spill_folder(),
                           .segments = journal::files_between(instance_.database(), programme_.id, core::kFirstDay, core::kLastDay),
                           .fresh = fresh_.get(),
                           .fresh_layout = layout_,
                           .filter = filter_.get(),
                           .candidates = candidates_,
                           .reversals = reversals_,
                           .touched = touched,
                           .corrects = corrected_days(),
                           .margin_days = margin_days_,
                           .rules = &rules_,
                           .names = &journal_names_,
                           .priority = [this](std::uint16_t source) { return priority_of(source); },
                           .memory_bytes = request_.memory_bytes,
                           .zone = zone_});
    if (!seen) return seen.error();
    look_back_ = *std::move(seen);
    for (const core::Day day : look_back_.corrected_on) days_.insert(day.count);
    if (report_.corrected) report_.corrected->records = look_back_.corrected;
    report_.seconds_look_back += seconds_since(begin);
    return settle_and_book();
  }

  // The very same inputs under the same settings, and the programme's newest run was them: every record is a repetition of a known one, and
  // settling would only find that out again. Not where something else than input and settings may have changed meanwhile: people's
  // consents, or the clock, which lets in what was in the future then.
  bool nothing_can_change() const {
    if (!report_.repeats || request_.rejects || asks_consent_ || days_.empty()) return false;
    const auto newest = journal::newest_run_of(instance_.database(), programme_.id);
    return newest && newest->inputs_digest == inputs_digest_ && newest->settings_digest == settings_digest_ &&
           newest->key.starts_with(key_) && core::Day{*days_.rbegin()} < zone_.local_day(newest->started_ms);
  }
  void report_repetition() {
    journal_names_ = names_for_journal();
    journal_names_.methodologies = rules_.methodologies();
    Tally settled = empty_;
    for (std::size_t partition = 0; partition < Shuffle::kPartitions; ++partition) {
      fresh_->each_block(partition, [&](const std::uint64_t* words, std::size_t rows) {
        for (std::size_t i = 0; i < rows; ++i, words += layout_.words()) {
          const Row& row = RowView(words, layout_).row();
          settled.count(Outcome::duplicate, Reason::same_event);
          ++settled.cell(row.activity(), row.source()).records;
        }
      });
    }
    finish_report(settled);
  }

  // Of those that are chosen today; earlier records were booked by versions that their own runs name.
  std::vector<std::string> used_methodologies() const {
    std::vector<std::string> used;
    for (const std::string& name : rules_.methodologies()) {
      for (const auto* method : selection_.all()) {
        if (fmt::format("{}@{}", method->id, method->version) == name) used.push_back(name);
      }
    }
    return used;
  }

  std::optional<Days> corrected_days() const {
    if (!report_.corrected) return std::nullopt;
    return Days{report_.corrected->first, report_.corrected->last};
  }
  // The same input or correction as an earlier run, and no record of it left to decide.
  bool is_known() const { return report_.corrected ? report_.corrected->records == 0 : report_.repeats.has_value(); }

  journal::Names names_for_journal() const {
    journal::Names names;
    for (const ActivityType& activity : names_.activities()) names.activities.push_back(activity.id);
    for (const SourceName& source : names_.sources()) names.sources.push_back(source.id);
    for (std::size_t region = 0; region < names_.region_count(); ++region)
      names.regions.emplace_back(names_.region_name(std::uint16_t(region)));
    for (std::size_t i = 0; i < kEvidences; ++i) names.evidences.emplace_back(name(Evidence(i)));
    for (std::size_t i = 0; i < kOutcomes; ++i) names.outcomes.emplace_back(name(Outcome(i)));
    for (std::size_t i = 0; i < kReasons; ++i) names.reasons.emplace_back(name(Reason(i)));
    return names;
  }
  std::uint8_t priority_of(std::size_t source) const {
    return source < programme_.sources.size() ? programme_.sources[source].priority : std::uint8_t(identity::Source::kPriorityMax);
  }

  core::Status settle_and_book();
  void settle(journal::Publication* publication, ledger::RunPosting* posting, db::Transaction* tx);
  void close_segments();
  journal::Run run_row(journal::RunId run, const ledger::RunTotals& totals) const;
  void finish_report(const Tally& settled);

  identity::Instance& instance_;
  const identity::Programme& programme_;
  const methodology::Library& library_;
  const AccountRequest& request_;
  Profile profile_;
  core::Zone zone_;
  Names names_;
  methodology::Selection selection_;
  RuleBook rules_;
  AssetBook assets_;
  Layout layout_;
  Reporter reporter_;
  Tally empty_, tally_;
  std::vector<Noted> noted_;
  std::unique_ptr<RecordSource> source_;
  std::unique_ptr<KeyFilter> filter_;
  std::unique_ptr<Shuffle> fresh_;
  std::vector<std::uint64_t> candidates_, reversals_;
  std::set<std::int32_t> days_;
  std::vector<journal::Correction> corrections_;
  std::optional<Days> checked_;
  bool try_settings_ = false;
  Resettled resettled_;
  std::optional<std::uint64_t> asked_before_;  // the run that made the same correction
  core::Digest inputs_digest_{}, settings_digest_{};
  std::string key_;
  std::uint64_t repetition_ = 0;
  bool asks_consent_ = false;
  int margin_days_ = 0;
  journal::Names journal_names_;
  LookBack look_back_;
  std::map<core::Day, journal::SegmentWriter> writers_;
  std::map<core::Day, journal::SegmentInfo> segments_;
  std::optional<journal::Log> log_;  // none in a dry run
  AccountReport report_;
};

core::Status AccountingRun::settle_and_book() {
  auto begin = std::chrono::steady_clock::now();
  writers_.clear();
  segments_.clear();
  if (request_.dry_run) {
    settle(nullptr, nullptr, nullptr);
    report_.seconds_settle += seconds_since(begin);
    return core::Done{};
  }
  std::optional<db::Transaction> transaction(instance_.database().begin());
  db::Transaction& tx = *transaction;
  const journal::RunId run = journal::next_run_id(tx);
  journal::Publication publication(instance_.journal(), run);
  const std::size_t noted_before = noted_.size();
  try {
    auto posting =
        ledger::RunPosting::start(tx, run_key(), fmt::format("{} run {}", report_.corrected ? "recalculation" : "accounting", run));
    if (!posting) return posting.error();
    ledger::RunPosting open_posting = *std::move(posting);
    settle(&publication, &open_posting, &tx);
    report_.seconds_settle += seconds_since(begin);
    begin = std::chrono::steady_clock::now();
    const bool changes_nothing = writers_.empty() && is_known();
    if (changes_nothing) {
      if (report_.corrected) report_.repeats = asked_before_;
      publication.discard();
      transaction.reset();  // rolls back
      do_also();
      return core::Done{};
    }
    reporter_.say({Progress::Step::book, rows_read(), 0, 0}, true);
    close_segments();
    const ledger::RunTotals totals = open_posting.finish();
    report_.debts = totals.new_debts;
    record_run(tx, *log_, library_,
               {run_row(run, totals), programme_.points.expires_after_days, used_methodologies(), corrections_, &segments_});
    if (request_.also) request_.also(tx);
  } catch (...) {
    noted_.resize(noted_before);
    writers_.clear();
    publication.discard();
    throw;
  }
  tx.commit();  // when this throws, the run may have happened all the same: the staged files stay until recover() asks the database
  publication.publish();
  log_->publish(instance_.database());
  report_.run = run;
  report_.seconds_book = seconds_since(begin);
  return core::Done{};
}

void AccountingRun::settle(journal::Publication* publication, ledger::RunPosting* posting, db::Transaction* tx) {
  StageInput input{
      .fresh = fresh_.get(),
      .fresh_layout = layout_,
      .earlier = look_back_.earlier.get(),
      .earlier_layout = kBookedLayout,
      .rules = &rules_,
      .priorities = {},
      .points = {programme_.points.per_milligram.numerator, programme_.points.per_milligram.denominator, programme_.points.daily_cap},
      .verdicts = std::move(look_back_.verdicts),
      .repeated = look_back_.repeated.get(),
      .window = look_back_.window,
      .who = checked_            ? StageInput::Who::everybody
             : report_.corrected ? StageInput::Who::corrected
                                 : StageInput::Who::named,
      .off = rules_that_are_off(),
      .checked = checked_,
      .note_lines = request_.rejects.has_value(),
      .empty_tally = &empty_};
  for (std::size_t source = 0; source < kSourcesMax; ++source) input.priorities.push_back(priority_of(source));
  journal_names_.methodologies = rules_.methodologies();  // what rows carry the index of

  Tally settled = empty_;
  const std::size_t row_group_rows =
      std::clamp<std::size_t>(kOpenRowsBytes / kRowBytesGuess / std::max<std::size_t>(days_.size(), 1), 1024, 64 * 1024);
  OrderedLane<PartitionResult> journal_lane(8, [&](PartitionResult& result) {
    settled.add(result.tally);
    resettled_.records += result.checked;
    resettled_.people += result.people;
    resettled_.people_differing += result.people_changed;
    for (const auto& [category, change] : result.categories) resettled_.categories[rules_.categories()[category]].add(change);
    for (const Divergence& one : result.divergences) {
      if (resettled_.divergences.size() < kDivergencesMax) resettled_.divergences.push_back(one);
    }
    noted_.insert(noted_.end(), result.noted.begin(), result.noted.end());
    if (publication == nullptr) return;
    for (const auto& slice : result.days) {
      auto writer = writers_.find(slice.day);
      if (writer == writers_.end()) {
        journal::Metadata metadata{{"tanhui.programme", programme_.id}, {"tanhui.day", core::to_text(slice.day)}};
        writer = writers_
                     .try_emplace(slice.day, publication->stage(programme_.id, slice.day), journal_names_, std::move(metadata),
                                  journal::SegmentOptions{row_group_rows})
                     .first;
      }
      writer->second.append(result.rows, result.leaves, slice.begin, slice.end);
    }
  });
  std::vector<ledger::AssetId> asset_ids;
  OrderedLane<std::vector<Delta>> ledger_lane(64, [&](std::vector<Delta>& deltas) {
    if (posting == nullptr || deltas.empty()) return;
    const std::vector<ledger::Asset> assets = assets_.assets();
    while (asset_ids.size() < assets.size()) asset_ids.push_back(ledger::asset_id(*tx, assets[asset_ids.size()]));
    for (const Delta& delta : deltas) posting->add(asset_ids[delta.asset], delta.person, delta.amount);
  });
  std::atomic<std::size_t> next{0}, settled_partitions{0};
  core::on_threads(
      request_.threads,
      [&](unsigned) {
        PersonStage stage(input, zone_, assets_);
        journal::RecordHasher hasher(journal_names_);
        for (std::size_t partition = next++; partition < Shuffle::kPartitions; partition = next++) {
          PartitionResult result = stage.run(partition);
          if (publication != nullptr) hasher.hash(result.rows, 0, result.rows.size(), result.leaves);
          std::vector<Delta> deltas = std::move(result.deltas);
          ledger_lane.bring(partition, std::move(deltas));
          journal_lane.bring(partition, std::move(result));
          reporter_.say({Progress::Step::settle, rows_read(), ++settled_partitions, Shuffle::kPartitions});
        }
      },
      [&](const std::exception_ptr& why) {
        next = Shuffle::kPartitions;
        ledger_lane.stop(why);
        journal_lane.stop(why);
      });
  finish_report(settled);
}

// Finishing a file means encoding its last rows, hashing and syncing it: the threads share the files.
void AccountingRun::close_segments() {
  std::vector<std::pair<core::Day, journal::SegmentWriter*>> open;
  for (auto& [day, writer] : writers_) open.emplace_back(day, &writer);
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  core::on_threads(
      request_.threads,
      [&](unsigned) {
        for (std::size_t at = next++; at < open.size(); at = next++) {
          journal::SegmentInfo info = open[at].second->close();
          const std::scoped_lock lock(mutex);
          segments_.emplace(open[at].first, std::move(info));
        }
      },
      [&](const std::exception_ptr&) { next = open.size(); });
  for (const auto& [day, info] : segments_) {
    ++report_.segments;
    report_.segment_rows += info.rows;
    report_.segment_bytes += info.bytes;
  }
  writers_.clear();
}

journal::Run AccountingRun::run_row(journal::RunId run, const ledger::RunTotals& totals) const {
  const Tally& tally = report_.tally;
  const auto count = [&](Outcome outcome) { return std::int64_t(tally.of(outcome)); };
  return {.id = run,
          .key = run_key(),
          .programme = programme_.id,
          .started_ms = request_.now_ms,
          .finished_ms = request_.now_ms + core::Millis(1000 * report_.seconds()),
          .inputs_digest = inputs_digest_,
          .settings_digest = settings_digest_,
          .postings_digest = totals.digest,
          .records = std::int64_t(tally.all()),
          .accepted = count(Outcome::accepted),
          .duplicate = count(Outcome::duplicate),
          .capped = count(Outcome::capped),
          .rejected = count(Outcome::rejected),
          .held = count(Outcome::held),
          .no_consent = count(Outcome::no_consent),
          .adjusted = std::int64_t(tally.adjusted),
          .people = std::int64_t(report_.corrected ? tally.people_adjusted : tally.people_credited),
          .milligrams = core::add_or_throw(tally.milligrams, tally.adjusted_milligrams),
          .points = core::add_or_throw(tally.points, tally.adjusted_points),
          .report = ""};
}

// The difference report is complete: what it tells before and after is what is booked.
void check_changes(const Tally& tally) {
  Tally::Change sum;
  for (const auto& [key, change] : tally.changes) sum.add(change);
  core::invariant(sum.adjusted == tally.adjusted && sum.milligrams_after - sum.milligrams_before == tally.adjusted_milligrams &&
                      sum.points_after - sum.points_before == tally.adjusted_points,
                  "the changes of earlier records add up to what is adjusted");
}

void AccountingRun::finish_report(const Tally& settled) {
  report_.tally = tally_;
  report_.tally.add(settled);
  core::invariant(report_.tally.all() == rows_read(), "counts in equal counts out");
  check_changes(report_.tally);
  report_.programme = programme_.id;
  report_.profile = profile_.id;
  report_.dry_run = request_.dry_run;
  report_.inputs_digest = core::to_hex(inputs_digest_);
  report_.names = journal_names_;
  report_.methodologies = rules_.methodologies();
  report_.illustrative = rules_.illustrative();
  report_.input_bytes = source_ ? source_->bytes_done() : 0;
  report_.spilled_bytes = fresh_->spilled_bytes();
  report_.first_day = days_.empty() ? core::Day{0} : core::Day{*days_.begin()};
  report_.last_day = days_.empty() ? core::Day{-1} : core::Day{*days_.rbegin()};
}

}  // namespace

core::Result<AccountReport> account(identity::Instance& instance, const identity::Programme& programme, const methodology::Library& library,
                                    const AccountRequest& request) {
  auto profile = request.profile.empty() ? core::Result<Profile>(native_profile()) : load_profile(request.profile);
  if (!profile) return profile.error();
  auto zone = core::Zone::find(programme.time_zone);
  if (!zone) return zone.error();
  if (auto status = check_words(programme, library); !status) return status.error();
  Profile used = *std::move(profile);
  if (!request.only_source.empty()) {
    used.source = {};
    used.source.constant = request.only_source;
  }
  return AccountingRun(instance, programme, library, request, std::move(used), *std::move(zone)).go();
}

core::Result<AccountReport> recalculate(identity::Instance& instance, const identity::Programme& programme,
                                        const methodology::Library& library, const RecalculateRequest& request) {
  auto zone = core::Zone::find(programme.time_zone);
  if (!zone) return zone.error();
  if (auto status = check_words(programme, library); !status) return status.error();
  const methodology::Selection selection(library, enabled_of(programme.methodologies));
  auto plan = plan_correction(instance.database(), programme, library, selection, request);
  if (!plan) return plan.error();
  AccountRequest run;
  run.dry_run = request.dry_run;
  run.threads = request.threads;
  run.memory_bytes = request.memory_bytes;
  run.now_ms = request.now_ms;
  run.progress = request.progress;
  return AccountingRun(instance, programme, library, run, native_profile(), *std::move(zone))
      .go_again(std::move(plan->corrected), std::move(plan->corrections));
}

core::Result<Resettled> resettle(identity::Instance& instance, const identity::Programme& programme, const methodology::Library& library,
                                 const ResettleRequest& request) {
  auto zone = core::Zone::find(programme.time_zone);
  if (!zone) return zone.error();
  if (auto status = check_words(programme, library); !status) return status.error();
  AccountRequest run;
  run.dry_run = true;
  run.threads = request.threads;
  run.memory_bytes = request.memory_bytes;
  run.progress = request.progress;
  return AccountingRun(instance, programme, library, run, native_profile(), *std::move(zone))
      .check({request.first, request.last}, request.try_settings);
}

}  // namespace tanhui::activity
