#include "child.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <new>
#include <system_error>

namespace tanhui::sim {
namespace {

constexpr unsigned kSecondsMax = 60;  // more is a hang

/// One page that parent and child both see.
fault_report* shared_report() {
  static void* const page = ::mmap(nullptr, sizeof(fault_report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return new (page) fault_report{};
}

void send_all(int descriptor, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t count = ::write(descriptor, text.data() + sent, text.size() - sent);
    if (count <= 0) ::_exit(9);
    sent += std::size_t(count);
  }
}

std::string receive_all(int descriptor) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer, std::size_t(count));
  }
}

}  // namespace

Outcome in_child(const Fault& fault, const std::function<void(const std::function<void(const std::string&)>& say)>& work) {
  fault_report* report = shared_report();
  int pipe[2];
  if (::pipe(pipe) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    ::close(pipe[0]);
    ::alarm(kSecondsMax);
    const auto say = [&](const std::string& text) { send_all(pipe[1], text); };
    fault_arm(fault.kind, fault.at, report, pipe[1]);
    try {
      work(say);
    } catch (const std::exception& failure) {
      say(std::string("failed: ") + failure.what());
    }
    ::_exit(0);
  }
  ::close(pipe[1]);
  Outcome outcome;
  outcome.answer = receive_all(pipe[0]);
  ::close(pipe[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  outcome.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  outcome.broken = !outcome.killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  if (outcome.broken) outcome.answer += WIFSIGNALED(status) ? " [signal " + std::to_string(WTERMSIG(status)) + "]" : " [exit]";
  outcome.calls = report->calls;
  outcome.fired = report->fired;
  outcome.where = report->where;
  return outcome;
}

}  // namespace tanhui::sim
