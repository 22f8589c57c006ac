"""Every bench at a tiny size: all sides must give the same answer. Times are not looked at.

    equal_test.py --build DIR
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from report import Report  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    build = parser.parse_args().build.resolve()
    report = Report("bench-equal")
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        command = [sys.executable, "-B", HERE / "bench.py", *NAMES, "--rows", "20000", "--repeats", "1", "--offline", "--build", build,
                   "--folder", build / "bench-equal", "--json", result]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if not result.exists():
            report.add("bench/run", done.stderr)
        else:
            for bench in json.loads(result.read_text())["benches"]:
                add(report, bench)
            tell_tables_apart(report, result)
    report.close()


NAMES = ["accounting-csv", "accounting-ndjson", "accounting-parquet", "journal-size", "statement", "ledger", "log", "methodology", "endurance"]


def add(report, bench):
    compared = {peer for line in bench["lines"] for peer in line["peers"]}
    name = bench["name"] + (f" against {', '.join(sorted(compared))}" if compared else "")
    problem = "; ".join(filter(None, [bench["failed"], *bench["differences"]]))
    report.add(name, problem, skipped=not bench["lines"] and not problem)
    for reason in bench["skipped"]:
        report.add(f"{bench['name']}: {reason}", skipped=True)


def tell_tables_apart(report, result):
    """A wrong answer is shown instead of its times."""
    wrong = json.loads(result.read_text())
    wrong["benches"][0]["differences"] = ["milligrams credited: tanhui 1, DuckDB 2"]
    result.write_text(json.dumps(wrong))
    table = subprocess.run([sys.executable, "-B", HERE / "bench.py", "--table", result], capture_output=True, text=True).stdout
    shown = [line for line in table.splitlines() if line.startswith("| accounting-csv ")]
    report.add("a table shows a difference, not its times", "" if len(shown) == 1 and "tanhui 1, DuckDB 2" in shown[0] else table)


main()
