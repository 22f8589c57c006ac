#include "cli/sample_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "activity/account.h"
#include "activity/sample.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/table.h"
#include "ledger/ledger.h"

namespace tanhui::cli {
namespace {

struct Options {
  activity::SampleOptions sample;
  std::string first_day, format, compression, output = "-";
};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// What is not said follows from the file's name: city.ndjson.gz, city.parquet.
void settle_format(Options& options) {
  std::string_view name = options.output;
  const auto take = [&](std::string_view end) {
    if (!ends_with(name, end)) return false;
    name.remove_suffix(end.size());
    return true;
  };
  using Format = activity::SampleFormat;
  using Compression = activity::SampleCompression;
  const bool gzip = take(".gz"), zstd = take(".zst");
  options.sample.compression = options.compression == "gzip" || (options.compression.empty() && gzip)   ? Compression::gzip
                               : options.compression == "zstd" || (options.compression.empty() && zstd) ? Compression::zstd
                                                                                                        : Compression::none;
  const bool ndjson = take(".ndjson") || take(".jsonl"), parquet = take(".parquet");
  options.sample.format = options.format == "ndjson" || (options.format.empty() && ndjson)     ? Format::ndjson
                          : options.format == "parquet" || (options.format.empty() && parquet) ? Format::parquet
                                                                                               : Format::csv;
}

int sample(Options options, const Shell& shell) {
  if (!options.first_day.empty()) {
    const auto day = core::parse_day(options.first_day);
    if (!day) {
      return complain({core::ErrorCode::invalid_input, "sample.first-day", fmt::format("'{}' is not a day", options.first_day),
                       "write it like 2025-03-01"},
                      shell.chinese());
    }
    options.sample.first_day = *day;
  }
  settle_format(options);
  std::ofstream file;
  if (options.output != "-") {
    file.open(options.output, std::ios::binary | std::ios::trunc);
    if (!file) {
      return complain({core::ErrorCode::invalid_input, "sample.unwritable", fmt::format("{} cannot be written", options.output),
                       "name a file in a folder that exists"},
                      shell.chinese());
    }
  }
  std::ostream& out = options.output == "-" ? std::cout : file;
  out.exceptions(std::ios::badbit | std::ios::failbit);
  const auto written = activity::write_sample(options.sample, out);
  if (!written) return complain(written.error(), shell.chinese());
  out.flush();
  Table table({Align::left, Align::right});
  table.row({"rows", grouped(std::int64_t(written->rows))});
  table.row({"acts that happened", grouped(std::int64_t(written->acts))});
  table.row({"reports of them", grouped(std::int64_t(written->reports))});
  table.row({"sent again", grouped(std::int64_t(written->redelivered))});
  for (std::size_t i = 1; i < activity::kSampleDefects; ++i) {
    table.row({fmt::format("defect {}", activity::name(activity::SampleDefect(i))), grouped(std::int64_t(written->defects[i]))});
  }
  fmt::print(stderr, "{}", table.text());
  return kOk;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return fmt::format("{:.2f}", whole == 0 ? 0.0 : 100.0 * double(part) / double(whole));
}
std::string published(std::uint32_t hundredths) { return hundredths == 0 ? "–" : fmt::format("{:.2f}", double(hundredths) / 100); }

std::string shares_table(const activity::AccountReport& report, const methodology::Library& library, bool chinese) {
  Table table({Align::left, Align::right, Align::right, Align::right, Align::right, Align::right});
  table.head(chinese ? std::vector<std::string>{"行为", "次数占比 %", "公布", "减排量占比 %", "公布", "每次 g"}
                     : std::vector<std::string>{"activity", "acts %", "published", "volume %", "published", "g an act"});
  activity::Tally tally = report.tally;
  std::uint64_t all_acts = 0;
  for (const auto& cell : tally.cells) all_acts += cell.credited;
  for (const auto& figure : activity::city_figures()) {
    const auto index = library.find_activity(figure.activity);
    if (!index) continue;
    std::uint64_t acts = 0;
    std::int64_t milligrams = 0;
    for (std::size_t source = 0; source < report.names.sources.size(); ++source) {
      const auto& cell = tally.cell(std::uint16_t(*index), std::uint16_t(source));
      acts += cell.credited;
      milligrams += cell.milligrams;
    }
    const auto& name = library.activities()[*index].name;
    table.row({chinese ? name.zh : name.en, percent(acts, all_acts), published(figure.published_acts_share),
               percent(std::uint64_t(milligrams), std::uint64_t(tally.milligrams)), published(figure.published_volume_share),
               acts == 0 ? "–" : grouped(milligrams / 1000 / std::int64_t(acts))});
  }
  return table.text();
}

int demo(const Shell& shell, std::uint64_t people) {
  const bool chinese = shell.chinese();
  const auto programme = shell.programme("wuhan-demo");
  if (!programme) return complain(programme.error(), chinese);
  const auto library = shell.library();
  if (!library) return complain(library.error(), chinese);
  // The demonstration owns this folder and starts afresh each time.
  const std::filesystem::path folder = shell.instance / "demo";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const std::filesystem::path file = folder / "city.csv";
  const InterruptGuard interrupt;
  fmt::print(fmt::runtime(chinese ? "生成样例城市：{} 人，30 天……\n" : "writing a sample city: {} people, 30 days ...\n"),
             grouped(std::int64_t(people)));
  std::fflush(stdout);
  activity::SampleOptions options;
  options.people = people;
  std::ofstream out(file, std::ios::binary);
  out.exceptions(std::ios::badbit | std::ios::failbit);
  const auto written = activity::write_sample(options, out);
  if (!written) return complain(written.error(), chinese);
  out.close();
  auto instance = identity::Instance::open_or_create(folder / "instance");
  if (!instance) return complain(instance.error(), chinese);
  auto opened = *std::move(instance);
  activity::AccountRequest request;
  request.inputs = {file.string()};
  request.now_ms = now_ms();
  request.progress = [&](const activity::Progress&) {
    if (interrupt.asked()) throw Interrupted();
  };
  const auto report = activity::account(opened, *programme, *library, request);
  if (!report) return complain(report.error(), chinese);
  fmt::print("\n{}\n{}\n", report_text(*report, *programme, *library, chinese), shares_table(*report, *library, chinese));
  fmt::print(fmt::runtime(chinese ? "  “公布”为武汉平台在 2025 年碳普惠白皮书中公布的占比；样例为合成数据。\n\n接着试试：\n"
                                  : "  'published' are the shares of Wuhan's platform in the 2025 carbon inclusion white paper; the sample "
                                    "itself is made up.\n\nGo on with:\n"));
  const std::string in =
      fmt::format("{} --instance {}", std::filesystem::proximate(std::filesystem::read_symlink("/proc/self/exe")).string(),
                  (folder / "instance").string());
  for (const auto& account : ledger::top_accounts(opened.database(), ledger::AssetKind::reduction, programme->id, 1)) {
    fmt::print("  {} statement {}\n", in, core::to_hex(account.person));
  }
  fmt::print("  {} balance --top 5\n  {} account {}\n", in, in, file.string());
  return kOk;
}

}  // namespace

void add_sample_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* write = app.add_subcommand("sample", "Write records of a believable city, with double reports and defects");
  write->add_option("--people", options->sample.people, "inhabitants who take part")->capture_default_str();
  write->add_option("--days", options->sample.days, "days")->capture_default_str();
  write->add_option("--seed", options->sample.seed, "the same seed gives the same city")->capture_default_str();
  write->add_option("--first-day", options->first_day, "first local day (default 2025-03-01)");
  write->add_option("--format", options->format, "csv, ndjson or parquet (default: by the file's name)")
      ->check(CLI::IsMember({"csv", "ndjson", "parquet"}));
  write->add_option("--compression", options->compression, "none, gzip or zstd (default: by the file's name)")
      ->check(CLI::IsMember({"none", "gzip", "zstd"}));
  write->add_option("-o,--output", options->output, "file, or - for standard output")->capture_default_str();
  write->callback([options, &shell, &exit_code] { exit_code = sample(*options, shell); });
  auto people = std::make_shared<std::uint64_t>(21'900);
  auto* show = app.add_subcommand("demo", "Account a sample city of about a million records and set its shares beside the published ones");
  show->add_option("--people", *people, "inhabitants who take part")->capture_default_str();
  show->callback([people, &shell, &exit_code] { exit_code = demo(shell, *people); });
}

}  // namespace tanhui::cli
