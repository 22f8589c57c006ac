#include "http/metrics.h"

#include <prometheus/text_serializer.h>

namespace tanhui::http {
namespace {

// From a cached answer to the longest that anybody waits.
const prometheus::Histogram::BucketBoundaries kSeconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                       0.05,   0.1,     0.25,   0.5,   1,      2.5,   10,   60};

}  // namespace

Metrics::Metrics(const Router& router)
    : requests_(prometheus::BuildCounter().Name("tanhui_http_requests_total").Help("Requests answered").Register(registry_)),
      seconds_(prometheus::BuildHistogram()
                   .Name("tanhui_http_request_seconds")
                   .Help("From the end of a request's header until its answer is written")
                   .Register(registry_)),
      bytes_(prometheus::BuildCounter()
                 .Name("tanhui_http_answer_bytes_total")
                 .Help("Bytes of answers' bodies, without streams")
                 .Register(registry_)
                 .Add({})),
      connections_(prometheus::BuildGauge().Name("tanhui_http_connections").Help("Open connections").Register(registry_).Add({})),
      failures_(
          prometheus::BuildCounter().Name("tanhui_http_handler_failures_total").Help("Handlers that threw").Register(registry_).Add({})) {
  for (const Router::Entry& entry : router.entries()) add(entry.route.operation_id);
  add("none");
}

void Metrics::add(std::string id) {
  Operation& operation = operations_.emplace_back();
  operation.seconds = &seconds_.Add({{"operation", id}}, kSeconds);
  operation.id = std::move(id);
}

prometheus::Counter& Metrics::counter_of(Operation& operation, int status) {
  auto& slot = operation.by_status[std::size_t(std::clamp(status, 100, 599) - 100)];
  if (auto* known = slot.load(std::memory_order_acquire)) return *known;
  const std::scoped_lock lock(mutex_);  // Add() of the same labels gives the same counter
  auto& counter = requests_.Add({{"operation", operation.id}, {"status", std::to_string(status)}});
  slot.store(&counter, std::memory_order_release);
  return counter;
}

void Metrics::finished(const Finished& finished) {
  Operation& operation = operations_[std::min(finished.route_index, operations_.size() - 1)];
  counter_of(operation, finished.status).Increment();
  operation.seconds->Observe(double(finished.duration.count()) * 1e-6);
  if (finished.body_bytes > 0) bytes_.Increment(double(finished.body_bytes));
}

std::string Metrics::text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

}  // namespace tanhui::http
