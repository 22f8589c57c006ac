/* simulator/fault.h: the calls by which a program changes a disk (and talks to a server), counted and made to fail at a chosen one.
 *
 * fault.c defines write, pwrite, fsync, rename and their kin; the program it is linked into exports them, so they come before the C
 * library's for every shared library of the process, SQLite and Arrow too. Until fault_arm() they only pass on. A fault is a number: the
 * same process doing the same work meets it at the same call. */
#ifndef TANHUI_SIMULATOR_FAULT_H
#define TANHUI_SIMULATOR_FAULT_H
#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  FAULT_NONE,
  FAULT_KILL_BEFORE, /* SIGKILL instead of the call */
  FAULT_KILL_AFTER,  /* SIGKILL when the call is done */
  FAULT_TORN_WRITE,  /* half of a write, then SIGKILL; waits for the next write */
  FAULT_SHORT_WRITE, /* half of a write, and says so, once; waits for the next write of more than a byte */
  FAULT_DISK_FULL,   /* half of a write, then ENOSPC for whatever would need room, until the process ends */
  FAULT_SYNC_ONCE,   /* the next fsync or fdatasync says EIO */
  FAULT_SYNC_ALWAYS, /* that one and all after it */
  FAULT_LOST_SERVER, /* the next send to a server breaks its connection: it never arrives, or its answer never does */
  FAULT_KINDS
} fault_kind;

/* Shared with the parent, which reads it when the process is dead. */
typedef struct {
  long calls;     /* counted since fault_arm() */
  int fired;      /* how often the fault showed */
  char where[64]; /* the first time: "pwrite tanhui.db-wal" */
} fault_report;

/* From here on the `at`-th call (from 1) of this process meets the fault; `report` outlives the process; `spared` is never touched. */
void fault_arm(fault_kind kind, long at, fault_report* report, int spared);
const char* fault_name(fault_kind kind);

#ifdef __cplusplus
}
#endif
#endif
