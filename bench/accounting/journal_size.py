"""Bytes a record of the three journals that the accounting jobs leave behind."""
import json
import pathlib
import sys

import harness
from accounting import accounting

KINDS = {  # copies of DuckDB's journal into a file of their own, or as Parquet
    "DuckDB": ("CREATE TABLE journal AS SELECT * FROM city.journal; CHECKPOINT;", None),
    "DuckDB, sorted": ("CREATE TABLE journal AS SELECT * FROM city.journal ORDER BY day, person, start_ms; CHECKPOINT;", None),
    "DuckDB, sorted Parquet zstd": ("COPY (SELECT * FROM city.journal ORDER BY day, person, start_ms) TO '$parquet' (COMPRESSION zstd);", "journal.parquet"),
}


def bench(settings, result):
    """bytes per record of the journal, against DuckDB's and PostgreSQL's tables"""
    sides = accounting.stand(settings, result)
    files = sorted((settings.folder / "instance" / "journal").rglob("*.parquet"))
    ours = json.loads(harness.measured(harness.duckdb_job({"script": OURS, "values": {"files": str(files[0].parents[1] / "*" / "*.parquet")}, "once": True},
                                                          settings.threads))[1])["answer"]
    size = sum(file.stat().st_size for file in files)
    result.title = f"{ours['records']:,} records, all columns; each divided by its own number of records"
    peers, answers = {}, {}
    for name, (script, parquet) in KINDS.items():
        peers[name], answers[name] = duckdb(settings, script, parquet)
    if "PostgreSQL" in sides:
        peers |= postgres(settings.postgres(), answers)
    result.line("bytes a record", "B", size / ours["records"], peers)
    result.equal("milligrams in the journal", ours["milligrams"], answers)
    result.details["columns"] = {name: round(value / ours["records"], 3) for name, value in columns(settings, files).items()}
    result.notes.append("ours by column: " + ", ".join(f"{name} {value:.2f}" for name, value in result.details["columns"].items() if value >= 0.05))


OURS = "SELECT count(*) AS records, sum(milligrams)::BIGINT AS milligrams FROM read_parquet('$files')"


def duckdb(settings, script, parquet):
    file, city = settings.folder / (parquet or "journal.duckdb"), settings.folder / "city.duckdb"
    job = {"script": f"SET preserve_insertion_order = true; ATTACH '{city}' AS city (READ_ONLY); {script}", "once": True,
           "values": {"parquet": str(file)}, "database": None if parquet else str(file),
           "answer": "SELECT count(*) AS records, sum(milligrams)::BIGINT AS milligrams FROM city.journal"}
    answer = json.loads(harness.measured(harness.duckdb_job(job, settings.threads))[1])["answer"]
    size = file.stat().st_size
    file.unlink()
    return size / answer["records"], answer["milligrams"]


def postgres(server, answers):
    server.query("city", "CREATE INDEX IF NOT EXISTS journal_person ON journal (person, day)")
    records, milligrams, table, both = server.query(
        "city", "SELECT count(*), sum(milligrams)::bigint, pg_table_size('journal'), pg_total_relation_size('journal') FROM journal")[0]
    answers["PostgreSQL"] = int(milligrams)
    return {"PostgreSQL": int(table) / int(records), "PostgreSQL with an index": int(both) / int(records)}


def columns(settings, files):
    """{column: bytes} over all segments, largest first; Parquet's own words, read in a child because Arrow is large."""
    script = pathlib.Path(__file__).with_name("column_bytes.py")
    return json.loads(harness.measured([sys.executable, "-B", script, *files])[1])
