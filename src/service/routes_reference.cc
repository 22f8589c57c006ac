// The interface's description as JSON, and as a page to read and try: Swagger UI from api/node_modules, where scripts/install puts it. The
// page loads nothing from elsewhere and runs no script that is not a file of this server.
#include "core/files.h"
#include "core/json.h"
#include "http/entity_tag.h"
#include "service/openapi.h"
#include "service/routes.h"

namespace tanhui::service {
namespace {

constexpr std::string_view kPage = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tanhui: the interface</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<div id="reference"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/page.js"></script>
</body>
</html>
)";

constexpr std::string_view kScript = R"(SwaggerUIBundle({
  url: '/api/v1/openapi.json', dom_id: '#reference', deepLinking: true, validatorUrl: null, displayOperationId: true, displayRequestDuration: true,
});
)";

// Swagger UI sets styles on elements from scripts, which this allows, and writes none into the page's text.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action "
    "'none'; "
    "frame-ancestors 'none'";

struct Asset {
  http::Literal type;
  std::string bytes, tag;
};

/// Loaded at the start: some files of known names, nothing that a request could name otherwise.
std::map<std::string, Asset, std::less<>> load_assets(const std::filesystem::path& home) {
  const std::filesystem::path from = home / "api/node_modules/swagger-ui-dist";
  std::map<std::string, Asset, std::less<>> assets;
  const struct {
    std::string_view name;
    http::Literal type;
  } files[] = {{"swagger-ui.css", "text/css; charset=utf-8"},
               {"swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
               {"favicon-32x32.png", "image/png"}};
  for (const auto& [name, type] : files) {
    if (auto bytes = core::read_file(from / name)) assets.emplace(name, Asset{type, *bytes, http::entity_tag(std::string_view(*bytes))});
  }
  assets.emplace("page.js", Asset{"text/javascript; charset=utf-8", std::string(kScript), http::entity_tag(kScript)});
  return assets;
}

}  // namespace

core::Status add_reference_routes(Api& api) {
  const auto document = read_openapi(api.world().home / "api/openapi.yaml");
  if (!document) return document.error();
  const std::string json = boost::json::serialize(*document);
  api.add({.method = Method::get, .path = "/api/v1/openapi.json", .operation_id = "getOpenapi", .access = Access::everyone()},
          http::plain([json, tag = http::entity_tag(json)](Request& request) {
            return http::with_entity_tag(request, Response{.body = json}, tag);
          }));
  api.add({.method = Method::get, .path = "/docs", .operation_id = "getReference", .access = Access::everyone()}, http::plain([](Request&) {
            return Response{.content_type = http::kHtml, .body = std::string(kPage)}
                .header("Content-Security-Policy", kPolicy)
                .header("Referrer-Policy", "no-referrer");
          }));
  api.add(
      {.method = Method::get, .path = "/docs/assets/{file}", .operation_id = "getReferenceAsset", .access = Access::everyone()},
      http::plain([assets = load_assets(api.world().home)](Request& request) {
        const auto found = assets.find(request.path_parameter("file"));
        if (found == assets.end()) {
          return http::problem(request, core::Error{core::ErrorCode::not_found, "http.not-found", "the reference has no such part",
                                                    "where the page stays empty, run scripts/install on the server and start it again"});
        }
        const Asset& asset = found->second;
        return http::with_entity_tag(
            request, Response{.content_type = asset.type, .body = asset.bytes}.header("Cache-Control", "public, max-age=3600"), asset.tag);
      }));
  return core::Done{};
}

}  // namespace tanhui::service
