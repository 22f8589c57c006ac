"""Records over HTTP: signed, decided, deduplicated, durable before the answer; against PostgreSQL transactions that do the same by hand."""
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import harness

ROOT = harness.ROOT
CITY = "wuhan-demo"
PEOPLE = 200_000
LOADS = [  # connections, requests under way on each, records in each
    (1, 1, 1), (16, 1, 1), (64, 1, 1), (64, 8, 1), (16, 2, 10), (8, 2, 100), (4, 2, 1000)]
# One credit as people write it: the event once, its two balances, one commit. No signature, no HTTP, no overlap, no daily cap.
PGBENCH = """\\set person random(1, {people})
\\set milligrams random(100000, 2000000)
BEGIN;
INSERT INTO record (event, person, milligrams) VALUES (nextval('event_seq'), :person, :milligrams) ON CONFLICT DO NOTHING;
INSERT INTO balance (person, asset, amount) VALUES (:person, 1, :milligrams) ON CONFLICT (person, asset) DO UPDATE SET amount = balance.amount + excluded.amount;
INSERT INTO balance (person, asset, amount) VALUES (:person, 2, 7) ON CONFLICT (person, asset) DO UPDATE SET amount = balance.amount + excluded.amount;
COMMIT;
"""


def bench(settings, result):
    """records over HTTP a second, one or many in a request, and latencies; beside PostgreSQL transactions by pgbench"""
    tiny = settings.rows <= 20_000  # only whether it works
    seconds, loads = (1, LOADS[3:5]) if tiny else (5, LOADS)
    result.title = f"signed records of {PEOPLE:,} people over loopback, {seconds} s each, load generator on the same cores"
    stores = {"SQLite": ""}
    peers = {}
    try:
        server = settings.postgres()
        peers = {clients: pgbench(server, clients, seconds) for clients in ((2,) if tiny else (2, 8, 16))}
    except harness.Skip as reason:
        result.skip(reason)
    best = max(peers.values(), default=None)
    for store, address in stores.items():
        with Service(settings, address, seconds) as service:
            for connections, pipeline, records in loads:
                told = service.load(connections, pipeline, records)
                what = f"{store}: {records:,} a request, {connections} connections" + (f", {pipeline} under way on each" if pipeline > 1 else "")
                if told["not_200"]:
                    result.differences.append(f"{what}: {told['not_200']} answers were not 200")
                peer = {f"PostgreSQL, {clients} clients": rate for clients, rate in peers.items() if rate == best} if best else {}
                result.line(f"{what}: records", "/s", told["records"], peer if records == 1 else {}, more_is_better=True)
                result.notes.append(f"{what}: {told['rate']:,.0f} requests/s, p50 {told['p50_us'] / 1000:.2f} ms, p99 {told['p99_us'] / 1000:.2f} ms, p99.9 {told['p999_us'] / 1000:.2f} ms")
            half = service.load(64, 4, 1, rate=1_000 if tiny else 25_000)
            result.line(f"{store}: p99 at {'1,000' if tiny else '25,000'} requests a second", "ms", half["p99_us"] / 1000, {})
            result.line(f"{store}: memory of the service after all this", "MiB", service.memory_mib(), {})


class Service:
    def __init__(self, settings, database, seconds):
        self.seconds = seconds
        self.program, self.loader = settings.program("src/app/tanhui"), settings.program("bench/service_load")
        self.instance = settings.folder / "service-instance"
        self.words = [self.program, "--instance", self.instance, *(["--database", database] if database else [])]
        self.environment = {**os.environ, "TANHUI_METRICS_PORT": "0", "TANHUI_LOG_REQUESTS": "none", "TANHUI_RATES_PARTNER_PER_SECOND": "0"}
        self.seed = 1

    def tanhui(self, *arguments):
        return subprocess.run([*self.words, *arguments], check=True, capture_output=True, text=True, env=self.environment).stdout

    def __enter__(self):
        shutil.rmtree(self.instance, ignore_errors=True)
        self.tanhui("programme", "import", *(ROOT / "programmes" / f"{name}.yaml" for name in (CITY,)))
        self.tanhui("organisation", "create", "metro", "-p", CITY, "--name", "Metro", "--kind", "partner")
        out = self.tanhui("partner", "key", "new", "metro", "-p", CITY, "--source", "metro-gate")
        self.key = re.search(r"^(pk-\S+)", out, re.M).group(1)
        self.secret = base64.b64decode(re.search(r"^secret\s+(\S+)", out, re.M).group(1)).hex()
        self.process = subprocess.Popen([*map(str, self.words), "serve", "--listen", "127.0.0.1:0"], env=self.environment, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+)", self.process.stderr.readline().split("//")[1]).group(1))
        time.sleep(1.5)  # signatures must be younger than the service
        return self

    def load(self, connections, pipeline, records, rate=0):
        self.seed += 1
        words = [self.loader, self.port, self.key, self.secret, connections, pipeline, records, self.seconds, PEOPLE, self.seed, *([rate] if rate else [])]
        _, output = harness.measured(words)
        return json.loads(output)

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        shutil.rmtree(self.instance, ignore_errors=True)


def pgbench(server, clients, seconds):
    """Transactions a second."""
    server.new_database("service")
    for statement in ("CREATE SEQUENCE event_seq", "CREATE TABLE record (event bigint PRIMARY KEY, person bigint NOT NULL, milligrams bigint NOT NULL)",
                      "CREATE TABLE balance (person bigint, asset int, amount bigint NOT NULL CHECK (amount >= 0), PRIMARY KEY (person, asset))"):
        server.query("service", statement)
    script = server.socket / "credit.sql"
    script.write_text(PGBENCH.format(people=PEOPLE))
    done = subprocess.run([str(word) for word in server.command("pgbench", "service", "-n", "-c", clients, "-j", 2, "-T", seconds, "-M", "prepared", "-f", script)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise harness.Failure(f"pgbench: {done.stderr.strip()}")
    return round(float(re.search(r"tps = ([\d.]+)", done.stdout).group(1)))
