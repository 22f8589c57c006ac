// service/routes.h: every file of routes adds its operations here. A new file routes_<what>.cc gets a line in both places.
#pragma once
#include "service/api.h"

namespace tanhui::service {

void add_health_routes(Api& api);
void add_session_routes(Api& api);
void add_programme_routes(Api& api);
void add_organisation_routes(Api& api);
void add_oversight_routes(Api& api);
void add_activity_routes(Api& api);
void add_import_routes(Api& api);
void add_webhook_routes(Api& api);
void add_ocpi_routes(Api& api);
void add_connector_routes(Api& api);
/// Errors: those of identity::LocalVault::open_or_create.
core::Status add_people_routes(Api& api);
/// Errors: those of read_openapi.
core::Status add_reference_routes(Api& api);

/// All of them.
core::Status add_routes(Api& api);

}  // namespace tanhui::service
