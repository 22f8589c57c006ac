"""The Merkle tree behind the log, by three programs over the same entries, and the log itself beside a table that proves nothing."""
import contextlib
import os
import pathlib
import shutil
import subprocess

import harness

HERE = pathlib.Path(__file__).resolve().parent
LEAVES_MAX = 4_000_000  # 64 bytes each, and as much again for proofs


def bench(settings, result):
    """Merkle log: leaves, proofs and checks per second against one-shot OpenSSL and Go's tlog; durable entries against a plain table"""
    tree(settings, result)
    durable(settings, result, "in batches of 4096", entries=min(settings.rows // 10, 200_000), batch=4096)
    durable(settings, result, "one at a time", entries=min(settings.rows // 100, 500), batch=1)


def tree(settings, result):
    leaves = min(settings.rows, LEAVES_MAX)
    proofs = leaves // 4
    result.title = f"{leaves:,} leaves of 96 bytes, {proofs:,} proofs, in memory, one thread, resident processes; durable entries in SQLite"
    program = settings.program("bench/log_bench")
    sides = {"tanhui": harness.Resident([program, "ours", leaves, proofs]), "one-shot OpenSSL": harness.Resident([program, "plain", leaves, proofs])}
    try:
        sides["Go tlog"] = harness.Resident([tlog(settings), leaves, proofs])
    except harness.Skip as reason:
        result.skip(reason)
    with contextlib.ExitStack() as running:
        for side in sides.values():
            running.enter_context(side)
        rounds = harness.interleaved({name: side.once for name, side in sides.items()}, settings.repeats)
    for what, part, count in (("leaves appended a second", "append", leaves), ("proofs a second", "prove", proofs), ("checks a second", "check", proofs)):
        rates = {name: round(count / harness.median(runs, part)) for name, runs in rounds.items()}
        result.line(what, "", rates.pop("tanhui"), rates, more_is_better=True)
    peaks = {name: round(side.peak_bytes / 2**20) for name, side in sides.items()}
    result.line("peak memory", "MiB", peaks.pop("tanhui"), peaks)
    ours = rounds.pop("tanhui")[-1]
    for what in ("root", "proofs", "good"):
        result.equal(what, ours[what], {name: runs[-1][what] for name, runs in rounds.items()})
    result.equal("proofs that hold", ours["good"], {"proofs made": proofs})


def durable(settings, result, how, entries, batch):
    """Entries through the log's only door, each transaction durable and published, against the same bytes in a table that proves nothing."""
    program = settings.program("bench/durable_bench")
    sides = {name: harness.Resident([program, kind, settings.folder / f"durable-{kind}", entries, batch])
             for name, kind in (("tanhui, durable", "ours"), ("SQLite table", "plain"))}
    with contextlib.ExitStack() as running:
        for side in sides.values():
            running.enter_context(side)
        rounds = harness.interleaved({name: side.once for name, side in sides.items()}, settings.repeats)
    for kind in ("ours", "plain"):
        shutil.rmtree(settings.folder / f"durable-{kind}", ignore_errors=True)
    us, them = rounds.values()
    result.line(f"durable entries a second, {how}", "", round(entries / harness.median(us, "seconds")),
                {"a table without proofs": round(entries / harness.median(them, "seconds"))}, more_is_better=True)
    result.line(f"a transaction, {how}, p50", "ms", harness.median(us, "p50_ms"), {"a table without proofs": harness.median(them, "p50_ms")})
    for what in ("entries", "bytes"):
        result.equal(f"{what} kept, {how}", us[-1][what], {"a table without proofs": them[-1][what]})


def tlog(settings):
    """The Go program, built once; its only module comes from Go's module cache or proxy."""
    program = settings.folder / "tlog"
    if shutil.which("go") is None:
        raise harness.Skip("Go is not installed, so its tlog is not measured (Debian: golang-go)")
    environment = dict(os.environ, CGO_ENABLED="0") | ({"GOPROXY": "off", "GOFLAGS": "-mod=mod"} if settings.offline else {})
    done = subprocess.run(["go", "build", "-o", program, "."], cwd=HERE / "tlog", env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise harness.Skip(f"Go's tlog could not be built: {done.stderr.strip().splitlines()[-1]}")
    return program
