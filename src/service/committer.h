// service/committer.h: one thread that credits what all requests bring. Requests that wait together are decided together and made durable
// by one commit (group commit); each is answered when its commit is on disk. Nothing that was answered is lost, and a request that got no
// answer may be sent again: its event ids tell.
//
//   Committer committer(instance, library, options, clock);
//   auto shenzhen = committer.open(programme);               // Errors: those of OpenWindow::open
//   committer.submit(credit);                                // false: too much waits; answer 429 and Retry-After
//   committer.run([&](...) { ... }).get();                   // work that needs the windows to stand still: seal, import, settings
//
// The committer holds the instance's run lock for as long as it lives. Its thread is the only one that writes credits; others write what is
// theirs through connections of their own.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "activity/open_window.h"
#include "core/result.h"
#include "core/time.h"
#include "identity/instance.h"
#include "identity/programme.h"
#include "methodology/methodology.h"

namespace tanhui::service {

struct CommitterOptions {
  std::size_t waiting_records_max = 200'000;  // that have been taken and not decided; then submit() says no
  std::size_t batch_records_max = 20'000;     // of one commit
  activity::OpenWindowSettings window = {};
  core::Millis seal_every_ms = core::kMillisPerDay;  // at the latest; 0: only when asked
  core::Millis settle_waiting_every_ms = 600'000;    // records that wait for a run; 0: only when asked
};

/// A programme that takes records. Shared with the requests that are under way.
struct OpenProgramme {
  identity::Programme programme;
  std::unique_ptr<activity::OpenWindow> window;  // the committer's thread only, but for names()
  core::Millis sealed_ms = 0, settled_ms = 0;
  bool stale = false;  // its memory may not be what the database holds
};

/// One request's records on their way. Whoever submits keeps it until `done` is called, on the committer's thread.
struct Credit {
  std::shared_ptr<OpenProgramme> programme;
  activity::RecordBatch records = {};
  core::Digest digest{};
  bool sandbox = false;  // decided and answered, and nothing is kept
  std::function<void()> done = {};
  // the answer:
  std::optional<core::Error> error = {};  // none of the records counted
  std::vector<activity::WindowAnswer> answers = {};
};

struct CommitterCounts {
  std::atomic<std::uint64_t> commits{0}, requests{0}, records{0}, waiting{0}, failures{0}, refused{0};
  std::atomic<std::uint64_t> commit_microseconds{0};
};

class Committer {
 public:
  using Clock = std::function<core::Millis()>;
  /// Who was credited by a commit, after it; on the committer's thread.
  using Listener = std::function<void(const identity::Programme&, const std::vector<activity::Credited>&, core::Millis now_ms)>;

  /// What a run decided of records that had waited; on the committer's thread.
  using Settled = std::function<void(const identity::Programme&, const activity::AccountReport&)>;
  /// Errors: instance.busy when another process runs on the instance.
  static core::Result<std::unique_ptr<Committer>> start(identity::Instance& instance, const methodology::Library& library,
                                                        CommitterOptions options, Clock now);
  /// Decides what was taken, then ends. What is open stays open: the next process goes on with it.
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Takes records of `programme` from now on. One that is open already is sealed and opened again under the new settings.
  core::Result<std::shared_ptr<OpenProgramme>> open(identity::Programme programme);
  std::shared_ptr<OpenProgramme> find(std::string_view programme) const;
  /// Seals and takes no more.
  core::Status close(std::string_view programme);
  void listen(Listener listener);
  void on_settled(Settled settled);

  /// False when too much waits. `credit` stays where it is until done.
  bool submit(Credit& credit);
  std::size_t waiting_records() const { return queued_records_; }

  /// Runs `work` on the committer's thread, between commits.
  template <class Work>
  auto run(Work work) -> std::future<decltype(work())> {
    auto task = std::make_shared<std::packaged_task<decltype(work())()>>(std::move(work));
    auto future = task->get_future();
    enqueue([task] { (*task)(); });
    return future;
  }
  const CommitterCounts& counts() const { return counts_; }
  const methodology::Library& library() const { return library_; }
  identity::Instance& instance() { return instance_; }

 private:
  Committer(identity::Instance& instance, const methodology::Library& library, CommitterOptions options, Clock now, identity::RunLock lock);
  void enqueue(std::function<void()> task);
  void loop();
  void commit(std::vector<Credit*>& credits);
  void refresh(const std::vector<Credit*>& credits, core::Millis now_ms);
  void rehearse(Credit& credit, core::Millis now_ms);
  void answer(std::vector<Credit*>& credits);
  void keep_house();
  void book(activity::OpenWindow& window, core::Millis now_ms);

  identity::Instance& instance_;
  const methodology::Library& library_;
  const CommitterOptions options_;
  const Clock now_;
  identity::RunLock lock_;
  mutable std::mutex mutex_;
  std::condition_variable something_;
  std::vector<Credit*> queue_;
  std::deque<std::function<void()>> tasks_;
  std::atomic<std::size_t> queued_records_{0};
  bool stopping_ = false;
  mutable std::mutex programmes_mutex_;
  std::map<std::string, std::shared_ptr<OpenProgramme>, std::less<>> programmes_;
  Listener listener_;
  Settled settled_;
  CommitterCounts counts_;
  std::thread thread_;
};

}  // namespace tanhui::service
