#include "service/routes.h"

namespace tanhui::service {

core::Status add_routes(Api& api) {
  add_health_routes(api);
  add_session_routes(api);
  add_programme_routes(api);
  add_organisation_routes(api);
  add_oversight_routes(api);
  return add_reference_routes(api);
}

}  // namespace tanhui::service
