#include "service/committer.h"

#include <fmt/format.h>

#include <chrono>

#include "core/invariant.h"

namespace tanhui::service {
namespace {

constexpr int kSlicesMax = 16;  // of balances between two looks at the queue
constexpr auto kHousekeeping = std::chrono::milliseconds(250);

core::Error not_known(std::string_view why) {
  return {core::ErrorCode::refused, "activities.commit-failed", fmt::format("the records could not be made durable: {}", why),
          "send the request again: records that did count are recognised by their event ids"};
}

core::Error closed(const identity::Programme& programme) {
  return {core::ErrorCode::refused,
          "programme.not-open",
          fmt::format("programme {} takes no records", programme.id),
          "ask its operator when it opens",
          {{"programme", programme.id}}};
}

}  // namespace

core::Result<std::unique_ptr<Committer>> Committer::start(identity::Instance& instance, const methodology::Library& library,
                                                          CommitterOptions options, Clock now) {
  auto lock = instance.lock_for_run();
  if (!lock) return lock.error();
  return std::unique_ptr<Committer>(new Committer(instance, library, options, std::move(now), *std::move(lock)));
}

Committer::Committer(identity::Instance& instance, const methodology::Library& library, CommitterOptions options, Clock now,
                     identity::RunLock lock)
    : instance_(instance), library_(library), options_(options), now_(std::move(now)), lock_(std::move(lock)), thread_([this] {
        loop();
      }) {}

Committer::~Committer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  something_.notify_one();
  thread_.join();
}

core::Result<std::shared_ptr<OpenProgramme>> Committer::open(identity::Programme programme) {
  return run([this, programme = std::move(programme)]() mutable -> core::Result<std::shared_ptr<OpenProgramme>> {
           if (const auto before = find(programme.id)) {
             auto sealed = before->window->seal(now_());
             if (!sealed) return sealed.error();
           }
           auto opened = std::make_shared<OpenProgramme>();
           opened->programme = std::move(programme);
           auto window = activity::OpenWindow::open(instance_, opened->programme, library_, options_.window, now_());
           if (!window) return window.error();
           opened->window = *std::move(window);
           opened->sealed_ms = opened->settled_ms = now_();
           const std::scoped_lock lock(programmes_mutex_);
           programmes_[opened->programme.id] = opened;
           return opened;
         })
      .get();
}

std::shared_ptr<OpenProgramme> Committer::find(std::string_view programme) const {
  const std::scoped_lock lock(programmes_mutex_);
  const auto found = programmes_.find(programme);
  return found == programmes_.end() ? nullptr : found->second;
}

core::Status Committer::close(std::string_view programme) {
  return run([this, id = std::string(programme)]() -> core::Status {
           const auto open = find(id);
           if (!open) return core::Done{};
           auto sealed = open->window->seal(now_());
           if (!sealed) return sealed.error();
           const std::scoped_lock lock(programmes_mutex_);
           programmes_.erase(id);
           return core::Done{};
         })
      .get();
}

void Committer::listen(Listener listener) {
  run([this, listener = std::move(listener)]() mutable { listener_ = std::move(listener); }).get();
}

void Committer::on_settled(Settled settled) {
  run([this, settled = std::move(settled)]() mutable { settled_ = std::move(settled); }).get();
}

bool Committer::submit(Credit& credit) {
  core::invariant(credit.programme != nullptr && credit.done, "a credit has a programme and somebody who waits for it");
  bool first = false;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || queued_records_ + credit.records.size() > options_.waiting_records_max) {
      counts_.refused.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    queued_records_ += credit.records.size();
    first = queue_.empty();
    queue_.push_back(&credit);
  }
  if (first) something_.notify_one();
  return true;
}

void Committer::enqueue(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  something_.notify_one();
}

void Committer::loop() {
  std::vector<Credit*> taken;
  auto next_housekeeping = std::chrono::steady_clock::now() + kHousekeeping;
  while (true) {
    std::deque<std::function<void()>> tasks;
    {
      std::unique_lock lock(mutex_);
      something_.wait_until(lock, next_housekeeping, [&] { return stopping_ || !queue_.empty() || !tasks_.empty(); });
      if (stopping_ && queue_.empty() && tasks_.empty()) return;
      tasks.swap(tasks_);
      std::size_t count = 0, records = 0;
      while (count < queue_.size() && (count == 0 || records + queue_[count]->records.size() <= options_.batch_records_max))
        records += queue_[count++]->records.size();
      taken.assign(queue_.begin(), queue_.begin() + std::ptrdiff_t(count));
      queue_.erase(queue_.begin(), queue_.begin() + std::ptrdiff_t(count));
    }
    for (const auto& task : tasks) task();
    if (!taken.empty()) commit(taken);
    if (std::chrono::steady_clock::now() >= next_housekeeping) {
      keep_house();
      next_housekeeping = std::chrono::steady_clock::now() + kHousekeeping;
    }
  }
}

