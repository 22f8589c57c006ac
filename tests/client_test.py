"""The Python client (clients/python): its own tests, and its pseudonyms against those of the program.

    client_test.py --bin DIR
"""
import argparse
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).parent
CLIENT = TESTS.parent / "clients" / "python"
sys.path[:0] = [str(TESTS), str(CLIENT)]
from report import Report  # noqa: E402
from tanhui_client import oprf  # noqa: E402

PHONES = ["13800138000", "+852 9123 4567", "１３９００１３９０００"]


def run_unit_tests(report):
    for test in unittest.defaultTestLoader.discover(str(CLIENT / "tests")):
        for suite in test:
            for case in suite:
                result = unittest.TestResult()
                case.run(result)
                report.add(case.id().rpartition("tests.")[2], "\n".join(text for _, text in [*result.failures, *result.errors]))


def blind_with_both(program):
    """Empty when a batch that Python blinded, the program evaluated and Python finished gives what the program's own partner side gives."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        environment = {**os.environ, "TANHUI_INSTANCE": str(folder / "instance")}
        environment.pop("TANHUI_DATABASE", None)

        def tanhui(*arguments):
            return subprocess.run([program, *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout

        key = tanhui("pseudonym", "keys", "--make").splitlines()[2].split()[1]
        (folder / "phones").write_text("".join(f"{phone}\n" for phone in PHONES))
        tanhui("pseudonym", "blind", "phones", "--public-key", key, "--state", "state", "-o", "requests")
        tanhui("pseudonym", "evaluate", "requests", "-o", "responses")
        tanhui("pseudonym", "finish", "phones", "responses", "--state", "state", "-o", "names")
        expected = (folder / "names").read_text().split()

        blinder = oprf.Blinder(base64.urlsafe_b64decode(key + "="))
        (folder / "requests").write_text(json.dumps(blinder.blind(PHONES)) + "\n")
        tanhui("pseudonym", "evaluate", "requests", "-o", "responses")
        names = blinder.finish(json.loads((folder / "responses").read_text()))
        return "" if names == expected else f"the client's {names}, the program's {expected}"


def hash_with_both(program):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run = lambda *arguments: subprocess.run([program, *arguments], cwd=folder, check=True, capture_output=True)  # noqa: E731
        run("pseudonym", "partner-key", "-o", "key")
        key = base64.urlsafe_b64decode((folder / "key").read_text().split()[1] + "=")
        (folder / "phones").write_text("".join(f"{phone}\n" for phone in PHONES))
        run("pseudonym", "hmac", "phones", "--key", "key", "-o", "hashes")
        theirs = [oprf.partner_hash(key, phone) for phone in PHONES]
        return "" if (folder / "hashes").read_text().split() == theirs else "client and program hash differently"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    program = str(parser.parse_args().bin.resolve() / "tanhui")
    report = Report("client")
    run_unit_tests(report)
    report.add("blinds as the program does", blind_with_both(program))
    report.add("hashes as the program does", hash_with_both(program))
    report.close()


if __name__ == "__main__":
    main()
