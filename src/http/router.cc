#include "http/router.h"

#include <algorithm>

#include "core/invariant.h"

namespace tanhui::http {
namespace {

struct Segment {
  std::string_view text;
  bool parameter = false;
};

std::vector<Segment> segments_of(std::string_view path) {
  core::invariant(path.starts_with('/'), "a route's path begins with /");
  std::vector<Segment> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view text = path.substr(0, end);
    path.remove_prefix(end);
    const bool parameter = text.size() > 2 && text.front() == '{' && text.back() == '}';
    core::invariant(parameter || text.find_first_of("{}%") == std::string_view::npos, "a parameter is a whole segment of a route's path");
    segments.push_back({parameter ? text.substr(1, text.size() - 2) : text, parameter});
  }
  return segments;
}

}  // namespace

std::string_view Request::path_parameter(std::string_view name) const {
  core::invariant(parameter_names_ != nullptr, "a request that is handled has a route");
  const auto found = std::find(parameter_names_->begin(), parameter_names_->end(), name);
  core::invariant(found != parameter_names_->end(), "a handler asks for parameters of its own path");
  return view(path_values_[std::size_t(found - parameter_names_->begin())]);
}

Router::Router() : nodes_(1) {}

void Router::add(Route route, Handler handler) {
  core::invariant(route.method != Method::other && route.method != Method::head && route.method != Method::options,
                  "routes are added for GET, POST, PUT, PATCH and DELETE");
  for (const Entry& other : entries_) core::invariant(other.route.operation_id != route.operation_id, "each operation id is used once");
  Entry& entry = entries_.emplace_back(Entry{std::move(route), std::move(handler), {}, entries_.size()});
  std::uint32_t at = 0;
  for (const Segment& segment : segments_of(entry.route.path)) {
    std::uint32_t next = 0;
    if (segment.parameter) {
      entry.parameters.emplace_back(segment.text);
      next = nodes_[at].parameter;
    } else {
      for (const auto& [text, node] : nodes_[at].literals) next = text == segment.text ? node : next;
    }
    if (next == 0) {
      next = std::uint32_t(nodes_.size());
      nodes_.emplace_back();
      if (segment.parameter) {
        nodes_[at].parameter = next;
      } else {
        auto& literals = nodes_[at].literals;
        literals.emplace(std::upper_bound(literals.begin(), literals.end(), std::pair(std::string(segment.text), 0U)), segment.text, next);
      }
    }
    at = next;
  }
  core::invariant(entry.parameters.size() <= Request::kPathParametersMax, "a path has at most 8 parameters");
  core::invariant(nodes_[at].entries[std::size_t(entry.route.method)] == nullptr, "a method and path have one route");
  nodes_[at].entries[std::size_t(entry.route.method)] = &entry;
  nodes_[at].allowed |= std::uint8_t(1U << unsigned(entry.route.method));
  if (entry.route.method == Method::get) nodes_[at].allowed |= std::uint8_t(1U << unsigned(Method::head));
  nodes_[at].allowed |= std::uint8_t(1U << unsigned(Method::options));
}

struct Router::Search {
  Request& request;
  Method method;
  Found found;
  std::size_t depth = 0;                                               // of parameters
  std::array<std::string_view, Request::kPathParametersMax> values{};  // as sent
};

/// Looks for `rest`, which begins with / or is empty, below `node`. Written-out segments first; when nothing is found below, {name}.
bool Router::match(Search& search, std::uint32_t at, std::string_view rest) const {
  const Node& node = nodes_[at];
  if (rest.empty()) {
    search.found.allowed |= node.allowed;
    const Method method = search.method == Method::head ? Method::get : search.method;
    search.found.entry = method == Method::other ? nullptr : node.entries[std::size_t(method)];
    return search.found.entry != nullptr;
  }
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(end);
  const auto literal = std::lower_bound(node.literals.begin(), node.literals.end(), segment,
                                        [](const auto& pair, std::string_view text) { return pair.first < text; });
  if (literal != node.literals.end() && literal->first == segment && match(search, literal->second, rest)) return true;
  if (node.parameter == 0 || segment.empty()) return false;
  const std::size_t depth = search.depth;
  search.values[search.depth++] = segment;
  if (match(search, node.parameter, rest)) return true;
  search.depth = depth;
  return false;
}

Router::Found Router::find(Request& request) const {
  Search search{request, request.method(), {}, 0, {}};
  // Paths are short, but what is sent need not be: more segments than any route has are found out by the tree, which ends.
  match(search, 0, request.path());
  if (search.found.entry == nullptr) return search.found;
  std::array<Request::Span, Request::kPathParametersMax> sent{};  // places, because what is kept below may move the text
  for (std::size_t i = 0; i < search.depth; ++i) {
    sent[i] = {std::uint32_t(search.values[i].data() - request.head_.data()), std::uint32_t(search.values[i].size())};
  }
  for (std::size_t i = 0; i < search.depth; ++i) {
    request.path_values_[i] = sent[i];
    if (request.view(sent[i]).find('%') == std::string_view::npos) continue;
    std::string decoded;
    if (!append_decoded(request.view(sent[i]), false, decoded)) return {nullptr, 0};
    request.path_values_[i] = request.keep(decoded);
  }
  request.route_ = &search.found.entry->route;
  request.parameter_names_ = &search.found.entry->parameters;
  return search.found;
}

std::string allow_list(std::uint8_t allowed) {
  std::string list;
  for (std::size_t i = 0; i < kMethods; ++i) {
    if ((allowed >> i & 1) == 0) continue;
    list.append(list.empty() ? "" : ", ").append(name_of(Method(i)));
  }
  return list;
}

}  // namespace tanhui::http
