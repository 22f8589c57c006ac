#include "service/imports.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>

#include "activity/account_json.h"
#include "core/files.h"
#include "core/json.h"
#include "service/webhooks.h"

namespace tanhui::service {
namespace {

constexpr std::string_view kColumns = "id, programme, source, sender, profile, state, report, bytes, created_ms, finished_ms, run";

Import import_of(const db::Row& row) {
  return {row.get<std::string>(0),
          row.get<std::string>(1),
          row.get<std::string>(2),
          row.get<std::string>(3),
          row.get<std::string>(4),
          row.get<std::string>(5),
          row.get<std::string>(6),
          row.integer(7),
          row.integer(8),
          row.is_null(9) ? std::nullopt : std::optional(row.integer(9)),
          row.is_null(10) ? std::nullopt : std::optional(row.integer(10))};
}

bool is_profile_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

/// Where the file lies here is nobody's business.
core::Error without_path(core::Error error, const std::string& path) {
  const auto hide = [&](std::string& text) {
    for (auto at = text.find(path); at != std::string::npos; at = text.find(path)) text.replace(at, path.size(), "the file");
  };
  hide(error.message);
  hide(error.action);
  for (auto& [name, value] : error.params) hide(value);
  return error;
}

std::string problem_json(const core::Error& error) {
  boost::json::object params;
  for (const auto& [name, value] : error.params) params[name] = value;
  return boost::json::serialize(boost::json::object{
      {"type", "urn:tanhui:problem:" + error.id}, {"detail", error.message}, {"action", error.action}, {"params", std::move(params)}});
}

}  // namespace

std::optional<Import> find_import(db::Reader& reader, std::string_view id) {
  std::optional<Import> found;
  reader.each(
      fmt::format("SELECT {} FROM import WHERE id = $1", kColumns), [&](const db::Row& row) { found = import_of(row); }, id);
  return found;
}

std::vector<Import> imports_of(db::Reader& reader, std::string_view programme, std::string_view source, std::int64_t limit) {
  std::vector<Import> found;
  reader.each(
      fmt::format("SELECT {} FROM import WHERE programme = $1 AND ($2 = '' OR source = $2) ORDER BY created_ms DESC, id LIMIT $3",
                  kColumns),
      [&](const db::Row& row) { found.push_back(import_of(row)); }, programme, source, limit);
  return found;
}

Imports::Imports(Committer& committer, db::Pool& databases, std::filesystem::path home, std::filesystem::path folder,
                 std::function<core::Millis()> now, std::function<void(std::span<std::uint8_t>)> random)
    : committer_(committer),
      databases_(databases),
      home_(std::move(home)),
      folder_(std::move(folder) / "imports"),
      now_(std::move(now)),
      random_(std::move(random)) {
  std::filesystem::create_directories(folder_);
  std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  thread_ = std::thread([this] { loop(); });
}

Imports::~Imports() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  something_.notify_one();
  thread_.join();
}

core::Result<Import> Imports::add(const NewImport& wanted, std::string_view bytes) {
  if (!wanted.profile.empty() &&
      (!is_profile_name(wanted.profile) || !std::filesystem::exists(home_ / "profiles" / (wanted.profile + ".yaml"))))
    return core::Error{core::ErrorCode::not_found,
                       "import.no-profile",
                       fmt::format("there is no profile '{}'", wanted.profile),
                       "name a profile that the operator has in profiles/, or none for the native format",
                       {{"profile", wanted.profile}}};
  if (!committer_.find(wanted.programme))
    return core::Error{core::ErrorCode::refused,
                       "programme.not-open",
                       fmt::format("programme {} takes no records", wanted.programme),
                       "ask its operator when it opens",
                       {{"programme", wanted.programme}}};
  std::array<std::uint8_t, 16> id{};
  random_(id);
  Import import{
      core::to_hex(id), wanted.programme, wanted.source, wanted.sender, wanted.profile, "queued", "", std::int64_t(bytes.size()), now_()};
  auto lease = databases_.take();
  if (!lease) return lease.error();
  auto taken = *std::move(lease);
  if (taken.database().find<std::int64_t>("SELECT count(*) FROM import WHERE state = 'queued'").value_or(0) >= kQueuedMax)
    return core::Error{core::ErrorCode::refused, "import.too-many", fmt::format("{} files wait already", kQueuedMax),
                       "send it again later"};
  core::write_file(file_of(import.id), bytes, 0600);
  db::Transaction tx = taken.database().begin();
  tx.exec(
      "INSERT INTO import (id, programme, source, sender, profile, bytes, digest, state, created_ms, report) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', $8, '')",
      import.id, import.programme, import.source, import.sender, import.profile, import.bytes, core::sha256(bytes), import.created_ms);
  tx.commit();
  {
    const std::scoped_lock lock(mutex_);
    added_ = true;
  }
  something_.notify_one();
  return import;
}

