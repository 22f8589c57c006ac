// identity/tenancy_fixture.h: a small tree of programmes with organisations and staff. For *_test.cc only.
//
//   province 420000 ─┬─ city 420100 ─┬─ company 420100
//                    │               └─ event   420106
//                    └─ town 420300
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "db/test_database.h"
#include "identity/organisation.h"
#include "identity/programmes.h"
#include "identity/rights.h"
#include "identity/staff.h"

namespace tanhui::identity::test {

inline By at(core::Millis ms) { return {std::string(kConsole), "", ms}; }

inline std::string settings(std::string_view id, std::string_view region, std::string_view parent = "", int daily_cap = 500) {
  return fmt::format(R"(id: {}
name: {{en: {}, zh: 项目}}
region: "{}"
time_zone: Asia/Shanghai
{}currency: CNY
methodologies: {{statuses: [official]}}
sources:
  gate: {{name: {{en: Gate, zh: 闸机}}, priority: 1, evidence: metered}}
points: {{per_kilogram: 10, daily_cap: {}, expires_after_days: 365}}
clock: {{earliest_day: 2020-01-01, future_tolerance: 10 min}}
consent: {{required: false}}
)",
                     id, id, region, parent.empty() ? "" : fmt::format("parent: {}\n", parent), daily_cap);
}

/// What cannot fail in a test.
template <class T>
T must(core::Result<T> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return *std::move(result);
}
/// The id of the error, or empty.
template <class T>
std::string error_of(const core::Result<T>& result) {
  return result ? "" : result.error().id;
}

/// In a transaction of its own.
template <class Work>
auto within(db::Database& database, Work work) {
  return database.transact([&](db::Transaction& tx) { return work(tx); });
}

struct World {
  db::Database database = db::test::fresh_database();
  World() {
    db::Transaction tx = database.begin();
    for (const auto& [id, region, parent] :
         {std::tuple("province", "420000", ""), std::tuple("city", "420100", "province"), std::tuple("company", "420100", "city"),
          std::tuple("event", "420106", "city"), std::tuple("town", "420300", "province")})
      must(create_programme(tx, at(0), settings(id, region, parent)));
    for (const auto& [id, programme] : {std::pair("metro", "city"), std::pair("bakery", "city"), std::pair("tram", "town")})
      must(create_organisation(tx, at(0), id, programme, {{id, "公司"}, {OrganisationKind::partner}}));
    tx.commit();
  }
  std::string staff(std::string_view email) {
    return must(within(database, [&](auto& tx) { return create_staff(tx, at(0), email, "Somebody", ""); })).id;
  }
  std::string member(std::string_view email, Role role, std::string_view place) {
    const std::string id = staff(email);
    must(within(database, [&](auto& tx) { return add_member(tx, at(0), id, role, place); }));
    return id;
  }
};

}  // namespace tanhui::identity::test
