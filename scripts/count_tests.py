"""Counts single tests of a run of ./test and closes with 'N passed, N failed, N skipped'. Exit code 1 when one failed or none ran.

count_tests.py RESULTS [NAME=passed|failed ...]

RESULTS holds ctest.xml (one entry per test program) and, for each program, <entry>_test.json (written by GoogleTest) or <entry>.json
(written by our scripts in the same shape). An entry without such a file, for example a program that crashed, counts as one test.
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def gtest_counts(report):
    """(passed, failed, skipped) and the names of failed tests of a GoogleTest JSON report."""
    passed = skipped = 0
    failed = []
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            if test["status"] == "NOTRUN":  # filtered out or disabled
                continue
            if test.get("failures"):
                failed.append(f"{suite['name']}.{test['name']}")
            elif test["result"] == "SKIPPED":
                skipped += 1
            else:
                passed += 1
    return passed, failed, skipped


def read_report(results, entry):
    """The entry's report; None when it wrote none or was stopped while writing."""
    for name in (f"{entry}_test.json", f"{entry}.json"):
        try:
            return json.loads((results / name).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            continue
    return None


def count(results, extra):
    passed, failed, skipped = 0, [], 0
    xml = results / "ctest.xml"
    for case in ElementTree.parse(xml).getroot().iter("testcase") if xml.exists() else []:
        entry, status = case.get("name"), case.get("status")
        left_out = case.find("skipped")
        if left_out is not None and "SKIP_RETURN_CODE" in left_out.get("message", ""):  # it said itself that it cannot run here
            status = "disabled"
        report = read_report(results, entry)
        if report is None:
            passed += status == "run"
            skipped += status == "disabled"
            failed += [entry] if status in ("fail", "notrun") else []  # not run: the program was not built
            continue
        good, bad, left_out = gtest_counts(report)
        if status == "fail" and not bad:  # a leak found at the end, a time limit, a crash behind the last test
            bad = ["as a whole"]
        passed, failed, skipped = passed + good, failed + [f"{entry}: {name}" for name in bad], skipped + left_out
    for word in extra:
        name, outcome = word.split("=")
        passed += outcome == "passed"
        failed += [name] if outcome == "failed" else []
    return passed, failed, skipped


def main():
    passed, failed, skipped = count(pathlib.Path(sys.argv[1]), sys.argv[2:])
    print()
    for name in failed:
        print(f"failed: {name}")
    if passed + len(failed) + skipped == 0:
        print("no test matches; ./test --help tells how to choose")
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed or passed + skipped == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