std::optional<activity::Progress> Imports::progress_of(std::string_view id) const {
  const std::scoped_lock lock(mutex_);
  if (running_ != id) return std::nullopt;
  return progress_;
}

void Imports::loop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      something_.wait_for(lock, std::chrono::seconds(10), [&] { return stopping_ || added_; });
      if (stopping_) return;
      added_ = false;
    }
    try {
      while (auto import = next()) {
        take(*import);
        const std::scoped_lock lock(mutex_);
        if (stopping_) return;
      }
    } catch (const std::exception&) {  // the database is away: it is asked again
    }
  }
}

std::optional<Import> Imports::next() {
  auto lease = databases_.take();
  if (!lease) return std::nullopt;
  auto taken = *std::move(lease);
  std::optional<Import> found;
  taken.database().each(fmt::format("SELECT {} FROM import WHERE state = 'queued' ORDER BY created_ms, id LIMIT 1", kColumns),
                        [&](const db::Row& row) { found = import_of(row); });
  return found;
}

void Imports::take(const Import& import) {
  {
    const std::scoped_lock lock(mutex_);
    running_ = import.id;
    progress_ = {};
  }
  const auto over = [this] {
    const std::scoped_lock lock(mutex_);
    running_.clear();
  };
  const auto programme = committer_.find(import.programme);
  if (!programme) {
    finish(import, false,
           problem_json({core::ErrorCode::refused, "programme.not-open", "the programme takes no records any more", "ask its operator"}),
           {});
    return over();
  }
  activity::AccountRequest request;
  request.inputs = {file_of(import.id).string()};
  if (!import.profile.empty()) request.profile = home_ / "profiles" / (import.profile + ".yaml");
  request.only_source = import.source;
  request.now_ms = now_();
  request.progress = [this](const activity::Progress& progress) {
    const std::scoped_lock lock(mutex_);
    progress_ = progress;
  };
  try {
    auto report = committer_.run([&] { return programme->window->account(request); }).get();
    if (report)
      finish(import, true, boost::json::serialize(activity::report_json(*report, programme->programme)),
             report->run == 0 ? std::nullopt : std::optional(std::int64_t(report->run)));
    else
      finish(import, false, problem_json(without_path(report.error(), request.inputs.front())), {});
  } catch (const db::Failure&) {
    over();
    throw;
  } catch (const std::exception&) {
    finish(import, false,
           problem_json(
               {core::ErrorCode::refused, "import.failed", "the run did not come to its end", "ask the operator, whose log says why"}),
           {});
  }
  over();
}

void Imports::finish(const Import& import, bool fine, const std::string& report, std::optional<std::int64_t> run) {
  auto lease = databases_.take();
  if (!lease) throw db::Failure(lease.error().message);
  auto taken = *std::move(lease);
  db::Transaction tx = taken.database().begin();
  tx.exec("UPDATE import SET state = $2, finished_ms = $3, report = $4, run = $5 WHERE id = $1", import.id, fine ? "done" : "failed",
          now_(), report, run);
  tell(tx, import.programme, "", "import.finished",
       boost::json::serialize(boost::json::object{{"id", import.id}, {"state", fine ? "done" : "failed"}, {"source", import.source}}),
       now_());
  tx.commit();
  std::error_code ignored;
  std::filesystem::remove(file_of(import.id), ignored);
}

}  // namespace tanhui::service
