// service/record_metrics.h: what the committer counts, as Prometheus reads it:
//   tanhui_records_total, tanhui_records_pending_total (for a run), tanhui_record_requests_total, tanhui_record_requests_refused_total
//   (429), tanhui_commits_total, tanhui_commit_failures_total, tanhui_commit_seconds_total, tanhui_records_queued
#pragma once
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "service/committer.h"

namespace tanhui::service {

class RecordMetrics {
 public:
  RecordMetrics(const Committer& committer, prometheus::Registry& registry);
  /// Before the text is made.
  void update();

 private:
  struct Count {
    prometheus::Counter& counter;
    const std::atomic<std::uint64_t>& value;
    double scale;
  };
  const Committer& committer_;
  std::vector<Count> counts_;
  prometheus::Gauge& queued_;
};

}  // namespace tanhui::service
