"""Every bench at a tiny size: all sides must give the same answer. Times are not looked at.

    equal_test.py --build DIR
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from bench import BENCHES
import harness

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from report import Report  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    build = parser.parse_args().build.resolve()
    report = Report("bench-equal")
    if missing := harness.missing_wheels():
        report.add(f"{missing}: not installed", skipped=True)
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(report, build, pathlib.Path(folder) / "result.json")
    report.close()


def run(report, build, result):
    command = [sys.executable, "-B", HERE / "bench.py", *BENCHES, "--rows", "20000", "--repeats", "1", "--offline", "--build", build,
               "--folder", build / "bench-equal", "--json", result]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if not result.exists():
        return report.add("bench/run", done.stderr)
    benches = json.loads(result.read_text())["benches"]
    for bench in benches:
        compared = {peer for line in bench["lines"] for peer in line["peers"]}
        problem = "; ".join(filter(None, [bench["failed"], *bench["differences"]]))
        report.add(bench["name"] + (f" against {', '.join(sorted(compared))}" if compared else ""), problem,
                   skipped=not bench["lines"] and not problem)
        for reason in bench["skipped"]:
            report.add(f"{bench['name']}: {reason}", skipped=True)
    table_shows_differences(report, result)


def table_shows_differences(report, result):
    wrong = json.loads(result.read_text())
    wrong["benches"][0]["differences"] = ["milligrams credited: tanhui 1, DuckDB 2"]
    result.write_text(json.dumps(wrong))
    table = subprocess.run([sys.executable, "-B", HERE / "bench.py", "--table", result], capture_output=True, text=True).stdout
    shown = [line for line in table.splitlines() if line.startswith("| accounting-csv ")]
    report.add("a table shows a difference, not its times", "" if len(shown) == 1 and "tanhui 1, DuckDB 2" in shown[0] else table)


main()
