// service/record_metrics.h: what the committer counts, as Prometheus reads it:
//   tanhui_records_total, tanhui_records_pending_total (for a run), tanhui_record_requests_total, tanhui_record_requests_refused_total
//   (429), tanhui_commits_total, tanhui_commit_failures_total, tanhui_commit_seconds_total, tanhui_records_queued
// and, where devices publish over MQTT,
//   tanhui_mqtt_messages_total, tanhui_mqtt_acknowledged_total, tanhui_mqtt_records_total, tanhui_mqtt_dead_letters_total,
//   tanhui_mqtt_connections_total, tanhui_mqtt_connections_lost_total, tanhui_mqtt_connected
#pragma once
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "service/committer.h"
#include "service/mqtt.h"

namespace tanhui::service {

class RecordMetrics {
 public:
  /// `mqtt` may be null.
  RecordMetrics(const Committer& committer, const MqttCounts* mqtt, prometheus::Registry& registry);
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
  const MqttCounts* mqtt_;
  prometheus::Gauge* connected_ = nullptr;
};

}  // namespace tanhui::service
