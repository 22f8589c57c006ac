// http/metrics.h: what the server counts, as Prometheus reads it. Operations are named by operation id, never by the path that was sent.
//   tanhui_http_requests_total{operation,status}   tanhui_http_request_seconds{operation} (histogram)
//   tanhui_http_answer_bytes_total                 tanhui_http_connections, tanhui_http_handler_failures_total
// Other rooms add their own to registry() and hold on to the references: looking one up costs a lock and memory, counting does not.
#pragma once
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <atomic>
#include <deque>
#include <mutex>

#include "http/server.h"

namespace tanhui::http {

class Metrics final : public Observer {
 public:
  /// Of all routes that the router has now.
  explicit Metrics(const Router& router);
  void finished(const Finished& finished) override;
  void opened() override { connections_.Increment(); }
  void closed() override { connections_.Decrement(); }
  void failed(const Request&, std::string_view) override { failures_.Increment(); }
  prometheus::Registry& registry() { return registry_; }
  /// Everything in the text format, version 0.0.4.
  std::string text() const;

 private:
  struct Operation {
    std::string id;
    prometheus::Histogram* seconds = nullptr;
    std::array<std::atomic<prometheus::Counter*>, 500> by_status{};  // from 100 on
  };
  void add(std::string id);
  prometheus::Counter& counter_of(Operation& operation, int status);
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Counter& bytes_;
  prometheus::Gauge& connections_;
  prometheus::Counter& failures_;
  std::deque<Operation> operations_;  // by route index; the last is "none"
  std::mutex mutex_;
};

}  // namespace tanhui::http
