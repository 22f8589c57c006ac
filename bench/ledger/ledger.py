"""Transfers a second: the ledger's own program (bench/ledger/run.py, which also runs alone), joined to the others."""
import json
import pathlib
import sys

import harness

SCRIPT = pathlib.Path(__file__).with_name("run.py")
TRANSFERS_MAX = 400_000


def bench(settings, result):
    """ledger transfers per second in batches, against the same postings in SQL on SQLite and PostgreSQL"""
    if not SCRIPT.exists():
        raise harness.Skip("bench/ledger/run.py is not in this source tree")
    file = settings.folder / "ledger.json"
    file.unlink(missing_ok=True)
    harness.measured([sys.executable, "-B", SCRIPT, "--build", settings.build, "--json", file, "--repeats", settings.repeats,
                      "--transfers", min(settings.rows, TRANSFERS_MAX), "--postgres", address(settings)], good=(0, 1))
    found = json.loads(file.read_text())
    result.title = found["title"]
    for line in found["lines"]:
        result.line(line["what"], line["unit"], line["ours"], line["peers"], line["more_is_better"])
        result.line(f"{line['what']}, peak memory", "MiB", round(line["peak_bytes"] / 2**20), {})
    result.differences += found["differences"]
    result.skipped += found["skipped"]


def address(settings):
    """Of a new database of the private server; empty when there is none."""
    try:
        server = settings.postgres()
    except harness.Skip:
        return ""
    server.new_database("ledger")
    return f"postgresql:///ledger?host={server.socket}&user=bench"
