#!/usr/bin/env python3
"""Ledger transfers a second, against the same postings in plain SQL on the same store. bench/README.md says how to read it.

    bench/ledger/run.py [--build DIR] [--json FILE] [--transfers N] [--accounts N] [--repeats N] [--postgres ADDRESS]

Ours: ledger_transfers, in batches of 1, 64 and 8190, each durable before the next begins. Theirs: set-based SQL in the same batches, and
on PostgreSQL one transaction a transfer by pgbench. Rounds alternate; the first one warms up. All sides must end in equal balances.
"""
import argparse
import csv
import json
import os
import pathlib
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
SHARES = {1: 100, 64: 10, 8190: 1}  # small batches get a part of the transfers: 1 is bounded by the disk's patience

TABLES = """
CREATE TABLE account (id BIGINT PRIMARY KEY, amount BIGINT NOT NULL CHECK (amount >= 0));
CREATE TABLE transfer (id BIGINT PRIMARY KEY, key TEXT NOT NULL UNIQUE);
CREATE TABLE entry (transfer BIGINT NOT NULL, account BIGINT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (transfer, account));
CREATE TABLE todo (n BIGINT PRIMARY KEY, key TEXT NOT NULL, debit BIGINT NOT NULL, credit BIGINT NOT NULL, amount BIGINT NOT NULL);
"""
START = 1_000_000_000_000
# A batch as one would write it by hand: sets, each account once, the key unique, nothing below zero.
BATCH = """
INSERT INTO transfer (id, key) SELECT n, key FROM todo WHERE n >= {first} AND n < {end};
INSERT INTO entry (transfer, account, amount) SELECT n, debit, -amount FROM todo WHERE n >= {first} AND n < {end}
  UNION ALL SELECT n, credit, amount FROM todo WHERE n >= {first} AND n < {end};
UPDATE account SET amount = account.amount + change.amount FROM (SELECT account, CAST(sum(amount) AS BIGINT) AS amount FROM
  (SELECT debit AS account, -amount AS amount FROM todo WHERE n >= {first} AND n < {end}
   UNION ALL SELECT credit, amount FROM todo WHERE n >= {first} AND n < {end}) AS each_side GROUP BY account) AS change
  WHERE account.id = change.account;
"""
# A transfer a transaction, as pgbench's own script does it; which transfer it is comes from a sequence.
SINGLE = r"""
SELECT nextval('next_transfer') - 1 AS n \gset
SELECT debit, credit, amount FROM todo WHERE n = :n \gset
BEGIN;
INSERT INTO transfer (id, key) VALUES (:n, 'p-' || CAST(:n AS TEXT));
UPDATE account SET amount = amount - :amount WHERE id = :debit;
UPDATE account SET amount = amount + :amount WHERE id = :credit;
INSERT INTO entry (transfer, account, amount) VALUES (:n, :debit, 0 - :amount), (:n, :credit, :amount);
END;
"""


def make_lines(count, accounts):
    source = random.Random(1)
    return [(debit, (debit + 1 + source.randrange(accounts - 1)) % accounts, source.randrange(1, 1000))
            for debit in (source.randrange(accounts) for _ in range(count))]


def todo_rows(lines):
    return [(n, f"t-{n:09}", *line) for n, line in enumerate(lines)]


def balances_of(lines, accounts):
    amounts = [0] * accounts
    for debit, credit, amount in lines:
        amounts[debit] -= amount
        amounts[credit] += amount
    last = max(max(debit, credit) for debit, credit, _ in lines)
    return amounts[:last + 1]


