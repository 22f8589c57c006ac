"""A nation's file in one run: a stream of records of millions of people, made while it is read, so that it needs no disk."""
import json
import os
import shutil
import subprocess

import harness

DAYS = 22
REPORTS_PER_DAY = 1.532  # of one person of `tanhui sample`


def bench(settings, result):
    """90 million records of 2.7 million people (--rows 90000000) through one run; only when named"""
    people = max(1, round(settings.rows / (DAYS * REPORTS_PER_DAY)))
    instance = settings.folder / "endurance"
    shutil.rmtree(instance, ignore_errors=True)
    program = settings.program("src/app/tanhui")
    made = (settings.folder / "endurance.txt").open("w+b")
    city = subprocess.Popen([program, "sample", "--people", str(people), "--days", str(DAYS)], stdout=subprocess.PIPE, stderr=made)
    try:
        measurement, output = harness.measured([program, "--home", harness.ROOT, "--instance", instance, "account", "--programme", "wuhan-demo",
                                                "--quiet", "--report", "json", "--threads", settings.threads, "-"], stdin=city.stdout)
    finally:
        city.stdout.close()  # the generator ends when nobody reads
    _, status, usage = os.wait4(city.pid, 0)
    city.returncode = os.waitstatus_to_exitcode(status)
    made.seek(0)
    rows = rows_of(made.read().decode())
    made.close()
    if city.returncode != 0 or rows is None:
        raise harness.Failure(f"tanhui sample ended with {city.returncode}")
    report = json.loads(output)
    result.title = f"{report['records']:,} records of {people:,} people on {DAYS} days, from a pipe; the generator runs beside it"
    result.line("seconds", "s", measurement["seconds"], {})
    result.line("core-seconds", "s", measurement["cpu_seconds"], {})
    result.line("core-seconds of the generator", "s", usage.ru_utime + usage.ru_stime, {})
    result.line("records a second", "", round(report["records"] / measurement["seconds"]), {})
    result.line("peak memory", "MiB", round(measurement["peak_bytes"] / 2**20), {})
    result.line("on disk: journal", "MB", round(report["journal"]["bytes"] / 1e6), {})
    result.line("on disk: database", "MB", round((instance / "tanhui.db").stat().st_size / 1e6), {})
    result.line("bytes a journal row", "B", report["journal"]["bytes"] / report["journal"]["rows"], {})
    result.equal("records", report["records"], {"what the generator wrote": rows,
                                                "sum of the outcomes": sum(one["records"] for one in report["outcomes"].values())})
    result.equal("milligrams", report["milligrams"], {"sum over the activities": sum(one["milligrams"] for one in report["activities"])})
    result.details["steps"] = report["seconds"]
    shutil.rmtree(instance)


def rows_of(summary):
    """`rows   1,066,977` of what tanhui sample says it wrote."""
    for line in summary.splitlines():
        words = line.split()
        if words[:1] == ["rows"]:
            return int(words[1].replace(",", ""))
    return None
