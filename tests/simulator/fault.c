#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static fault_kind armed = FAULT_NONE;
static long armed_at = 0;
static fault_report* report = NULL;
static int spared_descriptor = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

typedef enum { PASS, FAIL, HALF, HALF_THEN_DIE, DIE_AFTER } verdict;
typedef enum { A_WRITE, A_SYNC, A_NEW_NAME, A_SEND, ANOTHER } call_class;

const char* fault_name(fault_kind kind) {
  static const char* const names[FAULT_KINDS] = {"none",      "kill-before", "kill-after",  "torn-write", "short-write",
                                                 "disk-full", "sync-once",   "sync-always", "lost-server"};
  return names[kind];
}

void fault_arm(fault_kind kind, long at, fault_report* shared, int spared) {
  armed = kind;
  armed_at = at;
  report = shared;
  spared_descriptor = spared;
}

/* The last part of a path, without the digits of process ids and temporary names, so that a trace is the same every time. */
static void remember(const char* call, int descriptor, const char* path) {
  char link[64], target[PATH_MAX] = "";
  if (report->fired++ > 0) return;
  if (path == NULL && descriptor >= 0) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    path = strncmp(target, "socket:", 7) == 0 ? "server" : target;
  }
  const char* name = path != NULL && strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
  if (name != NULL && strncmp(name, "secret.key.", 11) == 0) name = "secret.key draft";
  snprintf(report->where, sizeof report->where, "%s %.40s", call, name == NULL ? "" : name);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static verdict judge(call_class class, size_t bytes) {
  switch (armed) {
    case FAULT_KILL_BEFORE:
      return FAIL;
    case FAULT_KILL_AFTER:
      return DIE_AFTER;
    case FAULT_TORN_WRITE:
      return class == A_WRITE && bytes > 1 ? HALF_THEN_DIE : PASS;
    case FAULT_SHORT_WRITE:
      return class == A_WRITE && bytes > 1 && report->fired == 0 ? HALF : PASS;
    case FAULT_DISK_FULL:
      if (class == A_WRITE) return report->fired == 0 && bytes > 1 ? HALF : FAIL;
      return class == A_NEW_NAME ? FAIL : PASS;
    case FAULT_SYNC_ONCE:
      return class == A_SYNC && report->fired == 0 ? FAIL : PASS;
    case FAULT_SYNC_ALWAYS:
      return class == A_SYNC ? FAIL : PASS;
    case FAULT_LOST_SERVER:
      return class == A_SEND && report->fired == 0 ? FAIL : PASS;
    default:
      return PASS;
  }
}

/* What becomes of this call. Dies here when the fault says so. */
static verdict meet(call_class class, const char* call, int descriptor, const char* path, size_t bytes) {
  if (report == NULL || (descriptor >= 0 && (descriptor <= 2 || descriptor == spared_descriptor))) return PASS;
  pthread_mutex_lock(&mutex);
  verdict what = PASS;
  if (++report->calls >= armed_at && armed != FAULT_NONE) {
    what = judge(class, bytes);
    if (what != PASS) {
      const int error = errno;
      remember(call, descriptor, path);
      errno = error;
    }
    if (what == FAIL && armed == FAULT_KILL_BEFORE) die();
  }
  pthread_mutex_unlock(&mutex);
  return what;
}

static int full(void) {
  errno = armed == FAULT_SYNC_ONCE || armed == FAULT_SYNC_ALWAYS ? EIO : ENOSPC;
  return -1;
}

/* The call itself between what comes before and after it. */
#define PASS_ON(class, name, descriptor, path, expression)       \
  do {                                                           \
    const verdict what = meet(class, name, descriptor, path, 0); \
    if (what == FAIL) return full();                             \
    const int result = (int)(expression);                        \
    if (what == DIE_AFTER) die();                                \
    return result;                                               \
  } while (0)

static ssize_t some_of(verdict what, ssize_t written) {
  if (what == HALF_THEN_DIE || what == DIE_AFTER) die();
  return written;
}
static size_t length_of(verdict what, size_t bytes) { return what == HALF || what == HALF_THEN_DIE ? bytes / 2 : bytes; }

