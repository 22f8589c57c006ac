"""The Python client (clients/python): its own tests, and its pseudonyms against those of the program.

    client_test.py --bin DIR
"""
import argparse
import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).parent
CLIENT = TESTS.parent / "clients" / "python"
sys.path[:0] = [str(TESTS), str(CLIENT)]
from report import Report  # noqa: E402
from tanhui_client import Client, HmacKey, Problem, oprf  # noqa: E402

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


class Service:
    """`tanhui serve` on a free port, with the demo programme open, and a partner with a key."""

    def __init__(self, program, folder):
        self.environment = {**os.environ, "TANHUI_INSTANCE": str(folder / "instance"), "TANHUI_PEOPLE_CODES": "sandbox", "TANHUI_METRICS_PORT": "0",
                            "TANHUI_LOG_REQUESTS": "none"}
        self.environment.pop("TANHUI_DATABASE", None)
        self.program, self.folder = program, folder
        self.tanhui("programme", "import", str(TESTS.parent / "programmes" / "wuhan-demo.yaml"))
        self.tanhui("organisation", "create", "metro", "-p", "wuhan-demo", "--name", "Metro", "--kind", "partner")
        text = self.tanhui("partner", "key", "new", "metro", "-p", "wuhan-demo", "--source", "metro-gate")
        self.key_id, self.secret = text.split()[0], base64.b64decode(re.search(r"[A-Za-z0-9+/_-]{43}=", text).group())
        self.process = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0"], cwd=folder, env=self.environment, text=True,
                                        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.address = re.search(r"http://[^ ]+", self.process.stderr.readline()).group()

    def tanhui(self, *arguments):
        return subprocess.run([self.program, *arguments], cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=30)


def against_the_service(program):
    """A partner names two people and sends acts; one of them registers and sees the credit. Empty when all is as it should be."""
    with tempfile.TemporaryDirectory() as name, Service(program, pathlib.Path(name)) as service:
        partner = Client(service.address, key=HmacKey(service.key_id, service.secret))
        key = partner.get("/api/v1/pseudonym-keys").json()["items"][0]
        blinder = oprf.Blinder(base64.urlsafe_b64decode(key["public_key"] + "="), key["version"])
        names = blinder.finish(partner.post("/api/v1/pseudonym-evaluations", json=blinder.blind(PHONES)).json())
        act = {"event_id": "g-1", "person": names[0], "activity": "metro-ride", "start": "2025-03-01T08:00:00+08:00",
               "end": "2025-03-01T08:30:00+08:00", "quantity": 13000}
        partner.post("/api/v1/activities", json=[act])
        stranger = Client(service.address, key=HmacKey(service.key_id, bytes(32)))
        try:
            stranger.post("/api/v1/activities", json=[act])
            return "a wrong secret was let in"
        except Problem as problem:
            if problem.status != 401:
                return f"a wrong secret was answered {problem.status}"
        anyone = Client(service.address)
        contact = {"kind": "phone", "contact": PHONES[0]}
        question = anyone.post("/api/v1/person-codes", json=contact).json()["question"]
        code = anyone.get("/api/v1/sandbox/messages").json()["items"][0]["code"]
        session = anyone.post("/api/v1/person-sessions", json={**contact, "question": question, "code": code}).json()
        person = Client(service.address, token=session["token"])
        linked = person.get("/api/v1/person").json()["pseudonyms"]
        everything = person.get("/api/v1/person/export").json()
        if len(linked) != 1 or everything["contacts"][0]["value"] != "+8613800138000":
            return f"the person found {linked} and {everything['contacts']}"
        return ""


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    program = str(parser.parse_args().bin.resolve() / "tanhui")
    report = Report("client")
    run_unit_tests(report)
    report.add("blinds as the program does", blind_with_both(program))
    report.add("hashes as the program does", hash_with_both(program))
    report.add("a partner and a person at the service", against_the_service(program))
    report.close()


if __name__ == "__main__":
    main()
