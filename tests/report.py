"""Results of our test scripts in the shape GoogleTest writes, so that ./test counts every single test alike."""
import json
import os
import pathlib
import sys


class Report:
    """Prints one line per test and, under ./test, leaves <entry>.json in the folder that TANHUI_RESULTS names."""

    def __init__(self, entry):
        self.entry = entry
        self.tests = []

    def add(self, name, problem="", skipped=False):
        """`problem` is what went wrong, empty when nothing did."""
        self.tests.append({"name": name, "status": "RUN", "result": "SKIPPED" if skipped else "COMPLETED",
                           **({"failures": [{"failure": problem}]} if problem else {})})
        print(f"{'FAILED ' if problem else 'skipped' if skipped else 'ok     '} {name}", flush=True)
        if problem:
            print("    " + problem.rstrip().replace("\n", "\n    "), flush=True)

    def close(self):
        """Writes the results and exits: 0 when no test failed."""
        failed = sum("failures" in test for test in self.tests)
        print(f"{self.entry}: {len(self.tests) - failed} of {len(self.tests)} good")
        if folder := os.environ.get("TANHUI_RESULTS"):
            report = {"testsuites": [{"name": self.entry, "testsuite": self.tests}]}
            (pathlib.Path(folder) / f"{self.entry}.json").write_text(json.dumps(report))
        sys.exit(1 if failed else 0)
