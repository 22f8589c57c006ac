"""tanhui account against DuckDB doing the same job in SQL, in one run. bench/README.md says how to read it."""
import argparse
import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REPORTS_PER_PERSON = 19.8  # of city.sql: 14 acts, 1.5 reports each less what is left out, 1 in 100 twice


def main():
    arguments = parse_arguments()
    if arguments.duckdb_job:
        return duckdb_job(arguments)
    if arguments.make:
        return make(arguments)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    source = arguments.file or generated_file(arguments)
    ours, theirs = [], []
    for round_number in range(arguments.repeats + 1):  # the first round warms the page cache and is dropped
        for name, runs, measure in (("tanhui", ours, run_tanhui), ("DuckDB", theirs, run_duckdb)):
            result = measure(arguments, source)
            say(f"  round {round_number} {name:7} {result['seconds']:7.2f} s {result['peak_bytes'] / 2**20:7.0f} MiB"
                + ("   (warm-up, not counted)" if round_number == 0 else ""))
            if round_number > 0:
                runs.append(result)
    report = summary(arguments, source, ours, theirs)
    print(json.dumps(report, indent=2) if arguments.json else text_of(report))
    return 0 if report["same_credit"] else 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=pathlib.Path, help="another input of the native format whose acts keep the law of city.sql")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build" / "bench", help="for the input and the results; 2 GB for 10 million rows")
    parser.add_argument("--tanhui", type=pathlib.Path, help="the program to measure (default: the newest one below build/)")
    parser.add_argument("--programme", default="wuhan-demo")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--duckdb-job", type=pathlib.Path, help=argparse.SUPPRESS)  # the child process of run_duckdb
    parser.add_argument("--make", type=pathlib.Path, help=argparse.SUPPRESS)  # the child process of generated_file
    parser.add_argument("--database", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def say(line):
    print(line, file=sys.stderr, flush=True)


# ---- the input

def generated_file(arguments):
    """Made once for a text of city.sql and a number of rows; by a child, because the peak memory of a parent is counted in its children."""
    key = hashlib.sha256((HERE / "city.sql").read_bytes() + importlib.metadata.version("duckdb").encode()).hexdigest()[:8]
    path = arguments.folder / f"accounting-{arguments.rows}-{key}.csv"
    if not path.exists():
        say(f"making {arguments.rows:,} rows in {path} ...")
        partial = path.with_suffix(".partial")
        subprocess.run([sys.executable, __file__, "--make", partial, "--rows", str(arguments.rows), "--threads", str(arguments.threads)], check=True)
        partial.rename(path)
    return path


def make(arguments):
    import duckdb
    people = int(arguments.rows / REPORTS_PER_PERSON) + 50
    query = (HERE / "city.sql").read_text().replace("$rows", str(arguments.rows)).replace("$people", str(people)).replace("$file", str(arguments.make))
    connection = duckdb.connect()
    connection.execute(f"SET threads = {arguments.threads}")
    connection.execute(query)
    return 0


# ---- measuring one child process: seconds, peak memory, what it printed

def measured(command):
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"failed with exit code {child.returncode}: {' '.join(map(str, command))}")
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024}, json.loads(output)


def run_tanhui(arguments, source):
    program = arguments.tanhui or newest_program()
    instance = arguments.folder / "instance"
    shutil.rmtree(instance, ignore_errors=True)
    result, report = measured([program, "--instance", instance, "account", "--programme", arguments.programme, "--quiet", "--report", "json",
                               "--threads", str(arguments.threads), source])
    result |= {"milligrams": report["milligrams"], "points": report["points"], "records": report["records"],
               "journal_bytes": report["journal"]["bytes"], "journal_rows": report["journal"]["rows"], "steps": report["seconds"]}
    shutil.rmtree(instance)
    return result


def newest_program():
    found = sorted(ROOT.glob("build/*/**/tanhui"), key=lambda path: path.stat().st_mtime)
    found = [path for path in found if path.is_file() and os.access(path, os.X_OK)]
    if not found:
        sys.exit("no tanhui below build/: build it (cmake --preset release && cmake --build --preset release), or name it with --tanhui")
    return found[-1]