ssize_t write(int descriptor, const void* data, size_t bytes) {
  const verdict what = meet(A_WRITE, "write", descriptor, NULL, bytes);
  if (what == FAIL) return full();
  return some_of(what, syscall(SYS_write, descriptor, data, length_of(what, bytes)));
}
ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  const verdict what = meet(A_WRITE, "writev", descriptor, NULL, parts[0].iov_len);
  if (what == FAIL) return full();
  if (what != HALF && what != HALF_THEN_DIE) return some_of(what, syscall(SYS_writev, descriptor, parts, count));
  return some_of(what, syscall(SYS_write, descriptor, parts[0].iov_base, parts[0].iov_len / 2));
}
ssize_t pwrite64(int descriptor, const void* data, size_t bytes, off64_t offset) {
  const verdict what = meet(A_WRITE, "pwrite", descriptor, NULL, bytes);
  if (what == FAIL) return full();
  return some_of(what, syscall(SYS_pwrite64, descriptor, data, length_of(what, bytes), offset));
}
ssize_t pwrite(int descriptor, const void* data, size_t bytes, off_t offset) { return pwrite64(descriptor, data, bytes, offset); }

int fsync(int descriptor) { PASS_ON(A_SYNC, "fsync", descriptor, NULL, syscall(SYS_fsync, descriptor)); }
int fdatasync(int descriptor) { PASS_ON(A_SYNC, "fdatasync", descriptor, NULL, syscall(SYS_fdatasync, descriptor)); }
int ftruncate64(int descriptor, off64_t length) {
  PASS_ON(ANOTHER, "ftruncate", descriptor, NULL, syscall(SYS_ftruncate, descriptor, length));
}
int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  PASS_ON(ANOTHER, "rename", -1, to, syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}
int rename(const char* from, const char* to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
int link(const char* from, const char* to) { PASS_ON(A_NEW_NAME, "link", -1, to, syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0)); }
int mkdir(const char* path, mode_t mode) { PASS_ON(A_NEW_NAME, "mkdir", -1, path, syscall(SYS_mkdirat, AT_FDCWD, path, mode)); }
int unlinkat(int folder, const char* path, int flags) { PASS_ON(ANOTHER, "unlink", -1, path, syscall(SYS_unlinkat, folder, path, flags)); }
int unlink(const char* path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char* path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) {
  struct stat what;
  return lstat(path, &what) == 0 && S_ISDIR(what.st_mode) ? rmdir(path) : unlink(path);
}

/* Only a file that is made needs room and is a change. */
static int open_at(int folder, const char* path, int flags, mode_t mode) {
  if ((flags & O_CREAT) == 0 || faccessat(folder, path, F_OK, 0) == 0) return (int)syscall(SYS_openat, folder, path, flags, mode);
  PASS_ON(A_NEW_NAME, "create", -1, path, syscall(SYS_openat, folder, path, flags, mode));
}
static mode_t mode_of(int flags, va_list arguments) { return (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(arguments, int) : 0; }
#define OPEN(name, folder_parameter, folder)                    \
  int name(folder_parameter const char* path, int flags, ...) { \
    va_list arguments;                                          \
    va_start(arguments, flags);                                 \
    const mode_t mode = mode_of(flags, arguments);              \
    va_end(arguments);                                          \
    return open_at(folder, path, flags, mode);                  \
  }
#define NO_FOLDER
#define A_FOLDER int folder,
OPEN(open, NO_FOLDER, AT_FDCWD)
OPEN(open64, NO_FOLDER, AT_FDCWD)
OPEN(openat, A_FOLDER, folder)
OPEN(openat64, A_FOLDER, folder)

/* To a server. An even call never arrives; of an odd one only the answer is lost. */
ssize_t send(int descriptor, const void* data, size_t bytes, int flags) {
  const verdict what = meet(A_SEND, "send", descriptor, NULL, bytes);
  if (what == FAIL && report->calls % 2 == 1) syscall(SYS_sendto, descriptor, data, bytes, flags, NULL, 0);
  if (what == FAIL) {
    shutdown(descriptor, SHUT_RDWR);
    errno = ECONNRESET;
    return -1;
  }
  return some_of(what, syscall(SYS_sendto, descriptor, data, bytes, flags, NULL, 0));
}
