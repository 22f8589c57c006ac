#include "identity/instance.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "db/test_database.h"

namespace tanhui::identity {
namespace {

class InstanceFolder : public testing::Test {
 protected:
  void SetUp() override { folder_ = std::filesystem::temp_directory_path() / ("tanhui-instance-" + std::to_string(::getpid())) / "deep"; }
  void TearDown() override { std::filesystem::remove_all(folder_.parent_path()); }
  Instance make() {
    auto made = Instance::open_or_create(folder_, store_);
    EXPECT_TRUE(made) << made.error().message;
    return *std::move(made);
  }
  std::filesystem::path folder_;
  const std::string store_ = db::test::fresh_store();  // empty on SQLite: in the folder
};

TEST_F(InstanceFolder, IsMadeOnceAndRecognisesPeopleAgain) {
  EXPECT_EQ(Instance::open(folder_).error().id, "instance.not-found");
  const core::PersonKey first = make().secret().person("ann");
  EXPECT_EQ(make().secret().person("ann"), first);
  EXPECT_EQ(Instance::open(folder_)->secret().person("ann"), first);
  struct stat key {};
  ASSERT_EQ(::stat((folder_ / "secret.key").c_str(), &key), 0);
  EXPECT_EQ(key.st_mode & 0777, mode_t(0600));
  EXPECT_EQ(key.st_size, off_t(core::KeySecret::kBytes));
  EXPECT_TRUE(std::filesystem::is_directory(make().journal()));
  EXPECT_TRUE(make().connect());
  const auto other = Instance::open_or_create(folder_.parent_path() / "other", db::test::fresh_store());
  EXPECT_NE(other->secret().person("ann"), first) << "every instance has its own key";
}

TEST_F(InstanceFolder, WhatIsRefused) {
  { make(); }
  std::filesystem::rename(folder_ / "secret.key", folder_ / "kept");
  EXPECT_EQ(Instance::open_or_create(folder_).error().id, "instance.key-missing");
  EXPECT_EQ(Instance::open(folder_).error().id, "instance.key-missing");
  std::filesystem::rename(folder_ / "kept", folder_ / "secret.key");
  std::ofstream(folder_ / "secret.key", std::ios::app) << "x";
  EXPECT_EQ(Instance::open(folder_).error().id, "instance.key-damaged") << "too long";
  std::filesystem::resize_file(folder_ / "secret.key", 100);
  EXPECT_EQ(Instance::open(folder_).error().id, "instance.key-damaged") << "too short";
  const auto file = folder_.parent_path() / "file";
  std::ofstream(file) << "x";
  EXPECT_EQ(Instance::open_or_create(file).error().id, "instance.not-a-folder");
}

TEST_F(InstanceFolder, ManyProcessesMakeOneInstance) {
  std::filesystem::create_directories(folder_);
  constexpr int kProcesses = 6;
  int answers[2];
  ASSERT_EQ(::pipe(answers), 0);
  for (int i = 0; i < kProcesses; ++i) {
    if (::fork() == 0) {
      core::PersonKey key;
      try {
        auto made = Instance::open_or_create(folder_, store_);
        if (made) key = made->secret().person("ann");
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      (void)!::write(answers[1], &key, sizeof key);
      ::_exit(0);
    }
  }
  const core::PersonKey expected = [&] {
    core::PersonKey key;
    EXPECT_EQ(::read(answers[0], &key, sizeof key), ssize_t(sizeof key));
    return key;
  }();
  EXPECT_NE(expected, core::PersonKey{});
  for (int i = 1; i < kProcesses; ++i) {
    core::PersonKey key;
    ASSERT_EQ(::read(answers[0], &key, sizeof key), ssize_t(sizeof key));
    EXPECT_EQ(key, expected);
  }
  while (::wait(nullptr) > 0) {}
  ::close(answers[0]);
  ::close(answers[1]);
}

TEST_F(InstanceFolder, OneRunAtATime) {
  Instance instance = make();
  auto lock = instance.lock_for_run();
  ASSERT_TRUE(lock);
  const auto second = instance.lock_for_run();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().id, "instance.busy");
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos) << second.error().message;
  { const RunLock released = *std::move(lock); }
  EXPECT_TRUE(instance.lock_for_run()) << "let go";
  const pid_t child = ::fork();
  if (child == 0) {
    Instance own = *Instance::open(folder_);  // a connection is not shared with a child
    const auto held = own.lock_for_run();
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  for (int tries = 0; tries < 500 && !instance.lock_for_run(); ++tries)  // a server takes milliseconds to notice
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(instance.lock_for_run()) << "a killed run holds nothing";
}

TEST_F(InstanceFolder, RemembersItsDatabase) {
  const std::string store = db::test::on_postgres() ? store_ : (folder_.parent_path() / "elsewhere.db").string();
  ASSERT_TRUE(Instance::open_or_create(folder_, store)) << "at first";
  EXPECT_FALSE(std::filesystem::exists(folder_ / "tanhui.db"));
  struct stat kept {};
  ASSERT_EQ(::stat((folder_ / "database").c_str(), &kept), 0);
  EXPECT_EQ(kept.st_mode & 0777, mode_t(0600));
  EXPECT_EQ(*Instance::database_of(folder_), store);
  Instance later = *Instance::open(folder_);
  EXPECT_EQ(later.database().name(), *db::Database::name_of(store)) << "and without being told again";
  EXPECT_TRUE(Instance::open(folder_, store)) << "or told the same";
  EXPECT_EQ(Instance::open(folder_, (folder_ / "tanhui.db").string()).error().id, "instance.other-database");
  EXPECT_EQ(Instance::open_or_create(folder_, "postgresql://ann:s3cret@localhost/x").error().id, "instance.other-database");
  EXPECT_EQ(Instance::open_or_create(folder_, "postgresql://ann:s3cret@localhost/x").error().message.find("s3cret"), std::string::npos);
  const auto thief = folder_.parent_path() / "thief";
  EXPECT_EQ(Instance::open_or_create(thief, store).error().id, "instance.key-missing") << "a new folder for an old database";
  std::filesystem::create_directories(thief);
  std::ofstream(thief / "secret.key") << std::string(core::KeySecret::kBytes, 'x');
  EXPECT_EQ(Instance::open_or_create(thief, store).error().id, "instance.other-key");
  EXPECT_FALSE(std::filesystem::exists(thief / "database"));
}

TEST_F(InstanceFolder, KeepsItsOwnFileWithoutSayingSo) {
  const auto own = (folder_ / "tanhui.db").string();
  { EXPECT_TRUE(Instance::open_or_create(folder_, "sqlite:" + own)); }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "database"));
  EXPECT_TRUE(Instance::open(folder_));
  EXPECT_EQ(Instance::open(folder_, (folder_ / "other.db").string()).error().id, "instance.other-database");
}

TEST_F(InstanceFolder, OneRunAtATimeOnAllMachines) {
  if (!db::test::on_postgres()) GTEST_SKIP() << "of PostgreSQL only";
  Instance here = make();
  const auto there_folder = folder_.parent_path() / "there";  // another machine with the same key
  std::filesystem::create_directories(there_folder);
  std::filesystem::copy_file(folder_ / "secret.key", there_folder / "secret.key");
  auto there = Instance::open_or_create(there_folder, store_);
  ASSERT_TRUE(there) << there.error().message;
  Instance elsewhere = *std::move(there);
  {
    const auto lock = here.lock_for_run();
    ASSERT_TRUE(lock);
    EXPECT_EQ(elsewhere.lock_for_run().error().id, "instance.busy");
  }
  EXPECT_TRUE(elsewhere.lock_for_run());
}

}  // namespace
}  // namespace tanhui::identity