def run_duckdb(arguments, source):
    database = arguments.folder / "bench.duckdb"
    for path in (database, database.with_name(database.name + ".wal")):
        path.unlink(missing_ok=True)
    result, report = measured([sys.executable, __file__, "--duckdb-job", source, "--database", database, "--threads", str(arguments.threads)])
    result["seconds"] = report["seconds"]  # without the start of the interpreter: in favour of DuckDB
    result |= {key: report[key] for key in ("milligrams", "points", "journal_rows", "steps")} | {"journal_bytes": database.stat().st_size}
    database.unlink()
    return result


def duckdb_job(arguments):
    import duckdb
    begin = time.monotonic()
    connection = duckdb.connect(str(arguments.database))
    connection.execute(f"SET threads = {arguments.threads}")
    connection.execute("SET preserve_insertion_order = false")
    script = (HERE / "account.sql").read_text().replace("$file", str(arguments.duckdb_job))
    steps = {}
    for statement in duckdb.extract_statements(script):
        start = time.monotonic()
        connection.execute(statement)
        lines = [line for line in statement.query.strip().splitlines() if line and not line.startswith("--")]
        steps[lines[0][:40]] = round(time.monotonic() - start, 3)
    seconds = time.monotonic() - begin
    milligrams, points = connection.execute("SELECT sum(milligrams)::BIGINT, sum(points)::BIGINT FROM balance").fetchone()
    rows, journal = connection.execute("SELECT count(*), sum(milligrams)::BIGINT FROM journal").fetchone()
    assert journal == milligrams
    connection.close()
    print(json.dumps({"seconds": seconds, "milligrams": milligrams, "points": points, "journal_rows": rows, "steps": steps}))
    return 0


# ---- the result

def summary(arguments, source, ours, theirs):
    def side(runs):
        best = min(runs, key=lambda run: run["seconds"])
        return {"seconds": statistics.median(run["seconds"] for run in runs), "cpu_seconds": statistics.median(run["cpu_seconds"] for run in runs),
                "peak_bytes": max(run["peak_bytes"] for run in runs), "all_seconds": [round(run["seconds"], 3) for run in runs]} | {
                    key: best[key] for key in ("milligrams", "points", "journal_bytes", "journal_rows", "steps")}
    us, them = side(ours), side(theirs)
    credits = {(run["milligrams"], run["points"]) for run in ours + theirs}
    return {"rows": ours[0]["records"], "input_bytes": source.stat().st_size, "threads": arguments.threads, "tanhui": us, "duckdb": them,
            "same_credit": len(credits) == 1, "time_ratio": them["seconds"] / us["seconds"], "memory_ratio": them["peak_bytes"] / us["peak_bytes"]}


def text_of(report):
    us, them = report["tanhui"], report["duckdb"]

    def line(what, ours, theirs, ratio=""):
        return f"  {what:34} {ours:>18} {theirs:>18}   {ratio}"
    rows = [
        f"{report['rows']:,} records, {report['input_bytes'] / 1e6:,.0f} MB, {report['threads']} threads, a fresh process each time, medians",
        line("", "tanhui", "DuckDB", "DuckDB / tanhui"),
        line("seconds", f"{us['seconds']:.2f}", f"{them['seconds']:.2f}", f"{report['time_ratio']:.2f}"),
        line("core-seconds", f"{us['cpu_seconds']:.2f}", f"{them['cpu_seconds']:.2f}", f"{them['cpu_seconds'] / us['cpu_seconds']:.2f}"),
        line("records a second", f"{report['rows'] / us['seconds']:,.0f}", f"{report['rows'] / them['seconds']:,.0f}"),
        line("peak memory, MiB", f"{us['peak_bytes'] / 2**20:,.0f}", f"{them['peak_bytes'] / 2**20:,.0f}", f"{report['memory_ratio']:.2f}"),
        line("bytes a journal row", f"{us['journal_bytes'] / max(us['journal_rows'], 1):.1f}", f"{them['journal_bytes'] / max(them['journal_rows'], 1):.1f}"),
        line("milligrams credited", f"{us['milligrams']:,}", f"{them['milligrams']:,}", "equal" if us["milligrams"] == them["milligrams"] else "DIFFERENT"),
        line("points credited", f"{us['points']:,}", f"{them['points']:,}", "equal" if us["points"] == them["points"] else "DIFFERENT"),
    ]
    if not report["same_credit"]:
        rows.append("  The runs do not credit the same: the times mean nothing until that is explained.")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
