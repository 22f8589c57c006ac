#include "service/record_metrics.h"

namespace tanhui::service {
namespace {

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

RecordMetrics::RecordMetrics(const Committer& committer, prometheus::Registry& registry)
    : committer_(committer),
      queued_(prometheus::BuildGauge().Name("tanhui_records_queued").Help("Records taken and not decided").Register(registry).Add({})) {
  const CommitterCounts& counts = committer.counts();
  counts_.push_back({counter(registry, "tanhui_records_total", "Records that were decided"), counts.records, 1});
  counts_.push_back({counter(registry, "tanhui_records_pending_total", "Records that wait for a run"), counts.waiting, 1});
  counts_.push_back({counter(registry, "tanhui_record_requests_total", "Requests with records that were decided"), counts.requests, 1});
  counts_.push_back({counter(registry, "tanhui_record_requests_refused_total", "Answered 429: too much waited"), counts.refused, 1});
  counts_.push_back({counter(registry, "tanhui_commits_total", "Commits of records"), counts.commits, 1});
  counts_.push_back({counter(registry, "tanhui_commit_failures_total", "Commits, seals and runs that failed"), counts.failures, 1});
  counts_.push_back({counter(registry, "tanhui_commit_seconds_total", "Time in them"), counts.commit_microseconds, 1e-6});
}

void RecordMetrics::update() {
  for (const Count& count : counts_) {
    const double now = double(count.value.load(std::memory_order_relaxed)) * count.scale;
    if (now > count.counter.Value()) count.counter.Increment(now - count.counter.Value());
  }
  queued_.Set(double(committer_.waiting_records()));
}

}  // namespace tanhui::service
