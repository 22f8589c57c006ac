"""Other people's programs read our segments: pyarrow and DuckDB. Usage: readers_test.py PATH-OF-journal_test"""
import os
import subprocess
import sys
import tempfile

import duckdb
import pyarrow.parquet as parquet

ROWS = 10_002


def written_segment(program, folder):
    environment = dict(os.environ, TANHUI_SEGMENT_FOLDER=folder)
    subprocess.run([program, "--gtest_filter=SegmentForOtherReaders.*"], env=environment, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, "run-000001.parquet")


def check(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: found {found!r}, expected {expected!r}")


def check_pyarrow(path):
    file = parquet.ParquetFile(path)
    check("metadata", file.metadata.metadata[b"tanhui.programme"], b"wuhan-demo")
    check("row groups", file.metadata.num_row_groups, 3)
    statistics = file.metadata.row_group(0).column(0).statistics
    check("least person", statistics.min.hex(), "0102030405060708090a0b0c0d0e0f10")
    table = file.read()
    check("rows", table.num_rows, ROWS)
    full = table.slice(1, 1).to_pylist()[0]
    check("person", full.pop("person").hex(), "0102030405060708090a0b0c0d0e0f10")
    check("start", full.pop("start").isoformat(), "2025-03-01T00:01:00+00:00")
    check("row", full, dict(
        duration_ms=1_125_000, activity="ev-charging", source="alipay", region="420100", methodology="cn-420100-bus-2024",
        event=2**64 - 1, object=2**63, evidence="declared", quantity=16_600, quantity_2=-5, quantity_3=-5, quantity_4=-5,
        outcome="duplicate", reason="overlap", milligrams=-5_000, points=-5, winner=99, winner_source="map-app", revision=65_535,
        line=4_294_967_295, run=None))
    empty = table.slice(0, 1).to_pylist()[0]
    check("nulls", sorted(name for name, value in empty.items() if value is None),
          ["duration_ms", "line", "methodology", "object", "quantity", "quantity_2", "quantity_3", "quantity_4", "run", "winner", "winner_source"])
    check("quantities", table["quantity"].slice(2).to_pylist(), [i * 1_000_003 for i in range(10_000)])


def check_duckdb(path):
    row = duckdb.execute("""SELECT count(*), count(DISTINCT person), sum(milligrams), sum(event) FILTER (event < 20000), count(object),
        count(winner_source), sum(duration_ms) FILTER (duration_ms <> 1125000), sum(quantity), max(line), max(revision) FROM read_parquet(?)""", [path]).fetchone()
    full = [i for i in range(10_000) if i % 7 == 0]
    duration = sum(i % 6000 * 1000 for i in range(10_000) if i % 5 != 0 and i % 6000 * 1000 != 1_125_000)
    check("duckdb", row, (ROWS, ROWS - 1, 1_003_520 - 5_000 + 49_995_000, 50_005_000 + 7, len(full) + 1, len(full) + 1, duration,
                          16_600 + 1_000_003 * 49_995_000, 4_294_967_295, 65_535))
    pruned = duckdb.execute("SELECT count(*) FROM read_parquet(?) WHERE person = '\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\\x09\\x0A\\x0B\\x0C\\x0D\\x0E\\x0F\\x10'::BLOB",
                            [path]).fetchone()
    check("duckdb by person", pruned, (2,))


with tempfile.TemporaryDirectory() as temporary:
    segment = written_segment(sys.argv[1], temporary)
    check_pyarrow(segment)
    check_duckdb(segment)
    print("pyarrow and DuckDB read", ROWS, "rows as written")
