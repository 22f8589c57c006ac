"""One person out of all: the statement from SQL and the records behind it, as latencies of single questions, one after the other."""
import json
import pathlib
import subprocess
import sys

import harness
from accounting import accounting

HERE = pathlib.Path(__file__).resolve().parent
DAY, DAY_NUMBER = "2025-03-05", 20152  # days since 1970
QUESTIONS = {  # what, people asked
    "balances": ("balances from SQL", 1000),
    "statement": ("statement of the month from SQL", 1000),
    "day": ("a day's records", 200),
    "month": ("all records of the month", 50),
}


def bench(settings, result):
    """latency of one person's statement and records, against DuckDB and PostgreSQL, indexed and not"""
    result.title = f"one person out of {harness.people(settings):,}, {settings.rows:,} records; one question at a time, warm"
    sides = accounting.stand(settings, result)
    ids = chosen(settings)
    ours, peak = tanhui(settings, ids)
    peers = {"DuckDB": duckdb(settings, ids, "table", ids), "DuckDB on our Parquet": duckdb(settings, ours["people"], "parquet", ids)}
    if "PostgreSQL" in sides:
        peers["PostgreSQL"] = postgres(settings.postgres(), ids)
    for question, (what, _) in QUESTIONS.items():
        asked = {peer: answers[question] for peer, answers in peers.items() if question in answers}
        for part in ("p50", "p99"):
            result.line(f"{what}, {part}", "us", ours[question][part], {peer: answer[part] for peer, answer in asked.items()})
        result.equal(f"{what}, milligrams", ours[question]["milligrams"], {peer: answer["milligrams"] for peer, answer in asked.items()})
    result.line("peak memory", "MiB", round(peak / 2**20), {peer: round(answers["peak_bytes"] / 2**20) for peer, answers in peers.items()
                                                           if "peak_bytes" in answers})


def chosen(settings):
    """Ids of people as city.sql makes them, spread over all of them."""
    people = harness.people(settings)
    return [f"u{person * 7919 % people * 5915587277 % 1099511627776:010x}" for person in range(min(people, QUESTIONS["statement"][1]))]


def with_lines(lines, command):
    path = pathlib.Path(command[-1])
    path.write_text("".join(f"{line}\n" for line in lines))
    with path.open("rb") as file:
        result, output = harness.measured(command[:-1], stdin=file)
    path.unlink()
    return json.loads(output), result["peak_bytes"]


def tanhui(settings, ids):
    return with_lines(ids, [settings.program("bench/statement_bench"), settings.folder / "instance", "wuhan-demo", DAY, QUESTIONS["day"][1],
                            QUESTIONS["month"][1], settings.folder / "people.txt"])


def duckdb(settings, keys, kind, ids):
    """`kind` table: the journal of the job in SQL, with indexes; parquet: our segments as they lie there, no index but their own statistics."""
    place = settings.folder / "city.duckdb" if kind == "table" else settings.folder / "instance" / "journal"
    counts = json.dumps({question: count for question, (_, count) in QUESTIONS.items()})
    answers, peak = with_lines(keys, [sys.executable, "-B", HERE / "statement_duckdb.py", kind, place, DAY_NUMBER, DAY, counts, settings.threads,
                                      settings.folder / "people.txt"])
    return answers | {"peak_bytes": peak}


POSTGRES = {
    "balances": "SELECT milligrams, points FROM balance WHERE person = (SELECT person FROM chosen WHERE i = :i);",
    "statement": "SELECT activity, count(*), sum(milligrams) FROM journal WHERE person = (SELECT person FROM chosen WHERE i = :i) GROUP BY activity;",
    "day": f"SELECT * FROM journal WHERE person = (SELECT person FROM chosen WHERE i = :i) AND day = {DAY_NUMBER};",
    "month": "SELECT * FROM journal WHERE person = (SELECT person FROM chosen WHERE i = :i);",
}
POSTGRES_SUM = {
    "balances": "SELECT coalesce(sum(milligrams), 0)::bigint FROM balance JOIN chosen USING (person) WHERE i <= {count}",
    "statement": "SELECT coalesce(sum(milligrams), 0)::bigint FROM journal JOIN chosen USING (person) WHERE i <= {count}",
    "day": f"SELECT coalesce(sum(milligrams), 0)::bigint FROM journal JOIN chosen USING (person) WHERE i <= {{count}} AND day = {DAY_NUMBER}",
    "month": "SELECT coalesce(sum(milligrams), 0)::bigint FROM journal JOIN chosen USING (person) WHERE i <= {count}",
}


def postgres(server, ids):
    server.query("city", "DROP TABLE IF EXISTS chosen; CREATE TABLE chosen (i int PRIMARY KEY, person bigint); INSERT INTO chosen VALUES "
                 + ", ".join(f"({i}, hashtextextended('{one}', 0))" for i, one in enumerate(ids, 1))
                 + "; CREATE INDEX IF NOT EXISTS journal_person ON journal (person, day); CREATE INDEX IF NOT EXISTS balance_person ON balance (person)")
    server.query("city", "VACUUM ANALYZE")
    answers = {}
    for question, (_, count) in QUESTIONS.items():
        count = min(count, len(ids))
        microseconds = pgbench(server, POSTGRES[question], count)
        total = server.query("city", POSTGRES_SUM[question].format(count=count))[0][0]
        answers[question] = {"p50": microseconds[len(microseconds) // 2], "p99": microseconds[len(microseconds) * 99 // 100], "milligrams": int(total)}
    return answers


def pgbench(server, query, count):
    """Latencies of 2000 questions in order of size; prepared statements over one connection, by PostgreSQL's own driver."""
    script, log = server.socket / "question.sql", server.socket / "latency"
    script.write_text(f"\\set i random(1, {count})\n{query}\n")
    done = subprocess.run([str(word) for word in server.command("pgbench", "city", "-n", "-c", "1", "-t", "2000", "-M", "prepared", "-f", script, "-l",
                                                                "--log-prefix", log)], capture_output=True, text=True)
    if done.returncode != 0:
        raise harness.Failure(f"pgbench: {done.stderr.strip()}")
    files = list(server.socket.glob("latency.*"))
    microseconds = sorted(int(line.split()[2]) for file in files for line in file.read_text().splitlines())
    for file in files:
        file.unlink()
    return microseconds
