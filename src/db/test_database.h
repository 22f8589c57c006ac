// db/test_database.h: a database of its own for a test, on the store that the test program was started for. For *_test.cc only.
//
// Every test program with a database runs twice: on SQLite, and with TANHUI_TEST_STORE=postgresql on the server that
// TANHUI_TEST_POSTGRES names (tests/with_postgres starts one), where each test database is a new schema. ./test skips the second run
// when PostgreSQL is not installed.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "db/db.h"

namespace tanhui::db::test {

inline bool on_postgres() {
  const char* store = std::getenv("TANHUI_TEST_STORE");
  return store != nullptr && std::string_view(store) == "postgresql";
}

inline std::string server_address() {
  const char* address = std::getenv("TANHUI_TEST_POSTGRES");
  if (address == nullptr) throw Failure("TANHUI_TEST_POSTGRES names no server: run the program by tests/with_postgres");
  return address;
}

/// The server's address with a schema as its search path, percent-encoded as addresses are.
inline std::string address_of(const std::string& schema) {
  const std::string server = server_address();
  return fmt::format("{}{}options=-csearch_path%3D{}", server, server.find('?') == std::string::npos ? '?' : '&', schema);
}

/// Somewhere to keep a database, gone afterwards: it can be opened several times, by several threads and processes.
class Place {
 public:
  Place() {
    static int count = 0;
    name_ = fmt::format("tanhui_test_{}_{}", ::getpid(), ++count);
    if (on_postgres()) {
      run(fmt::format("CREATE SCHEMA {}", name_));
    } else {
      std::filesystem::create_directories(folder());
    }
  }
  ~Place() {
    if (on_postgres()) {
      run(fmt::format("DROP SCHEMA IF EXISTS {} CASCADE", name_));
    } else {
      std::filesystem::remove_all(folder());
    }
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::string where() const { return on_postgres() ? address_of(name_) : (folder() / "test.db").string(); }
  Database open() const {
    auto database = Database::open(where());
    EXPECT_TRUE(database) << (database ? "" : database.error().message);
    return *std::move(database);
  }

 private:
  std::filesystem::path folder() const { return std::filesystem::temp_directory_path() / name_; }
  static void run(const std::string& sql) {
    auto server = Database::open(server_address());
    ASSERT_TRUE(server) << server.error().message;
    Database opened = *std::move(server);
    Transaction tx = opened.begin();
    tx.exec(sql);
    tx.commit();
  }
  std::string name_;
};

/// What the test program has made, gone with it.
inline std::vector<std::unique_ptr<Place>>& places() {
  static std::vector<std::unique_ptr<Place>> made;
  return made;
}

/// An empty database; on SQLite in memory.
inline Database fresh_database() {
  if (!on_postgres()) return *Database::open(":memory:");
  places().push_back(std::make_unique<Place>());
  return places().back()->open();
}

/// Where an instance shall keep its database: empty for its own folder, or a new schema.
inline std::string fresh_store() {
  if (!on_postgres()) return "";
  places().push_back(std::make_unique<Place>());
  return places().back()->where();
}

class CleanUp : public testing::Environment {
 public:
  void TearDown() override { places().clear(); }
};
inline const testing::Environment* const clean_up = testing::AddGlobalTestEnvironment(new CleanUp);

}  // namespace tanhui::db::test
