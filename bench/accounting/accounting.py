"""From a file of records to credited accounts: tanhui account against the same job in DuckDB's and PostgreSQL's SQL."""
import json
import pathlib
import shutil
import string

import harness

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS = ("{'event_id': 'VARCHAR', 'source': 'VARCHAR', 'person': 'VARCHAR', 'activity': 'VARCHAR', 'region': 'VARCHAR', "
           "'start': 'TIMESTAMPTZ', 'end': 'TIMESTAMPTZ', 'quantity': 'BIGINT', 'evidence': 'VARCHAR'}")
DUCKDB_SOURCE = {
    "csv": "read_csv('$file', header = true, auto_detect = false, delim = ',', quote = '\"', ignore_errors = true, columns = " + COLUMNS + ")",
    "ndjson": "read_json('$file', format = 'newline_delimited', ignore_errors = true, columns = " + COLUMNS + ")",
    "parquet": "read_parquet('$file')",
}
POSTGRES_LOAD = {  # one line each: psql's \copy ends with its line
    "csv": r"\copy delivered FROM pstdin WITH (FORMAT csv, HEADER)",
    # A line is taken as it is: the two control characters occur in no record.
    "ndjson": r"""CREATE UNLOGGED TABLE line (record json);
\copy line FROM pstdin WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
INSERT INTO delivered SELECT r.* FROM line, json_populate_record(NULL::delivered, record) r;""",
}


def csv(settings, result):
    """10 million CSV records to credited accounts, against DuckDB and PostgreSQL"""
    bench(settings, result, "csv")


def ndjson(settings, result):
    """the same records as NDJSON"""
    bench(settings, result, "ndjson")


def parquet(settings, result):
    """the same records as Parquet (PostgreSQL reads none)"""
    bench(settings, result, "parquet")


def bench(settings, result, form):
    source = harness.city(settings, form)
    sides = {"tanhui": lambda: tanhui(settings, source), "DuckDB": lambda: duckdb(settings, source, form)}
    if form not in POSTGRES_LOAD:
        result.skip(f"PostgreSQL reads no {form}")
    else:
        try:
            settings.postgres()
            sides["PostgreSQL"] = lambda: postgres(settings, source, form)
        except harness.Skip as reason:
            result.skip(reason)
    rounds = harness.interleaved(sides, settings.repeats)
    compare(result, rounds, source)
    compare_resident(settings, result, source, form)
    result.details["rounds"] = rounds


def compare(result, rounds, source):
    ours, peers = rounds["tanhui"], [name for name in rounds if name != "tanhui"]
    records = ours[0]["records"]
    result.title = f"{records:,} records, {source.stat().st_size / 1e6:,.0f} MB of {source.suffix[1:]}, a fresh process each time"
    result.line("seconds", "s", harness.median(ours, "seconds"), {peer: harness.median(rounds[peer], "seconds") for peer in peers})
    result.line("core-seconds", "s", harness.median(ours, "cpu_seconds"),
                {peer: harness.median(rounds[peer], "cpu_seconds") for peer in peers if rounds[peer][0]["cpu_seconds"]})
    result.line("records a second", "", round(records / harness.median(ours, "seconds")), {})
    result.line("peak memory", "MiB", round(max(one["peak_bytes"] for one in ours) / 2**20),
                {peer: round(max(one["peak_bytes"] for one in rounds[peer]) / 2**20) for peer in peers})
    for what in ("milligrams", "points"):
        for number in range(len(ours)):
            result.equal(f"{what} credited", ours[number][what], {peer: rounds[peer][number][what] for peer in peers})


