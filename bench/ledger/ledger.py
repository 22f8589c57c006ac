"""Postings a second. The ledger's bench is a program of its own (bench/ledger) that takes --json FILE; here it joins the others.

What it writes: {"title", "lines": [{"what", "unit", "ours", "peers": {name: number}, "more_is_better"}], "notes", "skipped", "differences"},
all but "lines" optional. From any other object its numbers are shown as they are named.
"""
import json
import pathlib
import sys

import harness

HERE = pathlib.Path(__file__).resolve().parent


def bench(settings, result):
    """ledger postings per second, against the same postings in SQL"""
    file = settings.folder / "ledger.json"
    file.unlink(missing_ok=True)
    output = harness.measured([*command(settings), "--json", file])[0]
    if not file.exists():
        raise harness.Failure("bench/ledger wrote no JSON")
    found = json.loads(file.read_text())
    result.title = found.get("title", "")
    for line in found.get("lines") or numbers(found):
        result.line(line["what"], line.get("unit", ""), line["ours"], line.get("peers", {}), line.get("more_is_better", False))
    for part in ("notes", "skipped", "differences"):
        getattr(result, part).extend(found.get(part, []))
    result.line("peak memory", "MiB", round(output["peak_bytes"] / 2**20), {})


def command(settings):
    script = HERE / "run.py"
    if script.exists():
        return [sys.executable, "-B", script, "--build", settings.build]
    program = settings.program("bench/ledger/ledger_bench")
    if b"--json" not in program.read_bytes():
        raise harness.Skip("bench/ledger has no --json in this build")
    return [program]


def numbers(found, path=""):
    """Every number of an object as a line, named by where it stands."""
    if isinstance(found, dict):
        return [line for key, value in found.items() for line in numbers(value, f"{path} {key}".strip())]
    if isinstance(found, list):
        return [line for place, value in enumerate(found, 1) for line in numbers(value, f"{path} {place}".strip())]
    return [{"what": path, "ours": found}] if isinstance(found, (int, float)) and not isinstance(found, bool) else []
