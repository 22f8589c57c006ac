#include "service/routes.h"

namespace tanhui::service {

core::Status add_routes(Api& api) {
  add_health_routes(api);
  add_session_routes(api);
  add_programme_routes(api);
  add_organisation_routes(api);
  add_oversight_routes(api);
  add_activity_routes(api);
  add_import_routes(api);
  add_webhook_routes(api);
  add_ocpi_routes(api);
  add_connector_routes(api);
  if (auto status = add_people_routes(api); !status) return status;
  return add_reference_routes(api);
}

}  // namespace tanhui::service