def batches(count, batch):
    return [BATCH.format(first=first, end=min(count, first + batch)) for first in range(0, count, batch)]


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.lines = make_lines(options.transfers, options.accounts)
        self.program = pathlib.Path(options.build) / "bench/ledger/ledger_transfers"
        self.found, self.peaks, self.differences, self.schemas = {}, {}, [], 0

    def note(self, key, count, seconds):
        self.found.setdefault(key, []).append(count / seconds)

    def compare(self, what, lines, amounts):
        if amounts != balances_of(lines, self.options.accounts):
            self.differences.append(f"{what}: the balances are not those of the transfers")

    def ours(self, store, address, lines, batch):
        file, out = self.folder / "input.csv", self.folder / "balances"
        with open(file, "w", newline="") as handle:
            csv.writer(handle, lineterminator="\n").writerows(lines)
        ran = subprocess.run([self.program, address, file, str(batch), out], capture_output=True, text=True)
        if ran.returncode != 0:
            raise SystemExit(f"ledger_transfers failed: {ran.stderr}")
        told = json.loads(ran.stdout)
        self.note((store, batch, "ours"), len(lines), told["seconds"])
        self.peaks[store, batch] = max(told["peak_bytes"], self.peaks.get((store, batch), 0))
        self.compare(f"ours on {store} in batches of {batch}", lines, [int(line) for line in out.read_text().split()])

    def sqlite(self, lines, batch):
        path = self.folder / "ours.db"
        self.ours("SQLite", str(path), lines, batch)
        database = sqlite3.connect(self.folder / "theirs.db", isolation_level=None)
        database.executescript("PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32768; BEGIN;"
                               + TABLES.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY"))
        database.executemany("INSERT INTO account VALUES (?, ?)", ((n, START) for n in range(self.options.accounts)))
        database.executemany("INSERT INTO todo VALUES (?, ?, ?, ?, ?)", todo_rows(lines))
        database.execute("COMMIT")
        work = [text.split(";\n")[:-1] for text in batches(len(lines), batch)]
        begin = time.perf_counter()
        for statements in work:
            database.execute("BEGIN IMMEDIATE")
            for statement in statements:
                database.execute(statement)
            database.execute("COMMIT")
        self.note(("SQLite", batch, "set-based SQL"), len(lines), time.perf_counter() - begin)
        amounts = [amount - START for (amount,) in database.execute("SELECT amount FROM account ORDER BY id")]
        self.compare(f"set-based SQL on SQLite in batches of {batch}", lines, amounts[:len(balances_of(lines, self.options.accounts))])
        database.close()
        for file in self.folder.glob("*.db*"):
            file.unlink()

    def psql(self, sql, schema=None):
        variables = {"PGOPTIONS": f"-csearch_path={schema}"} if schema else {}
        ran = subprocess.run([POSTGRES / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", self.options.postgres], input=sql, text=True,
                             capture_output=True, env={**os.environ, **variables})
        if ran.returncode != 0:
            raise SystemExit(f"psql failed: {ran.stderr}")
        return ran.stdout

    def new_schema(self):
        self.schemas += 1
        schema = f"bench_{os.getpid()}_{self.schemas}"
        self.psql(f"CREATE SCHEMA {schema}")
        return schema

    def drop(self, schema):
        self.psql(f"DROP SCHEMA {schema} CASCADE")
        self.psql("CHECKPOINT")  # nobody pays for somebody else's pages

    def postgresql(self, lines, batch):
        schema = self.new_schema()
        join = "&" if "?" in self.options.postgres else "?"
        self.ours("PostgreSQL", f"{self.options.postgres}{join}options=-csearch_path%3D{schema}", lines, batch)
        self.drop(schema)
        self.theirs("set-based SQL", lines, batch, self.run_sets)
        if batch == 1:
            for clients in (1, 8):
                self.theirs(f"pgbench, {clients} client{'s' * (clients > 1)}", lines, batch,
                            lambda schema, count, _, clients=clients: self.run_pgbench(schema, count, clients))

    def theirs(self, name, lines, batch, run):
        schema = self.new_schema()
        rows = "\n".join("\t".join(map(str, row)) for row in todo_rows(lines))
        self.psql(f"{TABLES}CREATE SEQUENCE next_transfer;\nINSERT INTO account SELECT n, {START} FROM generate_series(0, "
                  f"{self.options.accounts - 1}) AS n;\nCOPY todo FROM STDIN;\n{rows}\n\\.\nANALYZE;\n", schema)
        self.psql("CHECKPOINT")
        count, seconds = run(schema, len(lines), batch)
        self.note(("PostgreSQL", batch, name), count, seconds)
        amounts = [int(line) - START for line in self.psql("SELECT amount FROM account ORDER BY id", schema).split()]
        done = lines[:count]
        self.compare(f"{name} on PostgreSQL in batches of {batch}", done, amounts[:len(balances_of(done, self.options.accounts))])
        self.drop(schema)

    def run_sets(self, schema, count, batch):
        script = "".join(f"BEGIN;{text}COMMIT;\n" for text in batches(count, batch))
        begin = time.perf_counter()
        self.psql(script, schema)
        return count, time.perf_counter() - begin

    def run_pgbench(self, schema, count, clients):
        script = self.folder / "single.sql"
        script.write_text(SINGLE)
        each = count // clients
        begin = time.perf_counter()
        ran = subprocess.run([POSTGRES / "pgbench", "-n", "-M", "prepared", "-f", script, "-c", str(clients), "-j", "1", "-t", str(each),
                              self.options.postgres], capture_output=True, text=True,
                             env={**os.environ, "PGOPTIONS": f"-csearch_path={schema}"})
        if ran.returncode != 0:
            raise SystemExit(f"pgbench failed: {ran.stderr}")
        return each * clients, time.perf_counter() - begin

    def run(self):
        for repeat in range(self.options.repeats + 1):
            for batch, share in SHARES.items():
                lines = self.lines[:max(len(self.lines) // share, 8)]
                self.sqlite(lines, batch)
                if self.options.postgres:
                    self.postgresql(lines, batch)
            if repeat == 0:
                self.found.clear()  # that was the warming up
        return self.result()

    def result(self):
        lines = []
        for store, batch, side in self.found:
            if side != "ours":
                continue
            peers = {name: round(statistics.median(rates)) for (s, b, name), rates in self.found.items()
                     if (s, b) == (store, batch) and name != "ours"}
            lines.append({"what": f"{store}, batches of {batch}", "unit": "transfers/s", "more_is_better": True,
                          "ours": round(statistics.median(self.found[store, batch, "ours"])), "peers": peers,
                          "peak_bytes": self.peaks[store, batch]})
        return {"title": f"ledger transfers, {self.options.accounts} accounts", "lines": lines, "differences": self.differences,
                "skipped": [] if self.options.postgres else ["PostgreSQL: no server"]}


def show(result):
    print(result["title"])
    for line in result["lines"]:
        print(f"  {line['what']:<28} ours {line['ours']:>9,} {line['unit']}   peak memory {line['peak_bytes'] / 2**20:.0f} MiB")
        for name, rate in line["peers"].items():
            print(f"  {'':<28} {name:<20} {rate:>9,}   ours / theirs {line['ours'] / rate:.2f}")
    for difference in result["differences"]:
        print("  DIFFERENT:", difference)
    for skipped in result["skipped"]:
        print("  skipped", skipped)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build/release", help="folder of the build")
    parser.add_argument("--json", type=pathlib.Path, help="write the result here too")
    parser.add_argument("--transfers", type=int, default=400_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3, help="counted rounds")
    parser.add_argument("--postgres", default=os.environ.get("TANHUI_TEST_POSTGRES", ""),
                        help="address of a server; without one a private server is started by tests/with_postgres")
    options = parser.parse_args()
    if not options.postgres and (POSTGRES / "pgbench").exists() and not os.environ.get("TANHUI_BENCH_ALONE"):
        os.environ["TANHUI_BENCH_ALONE"] = "1"  # this script again, beside a server
        os.execv(ROOT / "tests/with_postgres", [ROOT / "tests/with_postgres", sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory() as folder:
        result = Bench(options, pathlib.Path(folder)).run()
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    return 1 if result["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
