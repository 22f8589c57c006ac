"""Measures us and others at the same job, both in the same run, and checks that the answers are the same. bench/README.md says how to read it.

    bench/run [NAME...]              all benches but endurance, or the named ones
    bench/run --list                 what there is
    bench/run --table result.json    the Markdown table of a result written with --json

Exit code 1: two sides gave different answers (then the times mean nothing); 2: a bench could not run.
"""
import argparse
import datetime
import importlib
import json
import pathlib
import signal
import sys
import traceback

import harness

BENCHES = {  # name: (module, function)
    "accounting-csv": ("accounting.accounting", "csv"),
    "accounting-ndjson": ("accounting.accounting", "ndjson"),
    "accounting-parquet": ("accounting.accounting", "parquet"),
    "journal-size": ("accounting.journal_size", "bench"),
    "statement": ("statement.statement", "bench"),
    "ledger": ("ledger.ledger", "bench"),
    "log": ("log.log", "bench"),
    "methodology": ("methodology.methodology", "bench"),
    "http": ("http_server", "bench"),
    "service": ("service.service", "bench"),
    "endurance": ("endurance.endurance", "bench"),
}
ONLY_WHEN_NAMED = {"endurance"}


def main():
    arguments = parse_arguments()
    if arguments.list:
        for name, (module, function) in BENCHES.items():
            print(f"{name:20} {getattr(importlib.import_module(module), function).__doc__.strip().splitlines()[0]}")
        return 0
    if arguments.table:
        print(harness.table_of(json.loads(arguments.table.read_text())))
        return 0
    if missing := harness.missing_wheels():
        harness.say(f"bench/run needs {missing}: scripts/install brings them")
        return 2
    names = arguments.names or [name for name in BENCHES if name not in ONLY_WHEN_NAMED]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves the block below, which stops the PostgreSQL server
    machine = harness.machine()
    with harness.Settings(arguments) as settings:
        results = [run(name, settings) for name in names]
        report = {"date": datetime.date.today().isoformat(), "machine": machine, "versions": harness.versions(settings),
                  "rows": settings.rows, "repeats": settings.repeats, "threads": settings.threads, "benches": [one.json() for one in results]}
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    if any(one.differences for one in results):
        return 1
    return 2 if any(one.failed for one in results) else 0


def run(name, settings):
    module, function = BENCHES[name]
    bench = getattr(importlib.import_module(module), function)
    harness.say(f"{name} ...")
    result = harness.Result(name)
    try:
        bench(settings, result)
    except harness.Skip as reason:
        result.skipped.append(str(reason))
    except harness.Failure as problem:
        result.failed = str(problem)
    except Exception as problem:  # a mistake of the bench itself: what the others measured is kept
        traceback.print_exc()
        result.failed = repr(problem)
    print(result.text(), flush=True)
    return result


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *BENCHES])
    parser.add_argument("--rows", type=int, default=10_000_000, help="size of the job (10 million; a minute for all at 100,000)")
    parser.add_argument("--repeats", type=int, default=3, help="counted rounds; one more comes first and is dropped")
    parser.add_argument("--threads", type=int, default=2, help="for each side")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write everything measured here")
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="print such a file as a Markdown table")
    parser.add_argument("--list", action="store_true", help="print the names and what they measure")
    parser.add_argument("--build", type=pathlib.Path, default=harness.ROOT / "build" / "release", help="build folder with the programs to measure")
    parser.add_argument("--folder", type=pathlib.Path, default=harness.ROOT / "build" / "bench", help="for inputs, which stay, and results")
    parser.add_argument("--offline", action="store_true", help="fetch nothing: a peer whose module is not cached is skipped")
    arguments = parser.parse_args()
    if arguments.rows < 1000 or arguments.repeats < 1 or arguments.threads < 1:
        parser.error("--rows is at least 1000, --repeats and --threads at least 1")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
