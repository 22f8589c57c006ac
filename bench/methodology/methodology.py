"""Formulas alone: the compiled program of a methodology over columns, against the same formula as a DuckDB expression over a table."""
import harness

# Row i of a column holds least + i * step % span: the same numbers on both sides, a few of them outside the methodology's bounds.
# The SQL is the methodology's formula in whole numbers; what is out of bounds or negative counts as nothing.
CASES = [
    {"what": "one factor: metro ride", "program": ["cn-420100-rail-2024", "420100", 2025, "metro-ride"], "columns": [(400, 119_700, 7919)],
     "sql": "CASE WHEN a BETWEEN 500 AND 120000 THEN a * 784 // 10 ELSE 0 END"},
    {"what": "if and min: walking", "program": ["cn-000000-walk-2023", "420100", 2025, "walk"], "columns": [(-1000, 30_000, 7919), (0, 9_000, 104_729)],
     "sql": "CASE WHEN a BETWEEN 0 AND 44000 AND b BETWEEN 0 AND 30000 THEN least(CASE WHEN a > 0 THEN a * 20 ELSE b * 40 END, 296000) ELSE 0 END"},
    {"what": "five inputs: multimodal trip", "program": ["cn-110000-maas-2020", "110000", 2025, "maas-trip"],
     "columns": [(90, 60_000, 7919), (0, 30_000, 104_729), (0, 20_000, 1_299_709), (0, 5_000, 15_485_863), (0, 2_000, 179_424_673)],
     "sql": "CASE WHEN a BETWEEN 100 AND 120000 THEN greatest(least(a, b + c + d + e) * 1040 - b * 320 - c * 520 - d * 87, 0) // 10 ELSE 0 END"},
]


def bench(settings, result):
    """nanoseconds a record of compiled methodologies, against DuckDB expressions"""
    result.title = f"{settings.rows:,} records in memory, one thread, resident processes"
    for case in CASES:
        measure(settings, result, case)


def measure(settings, result, case):
    columns = [f"{least} + i * {step} % {span} AS {'abcde'[n]}" for n, (least, span, step) in enumerate(case["columns"])]
    ours = harness.Resident([settings.program("bench/methodology_bench"), harness.ROOT / "methodologies", *case["program"], settings.rows,
                             *(f"{least}:{span}:{step}" for least, span, step in case["columns"])])
    theirs = harness.Resident(harness.duckdb_job({"setup": f"CREATE TABLE act AS SELECT {', '.join(columns)} FROM range({settings.rows}) t(i)",
                                                  "script": f"SELECT sum({case['sql']})::BIGINT AS milligrams FROM act"}, 1))
    with ours, theirs:
        rounds = harness.interleaved({case["what"]: ours.once, "the same in DuckDB": theirs.once}, settings.repeats)
    us, them = rounds[case["what"]], rounds["the same in DuckDB"]
    nanoseconds = [harness.median(side, "seconds") * 1e9 / settings.rows for side in (us, them)]
    result.line(f"{case['what']} ({us[0]['path']})", "ns", nanoseconds[0], {"DuckDB": nanoseconds[1]})
    result.line(f"{case['what']}, peak memory", "MiB", round(ours.peak_bytes / 2**20), {"DuckDB": round(theirs.peak_bytes / 2**20)})
    for one, other in zip(us, them):
        result.equal(f"{case['what']}, milligrams", one["milligrams"], {"DuckDB": other["answer"]["milligrams"]})
