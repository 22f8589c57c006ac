"""A short run of the simulator on each store, and tests of the simulator itself: every fault shows, a seed replays, damage is seen.
tests/simulator/README.md; the long run is tests/sim --minutes N.

    sim_test.py PROGRAM
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from report import Report  # noqa: E402

FAULTS = ["kill-before", "kill-after", "torn-write", "short-write", "disk-full", "sync-once", "sync-always"]
REQUESTS = ["account", "post", "batch", "place", "settle", "release", "sweep", "expire", "compact", "rotate", "backup", "recalculate",
            "recover"]
FATES = ["whole", "absent"]


def simulate(program, *words):
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=800)
    return done.returncode, done.stdout + done.stderr


def short_run(program, store, seeds, wanted):
    """The seeds hold, and everything that is wanted was seen at least once."""
    code, printed = simulate(program, "--seeds", seeds, "--store", store, "--jobs", "2")
    print("\n".join(printed.splitlines()[-4:]))
    counts = dict(re.findall(r"([a-z-]+) (\d+)", printed))
    missing = [name for name in wanted if int(counts.get(name, 0)) == 0]
    return printed if code != 0 else f"never seen: {', '.join(missing)}" if missing else ""


def replay(program):
    """The same seed tells the same story, call by call."""
    def story():
        printed = simulate(program, "--seeds", "7..9", "--trace")[1].split("requests:")[0]
        return re.sub(r"partial-\d+|etilqs_[0-9a-f]+", "temporary", printed).splitlines()  # SQLite names its temporary files at random
    first, second = story(), story()
    return "" if first == second and len(first) > 30 else "\n".join(difflib.unified_diff(first, second, lineterm=""))


def damage(program):
    """A balance that is changed behind the ledger's back is found, with the seed and how to replay it."""
    with tempfile.TemporaryDirectory() as folder:  # the instance of a failure is left behind
        code, printed = simulate(program, "--seeds", "3..3", "--damage", "7", "--folder", folder)
    return "" if code == 1 and "FAILED seed 3" in printed and "replay: tests/sim --seed 3" in printed else printed


def main():
    program = sys.argv[1]
    report = Report("sim")
    report.add("sqlite", short_run(program, "sqlite", "1..40", FAULTS + REQUESTS + FATES))
    server = bool(os.environ.get("TANHUI_TEST_POSTGRES"))
    lost = ["kill-before", "kill-after", "disk-full", "lost-server", *FATES]
    report.add("postgresql", short_run(program, "postgresql", "1..10", lost) if server else "", skipped=not server)
    report.add("replay", replay(program))
    report.add("damage", damage(program))
    report.close()


if __name__ == "__main__":
    main()
