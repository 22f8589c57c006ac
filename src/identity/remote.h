// identity/remote.h: what the senders share of libcurl: one call, with its limits and its certificate checks. Private to this folder.
#pragma once
#include <curl/curl.h>

#include <memory>
#include <string>

namespace tanhui::identity::remote {

struct EasyFree {
  void operator()(CURL* one) const { curl_easy_cleanup(one); }
};
struct ListFree {
  void operator()(curl_slist* one) const { curl_slist_free_all(one); }
};
using Easy = std::unique_ptr<CURL, EasyFree>;
using List = std::unique_ptr<curl_slist, ListFree>;

/// A handle that takes at most `timeout_ms`, follows nothing, signals nothing, and believes `ca_file` (empty: the system) alone.
Easy make(long timeout_ms, const std::string& ca_file);

}  // namespace tanhui::identity::remote
