"""The DuckDB side of a bench: does a job whenever a line arrives on standard input and answers with a line of JSON.

The only argument is the job as JSON: "script" is SQL, with $name replaced by "values"; "database" a file that is made afresh for every
round, or kept when "keep" is set (absent: memory); "setup" SQL run once before; "answer" a query of one row. "once" does the job without
waiting. The start of the interpreter is not in "seconds".
"""
import json
import pathlib
import string
import sys
import time

import duckdb


def remove(database):
    for path in (pathlib.Path(database), pathlib.Path(database + ".wal")):
        path.unlink(missing_ok=True)


def connect(job):
    connection = duckdb.connect(job.get("database") or ":memory:")
    connection.execute(f"SET threads = {job['threads']}")
    connection.execute("SET preserve_insertion_order = false")
    return connection


def answer_of(connection, query):
    cursor = connection.execute(query)
    return dict(zip([column[0] for column in cursor.description], cursor.fetchone()))


def one_round(job, script, connection):
    fresh = connection is None
    if fresh and job.get("database") and not job.get("keep"):
        remove(job["database"])
    begin = time.monotonic()
    if fresh:
        connection = connect(job)
    steps = {}
    for statement in duckdb.extract_statements(script):
        start = time.monotonic()
        rows = connection.execute(statement)
        lines = [line for line in statement.query.strip().splitlines() if line and not line.startswith("--")]
        steps[lines[0][:40]] = round(time.monotonic() - start, 4)
    # A script that ends with the query itself has its answer there, within the time; otherwise it is asked for afterwards.
    last = dict(zip([column[0] for column in rows.description], rows.fetchone())) if "answer" not in job else None
    seconds = time.monotonic() - begin
    answer = last if last is not None else answer_of(connection, job["answer"])
    if fresh:
        connection.close()
    return {"seconds": seconds, "answer": answer, "steps": steps}


def main():
    job = json.loads(sys.argv[1])
    script = string.Template(job["script"]).substitute(job.get("values", {}))
    connection = None
    if "setup" in job:  # the rounds share a connection
        connection = connect(job)
        connection.execute(job["setup"])
    if job.get("once"):
        print(json.dumps(one_round(job, script, connection)))
        return
    for _ in sys.stdin:
        print(json.dumps(one_round(job, script, connection)), flush=True)


if __name__ == "__main__":
    main()
