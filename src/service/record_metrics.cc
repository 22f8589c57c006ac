#include "service/record_metrics.h"

namespace tanhui::service {
namespace {

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

RecordMetrics::RecordMetrics(const Committer& committer, const MqttCounts* mqtt, prometheus::Registry& registry)
    : committer_(committer),
      queued_(prometheus::BuildGauge().Name("tanhui_records_queued").Help("Records taken and not decided").Register(registry).Add({})),
      mqtt_(mqtt) {
  const CommitterCounts& counts = committer.counts();
  counts_.push_back({counter(registry, "tanhui_records_total", "Records that were decided"), counts.records, 1});
  counts_.push_back({counter(registry, "tanhui_records_pending_total", "Records that wait for a run"), counts.waiting, 1});
  counts_.push_back({counter(registry, "tanhui_record_requests_total", "Requests with records that were decided"), counts.requests, 1});
  counts_.push_back({counter(registry, "tanhui_record_requests_refused_total", "Answered 429: too much waited"), counts.refused, 1});
  counts_.push_back({counter(registry, "tanhui_commits_total", "Commits of records"), counts.commits, 1});
  counts_.push_back({counter(registry, "tanhui_commit_failures_total", "Commits, seals and runs that failed"), counts.failures, 1});
  counts_.push_back({counter(registry, "tanhui_commit_seconds_total", "Time in them"), counts.commit_microseconds, 1e-6});
  if (mqtt == nullptr) return;
  counts_.push_back({counter(registry, "tanhui_mqtt_messages_total", "Messages of devices"), mqtt->messages, 1});
  counts_.push_back({counter(registry, "tanhui_mqtt_acknowledged_total", "Those that were acknowledged"), mqtt->acknowledged, 1});
  counts_.push_back({counter(registry, "tanhui_mqtt_records_total", "Records in them"), mqtt->records, 1});
  counts_.push_back({counter(registry, "tanhui_mqtt_dead_letters_total", "Messages that nothing could be made of"), mqtt->dead_letters, 1});
  counts_.push_back({counter(registry, "tanhui_mqtt_connections_total", "Connections to the broker"), mqtt->connections, 1});
  counts_.push_back({counter(registry, "tanhui_mqtt_connections_lost_total", "Those that were lost"), mqtt->lost_connections, 1});
  connected_ = &prometheus::BuildGauge().Name("tanhui_mqtt_connected").Help("1 while the broker is connected").Register(registry).Add({});
}

void RecordMetrics::update() {
  for (const Count& count : counts_) {
    const double now = double(count.value.load(std::memory_order_relaxed)) * count.scale;
    if (now > count.counter.Value()) count.counter.Increment(now - count.counter.Value());
  }
  queued_.Set(double(committer_.waiting_records()));
  if (connected_ != nullptr) connected_->Set(mqtt_->connected ? 1 : 0);
}

}  // namespace tanhui::service
