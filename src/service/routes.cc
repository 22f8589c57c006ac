#include "service/routes.h"

namespace tanhui::service {

void add_routes(Api& api) {
  add_health_routes(api);
  add_activity_routes(api);
  add_import_routes(api);
}

}  // namespace tanhui::service
