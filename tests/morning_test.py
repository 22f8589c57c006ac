"""A morning of a city, as the people in it see it: the service runs as a process, partners talk to it over HTTP, it is killed in the middle,
and an auditor checks everything at the end. tests/scenario has the stories without a service.

    morning_test.py --bin DIR
"""
import argparse
import base64
import datetime
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TESTS = pathlib.Path(__file__).parent
sys.path[:0] = [str(TESTS), str(TESTS.parent / "clients" / "python")]
from report import Report  # noqa: E402
from tanhui_client import Client, HmacKey, Problem, oprf  # noqa: E402

CITY = "wuhan-demo"
PHONES = {"li": "13800138000", "wu": "13900139000"}


class Morning:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.process = binary, pathlib.Path(folder), None
        self.environment = {**os.environ, "TANHUI_INSTANCE": str(self.folder / "instance"), "TANHUI_HTTP_PORT": str(free_port()),
                            "TANHUI_METRICS_PORT": "0", "TANHUI_LOG_REQUESTS": "none"}
        self.environment.pop("TANHUI_DATABASE", None)
        self.base = f"http://127.0.0.1:{self.environment['TANHUI_HTTP_PORT']}"

    def tanhui(self, *arguments, text=None, expect=0):
        done = subprocess.run([self.binary, *arguments], cwd=self.folder, env=self.environment, input=text, capture_output=True, text=True)
        assert done.returncode == expect, f"tanhui {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def serve(self):
        self.process = subprocess.Popen([self.binary, "serve"], cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        for _ in range(200):
            try:
                Client(self.base, attempts=1).get("/health/ready")
                return
            except Exception:  # not yet
                assert self.process.poll() is None, self.process.stderr.read()
                time.sleep(0.05)
        raise AssertionError("the service does not answer")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(30)
        assert how == signal.SIGKILL or code == 0, f"serve ended with {code}: {self.process.stderr.read()}"

    def partner(self, organisation, source, sandbox=False):
        """A client with a key of its own."""
        out = self.tanhui("partner", "key", "new", organisation, "-p", CITY, "--source", source, *(["--sandbox"] if sandbox else []))
        key_id = next(line.split()[0] for line in out.splitlines() if line.startswith("pk-"))
        secret = next(line.split()[1] for line in out.splitlines() if line.startswith("secret"))
        return Client(self.base, key=HmacKey(key_id, base64.b64decode(secret)), attempts=3, wait=0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def at(minute):
    """An instant of this morning's last hours, in UTC, so that no clock makes it a future or a closed day."""
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=20)
    return (begin + datetime.timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ride(event, person, minute, quantity=9000, **more):
    return {"event_id": event, "person": person, "activity": "metro-ride", "start": at(minute), "end": at(minute + 30), "quantity": quantity, **more}


def results(answer):
    return answer.json()["results"]


class Steps:
    """Each method is one thing that happens, in this order; what one learns the next ones use."""

    def __init__(self, morning):
        self.m = morning

    def an_operator_sets_up_a_city(self):
        m = self.m
        out = m.tanhui("programme", "import", *(str(TESTS.parent / "programmes" / f"{name}.yaml") for name in (CITY, "enterprise-demo", "marathon-demo")))
        assert out.count("created and opened") == 3, out
        m.tanhui("organisation", "create", "metro-company", "-p", CITY, "--name", "Metro company", "--kind", "partner")
        m.tanhui("organisation", "create", "map-company", "-p", CITY, "--name", "Map company", "--kind", "partner")

    def partners_get_keys_and_blind_phones(self):
        m = self.m
        self.metro, self.maps = m.partner("metro-company", "metro-gate"), m.partner("map-company", "map-app")
        self.sandbox = m.partner("metro-company", "metro-gate", sandbox=True)
        public = m.tanhui("pseudonym", "keys", "--make").splitlines()[2].split()[1]
        blinder = oprf.Blinder(base64.urlsafe_b64decode(public + "="))
        (m.folder / "requests").write_text(json.dumps(blinder.blind(list(PHONES.values()))) + "\n")
        m.tanhui("pseudonym", "evaluate", "requests", "-o", "responses")
        names = blinder.finish(json.loads((m.folder / "responses").read_text()))
        self.people = dict(zip(PHONES, names))
        assert all(name.startswith("o1.") for name in names), names

    def acts_arrive_over_http_and_are_paid_at_once(self):
        self.m.serve()
        li, wu = self.people["li"], self.people["wu"]
        answer = self.metro.post("/api/v1/activities", json=[ride("g1", li, 0), ride("g2", wu, 10), ride("g3", li, 60)])
        assert [one["outcome"] for one in results(answer)] == ["accepted"] * 3, answer.body
        self.paid = results(answer)
        assert all(one["milligrams"] > 0 for one in self.paid)

    def what_comes_twice_counts_once(self):
        li = self.people["li"]
        again = results(self.metro.post("/api/v1/activities", json=[ride("g1", li, 0)]))[0]
        assert (again["outcome"], again["reason"]) == ("duplicate", "same-event"), again
        assert again["first"]["milligrams"] == self.paid[0]["milligrams"], "a request that is sent again gets its first answer"
        seen = results(self.maps.post("/api/v1/activities", json=[ride("m1", li, 2, evidence="inferred")]))[0]
        assert (seen["outcome"], seen["reason"]) == ("duplicate", "overlap"), seen

    def a_sandbox_key_changes_nothing(self):
        wu = self.people["wu"]
        for _ in range(2):
            assert results(self.sandbox.post("/api/v1/activities", json=[ride("s1", wu, 200)]))[0]["outcome"] == "accepted"

    def bad_records_say_why_and_the_rest_counts(self):
        li = self.people["li"]
        body = (json.dumps(ride("b1", li, 300)) + "\n{\"event_id\": \n" + json.dumps(ride("b2", "", 300)) + "\n" +
                json.dumps({**ride("b3", li, 340), "activity": "walk-on-water"}) + "\n").encode()
        told = results(self.metro.post("/api/v1/activities", body=body, content_type="application/x-ndjson"))
        assert [one["reason"] for one in told] == ["credited", "bad-row", "missing-person", "unknown-activity"], told

    def strangers_get_nothing(self):
        stranger = Client(self.m.base, key=HmacKey("pk-stranger", b"x" * 32), attempts=1)
        for client in (stranger, Client(self.m.base, attempts=1), Client(self.m.base, token="guess", attempts=1)):
            for method, path in (("POST", "/api/v1/activities"), ("POST", "/api/v1/imports"), ("GET", "/api/v1/imports"), ("GET", "/api/v1/webhooks")):
                try:
                    client.request(method, path, body=b"{}" if method == "POST" else b"")
                    raise AssertionError(f"{method} {path} let a stranger in")
                except Problem as problem:
                    assert problem.status == 401, problem.status

    def a_kill_loses_nothing_that_was_answered(self):
        li = self.people["li"]
        before = results(self.metro.post("/api/v1/activities", json=[ride("k1", li, 400)]))[0]
        self.m.stop(signal.SIGKILL)
        self.m.serve()
        self.metro.close()
        after = results(self.metro.post("/api/v1/activities", json=[ride("k1", li, 400)]))[0]
        assert after["outcome"] == "duplicate" and after["first"]["milligrams"] == before["milligrams"], (before, after)

    def a_file_is_taken_too(self):
        wu = self.people["wu"]
        rows = "".join(f"f{i},{wu},metro-ride,420100,{at(500 + 40 * i)},{at(530 + 40 * i)},7000\n" for i in range(3))
        body = ("event_id,person,activity,region,start,end,quantity\n" + rows + f"g2,{wu},metro-ride,420100,{at(10)},{at(40)},9000\n").encode()
        created = self.metro.post("/api/v1/imports", body=body, content_type="text/csv").json()
        for _ in range(200):
            told = self.metro.get(f"/api/v1/imports/{created['id']}").json()
            if told["state"] in ("done", "failed"):
                break
            time.sleep(0.05)
        assert told["state"] == "done", told
        outcomes = told["report"]["outcomes"]
        assert (outcomes["accepted"]["records"], outcomes["duplicate"]["records"]) == (3, 1), told

    def the_command_line_is_told_that_a_service_runs(self):
        (self.m.folder / "late.csv").write_text("event_id,source,person,activity,start,end,quantity\n")
        done = subprocess.run([self.m.binary, "account", "late.csv", "-p", CITY], cwd=self.m.folder, env=self.m.environment, capture_output=True, text=True)
        assert done.returncode == 2 and "service" in done.stderr, done.stderr

    def an_auditor_finds_everything_in_order(self):
        self.m.stop()
        self.m.tanhui("seal")
        out = self.m.tanhui("verify", "--all")
        assert "Everything holds" in out, out
        statement = json.loads(self.m.tanhui("statement", self.people["li"], "--json"))
        assert statement, "the person has a statement"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    binary = str((parser.parse_args().bin / "tanhui").resolve())
    report = Report("morning")
    with tempfile.TemporaryDirectory() as folder:
        morning = Morning(binary, folder)
        steps = Steps(morning)
        try:
            for name in [name for name in vars(Steps) if not name.startswith("_")]:
                problem = ""
                try:
                    getattr(steps, name)()
                except Exception:
                    problem = traceback.format_exc()
                report.add(name.replace("_", " "), problem)
                if problem:
                    break  # what follows needs it
        finally:
            if morning.process and morning.process.poll() is None:
                morning.process.kill()
    report.close()


if __name__ == "__main__":
    main()
