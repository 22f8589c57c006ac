// Runs every fuzz target of src/*/*_fuzz.cc without libFuzzer: on each file of tests/corpus/<target>, then on as many changed ones as each
// target is given below, always the same. One test for each target; an input that breaks one is left in <build>/found.
//
//   fuzz_replay [--changed N] [FILE...]      N changed inputs instead; only these files, through the targets that --gtest_filter leaves
//   fuzz_replay --write-signed               writes what is signed in tests/corpus again, after a format changed
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "journal/signed_log.h"

#define TANHUI_FUZZ_TARGET(name, changed) extern "C" int fuzz_##name(const std::uint8_t*, std::size_t);
#include "fuzz_targets.inc"
#undef TANHUI_FUZZ_TARGET
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*)());  // NOLINT: the sanitizers' name

namespace {

namespace fs = std::filesystem;

struct Target {
  const char* name;
  int changed;  // inputs that are made from the corpus
  int (*run)(const std::uint8_t*, std::size_t);
};
constexpr Target kTargets[] = {
#define TANHUI_FUZZ_TARGET(name, changed) {#name, changed, fuzz_##name},
#include "fuzz_targets.inc"
#undef TANHUI_FUZZ_TARGET
};
constexpr std::size_t kBytesMax = 16 * 1024;  // of a changed input

// ---- What is being run, for the case that the process does not survive it

struct Running {
  const char* target = "";
  const std::string* input = nullptr;
};
Running running;

std::string found_path(const char* target) { return std::string(TANHUI_FOUND_DIR) + "/" + target; }

void keep_input() {  // only what a signal handler may do, but for the path, which is short
  if (running.input == nullptr) return;
  const std::string path = found_path(running.target);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return;
  (void)!::write(file, running.input->data(), running.input->size());
  ::close(file);
  const std::string words = "the input is in " + path + "; keep it in tests/corpus/" + running.target + " with the fix\n";
  (void)!::write(STDERR_FILENO, words.data(), words.size());
}

void on_signal(int number) {
  keep_input();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void watch_for_crashes() {
  if (__sanitizer_set_death_callback != nullptr) return __sanitizer_set_death_callback(keep_input);
  static std::array<char, 64 * 1024> other_stack;  // a stack that overflowed cannot run the handler
  const stack_t stack{.ss_sp = other_stack.data(), .ss_flags = 0, .ss_size = other_stack.size()};
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::sigaction(number, &action, nullptr);
}

// ---- Changed inputs

/// Small changes to inputs of the corpus, the same on every machine: the generator's numbers are used as they are, because the standard
/// leaves open what its distributions give.
class Changer {
 public:
  Changer(const char* target, const std::vector<std::string>& corpus) : corpus_(corpus) {
    std::seed_seq seed(target, target + std::char_traits<char>::length(target));
    random_.seed(seed);
  }
  std::string next() {
    std::string input = corpus_.empty() ? std::string() : any_input();
    for (std::size_t steps = 1 + below(4); steps > 0; --steps) change(input);
    if (input.size() > kBytesMax) input.resize(kBytesMax);
    return input;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& any_input() { return corpus_[below(corpus_.size())]; }
  std::string any_part(const std::string& text) {
    const std::size_t begin = below(text.size() + 1);
    return text.substr(begin, 1 + below(40));
  }

  void change(std::string& input) {
    static const std::string kWords[] = {"0",
                                         "-1",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "18446744073709551616",
                                         "1e999",
                                         "null",
                                         "\"",
                                         "\n\n",
                                         "\r",
                                         "{",
                                         "]",
                                         ": ",
                                         "\xEF\xBB\xBF",
                                         "\xFF",
                                         "\xE6\xB1\x89"};
    const std::size_t at = below(input.size() + 1), rest = input.size() - at;
    switch (below(7)) {
      case 0:
        if (rest > 0) input[at] = char(input[at] ^ 1 << below(8));
        return;
      case 1:
        if (rest > 0) input[at] = char(below(256));
        return;
      case 2:
        input.erase(at, 1 + below(std::min<std::size_t>(rest, 32)));
        return;
      case 3:
        input.insert(at, any_part(input));
        return;
      case 4:
        if (!corpus_.empty()) input.replace(at, below(rest + 1), any_part(any_input()));
        return;
      case 5:
        input.replace(at, below(4), kWords[below(std::size(kWords))]);
        return;
      default:
        input.insert(at, 1, char(below(256)));
        return;
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

// ---- The tests

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read '" + path.string() + "'");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Replay : public testing::Test {
 public:
  Replay(const Target& target, std::vector<fs::path> files, int changed) : target_(target), files_(std::move(files)), changed_(changed) {}

  void TestBody() override {
    std::vector<std::string> corpus;
    for (const fs::path& file : files_) {
      corpus.push_back(bytes_of(file));
      run(corpus.back(), file.string());
      if (HasFatalFailure()) return;
    }
    ASSERT_FALSE(corpus.empty()) << "a target has inputs to begin with: tests/corpus/" << target_.name;
    Changer changer(target_.name, corpus);
    for (int i = 0; i < changed_; ++i) {
      run(changer.next(), "changed input " + std::to_string(i));
      if (HasFatalFailure()) return;
    }
  }

 private:
  void run(const std::string& input, const std::string& what) {
    // The bytes lie alone, so that the address sanitizer sees a step beyond them.
    const std::vector<std::uint8_t> alone(input.begin(), input.end());
    running = {target_.name, &input};
    try {
      target_.run(alone.data(), alone.size());
    } catch (const std::exception& broken) {
      keep_input();
      FAIL() << what << ": " << broken.what();
    }
    running = {};
  }

  const Target& target_;
  std::vector<fs::path> files_;
  int changed_;
};

void write_signed() {
  const auto put = [](const char* name, std::string_view bytes) {
    std::ofstream(fs::path(TANHUI_CORPUS_DIR) / name, std::ios::binary) << bytes;
  };
  const tanhui::journal::SignedLog& log = tanhui::journal::signed_log();
  put("journal_proof/one-record.json", log.proofs.at(0));
  put("journal_proof/adjusted-and-key-changed.json", log.proofs.at(1));
  put("journal_witness/first.txt", log.witness_requests.at(0));
  put("journal_witness/grown.txt", log.witness_requests.at(1));
  put("journal_note/checkpoint.txt", std::string_view(log.witness_requests.at(0)).substr(log.witness_requests.at(0).find("\n\n") + 2));
  put("journal_note/public-key.txt", log.first_key.text());
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::vector<fs::path> given;
  int changed = -1;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--write-signed") {
      write_signed();
      return 0;
    }
    if (std::string(argv[i]) == "--changed" && i + 1 < argc)
      changed = std::stoi(argv[++i]);
    else
      given.emplace_back(argv[i]);
  }
  fs::create_directories(TANHUI_FOUND_DIR);
  watch_for_crashes();
  for (const Target& target : kTargets)
    testing::RegisterTest("Fuzz", target.name, nullptr, nullptr, __FILE__, __LINE__, [&target, given, changed] {
      const bool own = given.empty();
      return new Replay(target, own ? files_of(fs::path(TANHUI_CORPUS_DIR) / target.name) : given,
                        changed >= 0 ? changed
                        : own        ? target.changed
                                     : 0);
    });
  return RUN_ALL_TESTS();
}
