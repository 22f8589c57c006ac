"""What all benches share: child processes with their seconds and peak memory, interleaved rounds, results and their tables.

The peak memory of a process counts what its parent held when it was started, so this process stays small: DuckDB and Arrow run in
children only (duckdb_job.py).
"""
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


class Skip(Exception):
    """Something that this bench needs is not on this machine."""


class Failure(Exception):
    """A side did not do its job."""


def say(line):
    print(line, file=sys.stderr, flush=True)


class Settings:
    """What the command line said, and what benches share: the PostgreSQL server and finished jobs that later benches look at."""

    def __init__(self, arguments):
        self.rows, self.repeats, self.threads, self.offline = arguments.rows, arguments.repeats, arguments.threads, arguments.offline
        self.folder, self.build = arguments.folder.resolve(), arguments.build.resolve()
        self.standing = set()  # jobs whose result lies in the folder
        self._postgres = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_):
        if self._postgres:
            self._postgres.stop()

    def program(self, path):
        """A program of the build: "src/app/tanhui"."""
        program = self.build / path
        if not program.exists():
            raise Failure(f"{program} is not built: cmake --preset release && ninja -C build/release, or name another build with --build")
        return program

    def postgres(self):
        """The private server, started at its first use. Skip when PostgreSQL is not installed."""
        if self._postgres is None:
            import postgres
            self._postgres = postgres.Server(self.folder, self.threads)
        return self._postgres


# ---- child processes

def measured(command, stdin=None, good=(0,)):
    """Runs a child to its end: {"seconds", "cpu_seconds", "peak_bytes"} and what it printed. Other exit codes than `good` are a Failure."""
    begin = time.monotonic()
    child = subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=subprocess.PIPE)
    try:
        output = child.stdout.read()
    except BaseException:  # stopped from outside
        child.kill()
        raise
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in good:
        raise Failure(f"exit code {child.returncode}: {shown(command)}")
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024}, output.decode()


def shown(command):
    return " ".join(str(word) if len(str(word)) < 80 else f"{str(word)[:77]}..." for word in command)