// Decides all of them in one transaction. Whatever fails is said to those whom it concerns.
void Committer::commit(std::vector<Credit*>& credits) {
  const auto begin = std::chrono::steady_clock::now();
  const core::Millis now_ms = now_();
  std::vector<std::shared_ptr<OpenProgramme>> changed;
  bool committing = false;
  try {
    refresh(credits, now_ms);
    db::Transaction tx = instance_.database().begin();
    std::vector<Credit*> waiting = credits;
    std::erase_if(waiting, [](const Credit* credit) { return credit->sandbox; });
    while (!waiting.empty()) {  // programme by programme
      const std::shared_ptr<OpenProgramme> programme = waiting.front()->programme;
      std::vector<Credit*> mine;
      std::erase_if(waiting, [&](Credit* credit) {
        if (credit->programme != programme) return false;
        mine.push_back(credit);
        return true;
      });
      if (find(programme->programme.id) != programme) {  // closed, or under other settings since
        for (Credit* credit : mine) credit->error = closed(programme->programme);
        continue;
      }
      if (programme->stale) {
        for (Credit* credit : mine) credit->error = not_known("the open window is being loaded again");
        continue;
      }
      std::vector<activity::Submission> submissions;
      submissions.reserve(mine.size());
      for (Credit* credit : mine) submissions.push_back({&credit->records, credit->digest, {}});
      changed.push_back(programme);
      auto totals = programme->window->credit(tx, submissions, now_ms);
      if (!totals) {
        changed.pop_back();
        for (Credit* credit : mine) credit->error = totals.error();
        continue;
      }
      counts_.records.fetch_add(totals->records, std::memory_order_relaxed);
      counts_.waiting.fetch_add(totals->waiting, std::memory_order_relaxed);
      for (std::size_t i = 0; i < mine.size(); ++i) mine[i]->answers = std::move(submissions[i].answers);
    }
    committing = true;
    tx.commit();
    for (const auto& programme : changed) programme->window->committed();
  } catch (const std::exception& problem) {
    counts_.failures.fetch_add(1, std::memory_order_relaxed);
    for (Credit* credit : credits) credit->error = not_known(problem.what());
    for (const auto& programme : changed) {
      programme->window->rolled_back();
      programme->stale |= committing;  // only the database knows whether a commit that failed happened after all
    }
    changed.clear();
  }
  for (Credit* credit : credits) {
    if (credit->sandbox) rehearse(*credit, now_ms);
  }
  counts_.commits.fetch_add(1, std::memory_order_relaxed);
  counts_.requests.fetch_add(credits.size(), std::memory_order_relaxed);
  counts_.commit_microseconds.fetch_add(
      std::uint64_t(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count()),
      std::memory_order_relaxed);
  if (listener_) {
    for (const auto& programme : changed) {
      if (!programme->window->credited().empty()) listener_(programme->programme, programme->window->credited(), now_ms);
    }
  }
  answer(credits);
}

// What a sandbox key sends is decided like everything else, in a transaction that is thrown away.
void Committer::rehearse(Credit& credit, core::Millis now_ms) {
  const std::shared_ptr<OpenProgramme> programme = credit.programme;
  if (programme->stale || find(programme->programme.id) != programme) {
    credit.error = closed(programme->programme);
    return;
  }
  bool begun = false;
  try {
    db::Transaction tx = instance_.database().begin();
    activity::Submission submission{&credit.records, credit.digest, {}};
    begun = true;
    auto totals = programme->window->credit(tx, {&submission, 1}, now_ms);
    begun = bool(totals);
    if (totals)
      credit.answers = std::move(submission.answers);
    else
      credit.error = totals.error();
  } catch (const std::exception& problem) {
    credit.error = not_known(problem.what());
  }
  if (begun) programme->window->rolled_back();
}

void Committer::refresh(const std::vector<Credit*>& credits, core::Millis now_ms) {
  for (const Credit* credit : credits) {
    OpenProgramme& programme = *credit->programme;
    if (programme.stale && find(programme.programme.id) == credit->programme && programme.window->refresh(now_ms)) programme.stale = false;
  }
}

void Committer::answer(std::vector<Credit*>& credits) {
  for (Credit* credit : credits) {
    queued_records_ -= credit->records.size();
    const auto done = std::move(credit->done);  // after it the credit may be gone
    done();
  }
  credits.clear();
}

void Committer::book(activity::OpenWindow& window, core::Millis now_ms) {
  try {
    db::Transaction tx = instance_.database().begin();
    window.book(tx, now_ms);
    tx.commit();
    window.committed();
  } catch (...) {
    window.rolled_back();
    throw;
  }
}

// Balances, sealing and waiting records, when their time has come. What fails is tried again at the next time.
void Committer::keep_house() {
  std::vector<std::shared_ptr<OpenProgramme>> all;
  {
    const std::scoped_lock lock(programmes_mutex_);
    for (const auto& [id, programme] : programmes_) all.push_back(programme);
  }
  const core::Millis now_ms = now_();
  for (const auto& programme : all) {
    try {
      activity::OpenWindow& window = *programme->window;
      for (int slices = 0; slices < kSlicesMax && window.books_due(now_ms); ++slices) book(window, now_ms);
      const bool full = window.memory_bytes() > options_.window.memory_bytes;
      if (full || (options_.seal_every_ms > 0 && now_ms - programme->sealed_ms >= options_.seal_every_ms)) {
        programme->sealed_ms = now_ms;
        if (!window.seal(now_ms)) counts_.failures.fetch_add(1, std::memory_order_relaxed);
      }
      if (options_.settle_waiting_every_ms > 0 && window.waiting() > 0 &&
          now_ms - programme->settled_ms >= options_.settle_waiting_every_ms) {
        programme->settled_ms = now_ms;
        const auto report = window.settle_waiting(now_ms);
        if (!report) counts_.failures.fetch_add(1, std::memory_order_relaxed);
        if (report && *report && settled_) settled_(programme->programme, **report);
      }
    } catch (const std::exception&) {
      counts_.failures.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace tanhui::service
