"""DuckDB's side of the statement bench: statement_duckdb.py KIND PLACE DAY_NUMBER DAY COUNTS THREADS < keys; prints a line of JSON."""
import json
import sys
import time

import duckdb

KIND, PLACE, DAY_NUMBER, DAY, COUNTS, THREADS = sys.argv[1:]
if KIND == "table":
    QUERIES = {"balances": "SELECT milligrams, points FROM balance WHERE person = hash(?)",
               "statement": "SELECT activity, count(*), sum(milligrams)::BIGINT AS milligrams FROM journal WHERE person = hash(?) GROUP BY activity",
               "day": f"SELECT * FROM journal WHERE person = hash(?) AND day = {DAY_NUMBER}",
               "month": "SELECT * FROM journal WHERE person = hash(?)"}
    SETUP = "CREATE INDEX IF NOT EXISTS journal_person ON journal (person); CREATE INDEX IF NOT EXISTS balance_person ON balance (person)"
else:
    QUERIES = {"day": f"SELECT * REPLACE (epoch_ms(start) AS start) FROM read_parquet('{PLACE}/*/day={DAY}/*.parquet') WHERE person = unhex(?)",
               "month": f"SELECT * REPLACE (epoch_ms(start) AS start) FROM read_parquet('{PLACE}/*/*/*.parquet') WHERE person = unhex(?)"}
    SETUP = "SELECT 1"


def main():
    keys = sys.stdin.read().split()
    connection = duckdb.connect(PLACE if KIND == "table" else ":memory:")
    connection.execute(f"SET threads = {THREADS}")
    connection.execute(SETUP)
    answers = {}
    for question, query in QUERIES.items():
        asked = keys[:json.loads(COUNTS)[question]]
        for key in asked[:20]:
            connection.execute(query, [key]).fetchall()
        place = [column[0] for column in connection.description].index("milligrams")
        microseconds, milligrams = [], 0
        for key in asked:
            begin = time.perf_counter()
            rows = connection.execute(query, [key]).fetchall()
            microseconds.append((time.perf_counter() - begin) * 1e6)
            milligrams += sum(row[place] for row in rows)
        microseconds.sort()
        answers[question] = {"p50": microseconds[len(asked) // 2], "p99": microseconds[len(asked) * 99 // 100], "milligrams": milligrams}
    print(json.dumps(answers))


main()