class Resident:
    """A child that does its job again for every line it is sent, and answers each with a line of JSON: memory is touched once."""

    def __init__(self, command):
        self.command = [str(word) for word in command]

    def __enter__(self):
        self.child = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def once(self):
        self.child.stdin.write("go\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise Failure(f"exit code {self.child.wait()}: {shown(self.command)}")
        return json.loads(line)

    def __exit__(self, problem, *_):
        if problem:
            self.child.kill()
        self.child.stdin.close()
        _, _, usage = os.wait4(self.child.pid, 0)
        self.child.returncode = 0
        self.peak_bytes = usage.ru_maxrss * 1024


def duckdb_job(job, threads):
    """The command for bench/duckdb_job.py, which tells what a job is."""
    return [sys.executable, "-B", HERE / "duckdb_job.py", json.dumps({"threads": threads} | job)]


def interleaved(sides, repeats):
    """{name: [measurement of each counted round]}; `sides` is {name: function}. The first round warms caches and is dropped."""
    rounds = {name: [] for name in sides}
    for number in range(repeats + 1):
        for name, once in sides.items():
            measurement = once()
            say(f"  round {number} {name:24} {measurement['seconds']:9.3f} s" + ("   (warm-up, not counted)" if number == 0 else ""))
            if number > 0:
                rounds[name].append(measurement)
    return rounds


def median(rounds, what):
    return statistics.median(one[what] for one in rounds)


# ---- inputs

def city(settings, form):
    """The city of city.sql as `form` (csv, ndjson or parquet), made once for a text of city.sql and a number of rows."""
    key = hashlib.sha256((HERE / "city.sql").read_bytes() + importlib.metadata.version("duckdb").encode()).hexdigest()[:8]
    path = settings.folder / f"city-{settings.rows}-{key}.{form}"
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    values = {"rows": settings.rows, "people": people(settings), "file": str(partial)}
    if form == "csv":
        script = (HERE / "city.sql").read_text()
    else:
        values["csv"] = str(city(settings, "csv"))
        script = (HERE / f"city_{form}.sql").read_text()
    say(f"  making {path.name} ...")
    measured(duckdb_job({"script": script, "values": values, "answer": "SELECT 1 AS one", "once": True}, settings.threads))
    partial.rename(path)
    return path


REPORTS_PER_PERSON = 19.8  # of city.sql: 14 acts, 1.5 reports each less what is left out, 1 in 100 twice


def people(settings):
    return int(settings.rows / REPORTS_PER_PERSON) + 50


# ---- results

class Result:
    """What one bench found. Lines are compared; notes are not."""

    def __init__(self, name):
        self.name, self.title = name, ""
        self.lines, self.notes, self.skipped, self.differences = [], [], [], []
        self.failed, self.details = "", {}

    def line(self, what, unit, ours, peers, more_is_better=False):
        """`peers` is {name: value}. A ratio above 1 always says that we are ahead."""
        ratios = {peer: ((ours / value if more_is_better else value / ours) if ours and value else None) for peer, value in peers.items()}
        self.lines.append({"what": what, "unit": unit, "ours": ours, "peers": peers, "ratios": ratios})

    def equal(self, what, ours, peers):
        """Remembers where a peer's answer differs from ours."""
        for peer, theirs in peers.items():
            if theirs != ours:
                self.differences.append(f"{what}: tanhui {ours}, {peer} {theirs}")
        self.details.setdefault("answers", {})[what] = ours

    def skip(self, reason):
        say(f"  skipped: {reason}")
        self.skipped.append(str(reason))

    def json(self):
        return {key: getattr(self, key) for key in ("name", "title", "lines", "notes", "skipped", "differences", "failed", "details")}

    def text(self):
        rows = [f"{self.name}: {self.title}" if self.title else self.name]
        for line in self.lines:
            words = f"  {line['what']:44} {number(line['ours']):>14} {line['unit']:8}"
            for peer, value in line["peers"].items():
                ratio = line["ratios"][peer]
                words += f"  {peer} {number(value)}" + (f" ({ratio_text(ratio)}x)" if ratio else "")
            rows.append(words)
        rows += [f"  {note}" for note in self.notes]
        rows += [f"  skipped: {reason}" for reason in self.skipped]
        if self.failed:
            rows.append(f"  FAILED: {self.failed}")
        if self.differences:
            rows += [f"  DIFFERENT {one}" for one in self.differences]
            rows.append("  The sides do not give the same answer: the times mean nothing until that is explained.")
        elif not self.failed and any(line["peers"] for line in self.lines):
            rows.append("  all sides give the same answer")
        return "\n".join(rows)


def number(value):
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def ratio_text(ratio):
    return f"{ratio:.3g}" if ratio < 100 else f"{ratio:,.0f}"


def table_of(report):
    """The Markdown table of a result, one line per measure."""
    machine, versions = report["machine"], report["versions"]
    rows = [f"{report['date']}: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, load {machine['load']} before; "
            f"{report['rows']:,} rows, medians of {report['repeats']} counted round{'s' if report['repeats'] > 1 else ''}, {report['threads']} threads a side; "
            + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".", "",
            "| bench | measure | tanhui | others (ratio) |", "|---|---|---:|---|"]
    for bench in report["benches"]:
        if bench["failed"] or bench["differences"]:
            rows.append(f"| {bench['name']} | no result: {bench['failed'] or '; '.join(bench['differences'])} | | |")
            continue
        for line in bench["lines"]:
            ours = f"{number(line['ours'])} {line['unit']}".strip()
            peers = [f"{peer} {number(value)} ({ratio_text(line['ratios'][peer])})" for peer, value in line["peers"].items() if line["ratios"][peer]]
            rows.append(f"| {bench['name']} | {line['what']} | {ours} | {'; '.join(peers)} |")
        rows += [f"| {bench['name']} | skipped: {reason} | | |" for reason in bench["skipped"]]
    return "\n".join(rows)


# ---- the machine

def first_of(path, start):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(start):
            return line.split(":", 1)[1].strip().strip('"')
    return "?"


def machine():
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return {"processor": first_of("/proc/cpuinfo", "model name"), "cores": len(os.sched_getaffinity(0)), "system": system,
            "kernel": platform.release(), "memory_gib": round(int(first_of("/proc/meminfo", "MemTotal").split()[0]) / 2**20),
            "load": round(os.getloadavg()[0], 2)}  # of the minute before


def missing_wheels():
    found = {wheel.metadata["Name"] for wheel in importlib.metadata.distributions()}
    return ", ".join(sorted({"duckdb", "pyarrow"} - found))


def first_line(command, cwd=None):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def versions(settings):
    found = {"tanhui": first_line(["git", "describe", "--always", "--dirty"], ROOT), "DuckDB": importlib.metadata.version("duckdb"),
             "pyarrow": importlib.metadata.version("pyarrow"), "PostgreSQL": settings._postgres and settings._postgres.version,
             "Go": shutil.which("go") and first_line(["go", "version"]).split()[2].removeprefix("go"), "OpenSSL": (first_line(["openssl", "version"]) or "? ?").split()[1]}
    return {name: version for name, version in found.items() if version}