def compare_resident(settings, result, source, form):
    """Both as processes that do the job again and again, so that memory is touched before the counted rounds."""
    ours = harness.Resident([settings.program("bench/account_bench"), harness.ROOT, settings.folder / "resident", settings.threads, source])
    theirs = harness.Resident(harness.duckdb_job(duckdb_words(settings, source, form, "resident.duckdb"), settings.threads))
    with ours, theirs:
        rounds = harness.interleaved({"tanhui, resident": ours.once, "DuckDB, resident": theirs.once}, settings.repeats)
    shutil.rmtree(settings.folder / "resident", ignore_errors=True)
    (settings.folder / "resident.duckdb").unlink()
    us, them = rounds["tanhui, resident"], rounds["DuckDB, resident"]
    result.line("seconds, resident process", "s", harness.median(us, "seconds"), {"DuckDB": harness.median(them, "seconds")})
    result.equal("milligrams credited, resident process", us[-1]["milligrams"], {"DuckDB": them[-1]["answer"]["milligrams"]})


# ---- one round of each side; the result of the last one stays in the folder for other benches

def tanhui(settings, source):
    settings.standing.discard("tanhui")
    instance = settings.folder / "instance"
    shutil.rmtree(instance, ignore_errors=True)
    result, output = harness.measured([settings.program("src/app/tanhui"), "--home", harness.ROOT, "--instance", instance, "account", "--programme",
                                       "wuhan-demo", "--quiet", "--report", "json", "--threads", settings.threads, source])
    report = json.loads(output)
    settings.standing.add("tanhui")
    return result | {"milligrams": report["milligrams"], "points": report["points"], "records": report["records"],
                     "journal_bytes": report["journal"]["bytes"], "journal_rows": report["journal"]["rows"], "steps": report["seconds"]}


def duckdb_words(settings, source, form, database):
    reader = string.Template(DUCKDB_SOURCE[form]).substitute(file=source)
    return {"script": (HERE / "account_duckdb.sql").read_text(), "values": {"source": reader}, "database": str(settings.folder / database),
            "answer": "SELECT sum(milligrams)::BIGINT AS milligrams, sum(points)::BIGINT AS points, (SELECT count(*) FROM journal) AS journal_rows, "
                      "(SELECT sum(milligrams)::BIGINT FROM journal) AS journal_milligrams FROM balance"}


def duckdb(settings, source, form):
    settings.standing.discard("DuckDB")
    result, output = harness.measured(harness.duckdb_job(duckdb_words(settings, source, form, "city.duckdb") | {"once": True}, settings.threads))
    report = json.loads(output)
    if report["answer"]["journal_milligrams"] != report["answer"]["milligrams"]:
        raise harness.Failure("DuckDB's balances are not the sums of its journal")
    settings.standing.add("DuckDB")
    return result | report["answer"] | {"seconds": report["seconds"], "steps": report["steps"]}  # without the start of the interpreter


def postgres(settings, source, form):
    settings.standing.discard("PostgreSQL")
    server = settings.postgres()
    server.new_database("city")
    script = string.Template((HERE / "account_postgres.sql").read_text()).substitute(load=POSTGRES_LOAD[form])
    with source.open("rb") as file:
        result, _ = server.measured("city", script, stdin=file)
    milligrams, points = server.query("city", "SELECT sum(milligrams)::bigint, sum(points)::bigint FROM balance")[0]
    rows, journal = server.query("city", "SELECT count(*), sum(milligrams)::bigint FROM journal")[0]
    if journal != milligrams:
        raise harness.Failure("PostgreSQL's balances are not the sums of its journal")
    settings.standing.add("PostgreSQL")
    return result | {"milligrams": int(milligrams), "points": int(points), "journal_rows": int(rows)}


def stand(settings, result, peers=("DuckDB", "PostgreSQL")):
    """For benches that look at finished jobs: does those that this run has not done yet. Returns the sides that stand."""
    source = harness.city(settings, "csv")
    jobs = {"tanhui": lambda: tanhui(settings, source), "DuckDB": lambda: duckdb(settings, source, "csv"),
            "PostgreSQL": lambda: postgres(settings, source, "csv")}
    for side in ("tanhui", *peers):
        if side not in settings.standing:
            harness.say(f"  accounting with {side}, not counted ...")
            try:
                jobs[side]()
            except harness.Skip as reason:
                result.skip(reason)
    return [side for side in ("tanhui", *peers) if side in settings.standing]
