"""Tenants over HTTP: a city and a town on one running service. Administrators, operators, reviewers and partners do their work; and whoever
belongs to the town tries every operation of the interface on everything of the city and gets nothing.

    tenancy_test.py --bin BUILD/src/app
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from report import Report  # noqa: E402

SOURCE = pathlib.Path(__file__).parent.parent.resolve()
PASSWORD = "correct horse battery"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


def settings(programme, region="420100", parent="", cap=500):
    text = (SOURCE / "programmes/wuhan-demo.yaml").read_text().replace("id: wuhan-demo", f"id: {programme}")
    text = text.replace('region: "420100"', f'region: "{region}"').replace("daily_cap: 500", f"daily_cap: {cap}")
    return text + (f"parent: {parent}\n" if parent else "")


def totp(secret, at):
    step = struct.pack(">Q", int(at) // 30)
    mac = hmac.new(base64.b32decode(secret), step, hashlib.sha1).digest()
    place = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[place:place + 4])[0] & 0x7fffffff) % 1000000:06d}"


class Service:
    """`tanhui serve` on a port of its own, with a fresh instance."""

    def __init__(self, binary, folder):
        self.tanhui = [str(binary / "tanhui"), "--instance", str(folder / "instance")]
        self.environment = os.environ | {"TANHUI_HOME": str(SOURCE), "TANHUI_METRICS_PORT": "0", "TANHUI_RATES_EVERYONE_PER_SECOND": "0",
                                         "TANHUI_RATES_STAFF_PER_SECOND": "0", "LANG": "C"}
        self.count = 0

    def command(self, *words, given=""):
        return subprocess.run([*self.tanhui, *words], input=given, env=self.environment, capture_output=True, text=True)

    def start(self):
        self.process = subprocess.Popen([*self.tanhui, "serve", "--listen", "127.0.0.1:0"], env=self.environment, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.address = self.process.stderr.readline().split(" on ")[1].split(" ")[0]

    def stop(self):
        self.process.terminate()
        return self.process.wait()

    def call(self, method, path, token=None, body=None, headers=None, key=True):
        self.count += 1
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if key and method in WRITES:
            sent["Idempotency-Key"] = f"test-{self.count}"
        request = urllib.request.Request(self.address + path, method=method, headers=sent | (headers or {}),
                                         data=json.dumps(body).encode() if body is not None else None)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read().decode()
                return answer.status, json.loads(text) if text else None, dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read().decode() or "null"), dict(error.headers)

    def log_in(self, email):
        status, session, _ = self.call("POST", "/api/v1/staff-sessions", body={"email": email, "password": PASSWORD})
        assert status == 201, session
        return session


def operations():
    """Every operation of staff: method and path, from the description that the server itself has. Other doors are not theirs to try."""
    path, found, staff = None, [], []
    for line in (SOURCE / "api/openapi.yaml").read_text().splitlines():
        if found and "security:" in line and "staffSession" in line:
            staff.append(found[-1])
        if line.startswith("  /"):
            path = line.strip().rstrip(":")
        elif path and line in (f"    {method}:" for method in ("get", "put", "post", "patch", "delete")):
            found.append((line.strip().rstrip(":").upper(), path))
        elif line == "components:":
            break
    return staff


class Story:
    def __init__(self, service):
        self.service = service
        self.staff = {}

    def expect(self, wanted, method, path, who=None, body=None, **more):
        status, answer, headers = self.service.call(method, path, self.staff[who]["token"] if who else None, body, **more)
        assert status == wanted, f"{method} {path} as {who}: {status} instead of {wanted}: {answer}"
        return answer, headers

    def setting_up(self):
        service = self.service
        made = service.command("staff", "create", "root@example.org", "--admin", given=PASSWORD + "\n")
        assert made.returncode == 0, made.stderr
        weak = service.command("staff", "create", "weak@example.org", given="short\n")
        assert weak.returncode == 2 and "characters" in weak.stderr, weak.stderr
        service.start()
        self.staff["root"] = service.log_in("root@example.org")
        for programme in ("city", "town"):
            self.expect(201, "POST", "/api/v1/programmes", "root", {"settings": settings(programme, "420100" if programme == "city" else "420300")})
        for who, programme, role in (("cora", "city", "operator"), ("carl", "city", "reviewer"), ("ada", "city", "auditor"),
                                     ("tom", "town", "operator")):
            answer, _ = self.expect(201, "POST", "/api/v1/staff", "root",
                                    {"email": f"{who}@example.org", "name": who, "password": PASSWORD})
            self.expect(201, "POST", f"/api/v1/programmes/{programme}/members", "root", {"staff": answer["id"], "role": role})
            self.staff[who] = service.log_in(f"{who}@example.org") | {"staff": answer["id"]}

    def programme_of_its_own(self):
        city, headers = self.expect(200, "GET", "/api/v1/programmes/city", "cora")
        assert city["state"] == "draft" and city["name"]["en"].startswith("Wuhan"), city
        tag = headers["ETag"]
        self.expect(304, "GET", "/api/v1/programmes/city", "cora", headers={"If-None-Match": tag})
        self.expect(428, "POST", "/api/v1/programmes/city/states", "cora", {"state": "staged"})
        _, headers = self.expect(201, "POST", "/api/v1/programmes/city/states", "cora", {"state": "staged"}, headers={"If-Match": tag})
        self.expect(412, "POST", "/api/v1/programmes/city/states", "cora", {"state": "open"}, headers={"If-Match": tag})
        opened, headers = self.expect(201, "POST", "/api/v1/programmes/city/states", "cora", {"state": "open"},
                                      headers={"If-Match": headers["ETag"]})
        assert opened["state"] == "open"
        tag = headers["ETag"]
        later = int(time.time() * 1000) + 86_400_000
        changed, headers = self.expect(201, "POST", "/api/v1/programmes/city/settings", "cora",
                                       {"settings": settings("city", cap=7), "valid_from_ms": later}, headers={"If-Match": tag})
        assert changed["number"] == 2
        tag = headers["ETag"]
        wrong = settings("city").replace("cn-420100-bus-2024", "cn-420100-buz-2024")
        problem, _ = self.expect(400, "POST", "/api/v1/programmes/city/settings", "cora", {"settings": wrong}, headers={"If-Match": tag})
        assert problem["type"] == "urn:tanhui:problem:programme.unknown-word", problem
        text, _ = self.expect(200, "GET", "/api/v1/programmes/city/settings/2", "cora")
        assert text["yaml"] == settings("city", cap=7) and text["sha256"] == hashlib.sha256(text["yaml"].encode()).hexdigest()
        self.expect(201, "POST", "/api/v1/programmes", "cora", {"settings": settings("company", parent="city")})
        self.expect(403, "POST", "/api/v1/programmes", "cora", {"settings": settings("free")})
        self.expect(403, "POST", "/api/v1/programmes", "tom", {"settings": settings("thief", parent="city")})
        listed, _ = self.expect(200, "GET", "/api/v1/programmes?limit=1", "root")
        listed, _ = self.expect(200, "GET", f"/api/v1/programmes?limit=5&cursor={listed['next_cursor']}", "root")
        assert [one["id"] for one in listed["items"]] == ["town", "company"], listed
        mine, _ = self.expect(200, "GET", "/api/v1/programmes", "cora")
        assert [one["id"] for one in mine["items"]] == ["city"], "a programme below is a tenant of its own"

    def partners_and_roles(self):
        body = {"id": "metro", "name": {"en": "Metro", "zh": "地铁"}, "kinds": ["partner"], "credit_code": "91330100799655058B"}
        self.expect(201, "POST", "/api/v1/programmes/city/organisations", "cora", body)
        problem, _ = self.expect(400, "POST", "/api/v1/programmes/city/organisations", "cora", body | {"id": "x", "credit_code": "9" * 18})
        assert "last character" in problem["detail"], problem
        answer, _ = self.expect(201, "POST", "/api/v1/staff", "root", {"email": "pia@example.org", "name": "Pia", "password": PASSWORD})
        self.expect(403, "POST", "/api/v1/programmes/city/members", "cora", {"staff": answer["id"], "role": "regulator"})
        self.expect(201, "POST", "/api/v1/organisations/metro/members", "cora", {"staff": answer["id"], "role": "partner"})
        self.staff["pia"] = self.service.log_in("pia@example.org")
        wanted = {"programme": "city", "source": "metro-gate", "algorithm": "hmac-sha256"}
        self.key, _ = self.expect(201, "POST", "/api/v1/organisations/metro/partner-keys", "pia", wanted, key=False)
        assert len(base64.b64decode(self.key["secret"])) == 32
        self.expect(403, "POST", "/api/v1/organisations/metro/partner-keys", "pia", wanted | {"programme": "town"}, key=False)
        following, _ = self.expect(201, "POST", f"/api/v1/partner-keys/{self.key['id']}/rotation", "pia", {"overlap_ms": 60_000}, key=False)
        self.expect(200, "DELETE", f"/api/v1/partner-keys/{following['id']}", "pia")
        listed, _ = self.expect(200, "GET", "/api/v1/organisations/metro/partner-keys", "ada")
        assert len(listed["items"]) == 2 and not any("secret" in one for one in listed["items"])

    def four_eyes(self):
        self.proposal, _ = self.expect(201, "POST", "/api/v1/programmes/city/proposals", "cora", {"what": "transfer", "payload": {"points": 5}})
        path = f"/api/v1/proposals/{self.proposal['id']}"
        self.expect(403, "POST", f"{path}/decision", "cora", {"approve": True})
        self.expect(403, "POST", f"{path}/decision", "ada", {"approve": True})
        decided, _ = self.expect(200, "POST", f"{path}/decision", "carl", {"approve": True})
        assert decided["state"] == "approved" and decided["decider"] == self.staff["carl"]["staff"]
        self.expect(409, "DELETE", path, "cora")

    def once_for_a_key(self):
        body = {"id": "tea", "name": {"en": "Tea", "zh": "茶"}, "kinds": ["merchant"]}
        first, _ = self.expect(201, "POST", "/api/v1/programmes/city/organisations", "cora", body, headers={"Idempotency-Key": "tea"}, key=False)
        again, _ = self.expect(201, "POST", "/api/v1/programmes/city/organisations", "cora", body, headers={"Idempotency-Key": "tea"}, key=False)
        assert first == again
        self.expect(422, "POST", "/api/v1/programmes/city/organisations", "cora", body | {"id": "t2"}, headers={"Idempotency-Key": "tea"}, key=False)
        self.expect(400, "POST", "/api/v1/programmes/city/organisations", "cora", body, key=False)

    def another_tenant(self):
        names = {"programme": "city", "organisation": "metro", "number": "1", "key": self.key["id"], "proposal": self.proposal["id"],
                 "staff": self.staff["cora"]["staff"], "session": self.staff["cora"]["id"],
                 "membership": self.expect(200, "GET", "/api/v1/programmes/city/members", "cora")[0]["items"][0]["id"], "file": "x"}
        own = {"/api/v1/me", "/api/v1/me/totp", "/api/v1/me/totp/confirmation", "/api/v1/staff-sessions", "/api/v1/staff-second-factor",
               "/api/v1/programmes"}  # one's own, or shows only one's own
        tried = 0
        before = self.state_of_the_city()
        for method, path in operations():
            if not path.startswith("/api/v1/") or path in own or path == "/api/v1/openapi.json":
                continue
            filled = path
            for name, value in names.items():
                filled = filled.replace("{" + name + "}", value)
            for token in (self.staff["tom"]["token"], "A" * 43, None):
                status, answer, _ = self.service.call(method, filled, token, {} if method in WRITES - {"DELETE"} else None, {"If-Match": "*"})
                wanted = (403, 404) if token == self.staff["tom"]["token"] else (401,)
                assert status in wanted, f"{method} {filled}: {status} {answer}"
                assert answer["type"].startswith("urn:tanhui:problem:"), answer
                tried += 1
        assert tried >= 75, tried
        assert before == self.state_of_the_city(), "something changed"
        listed, _ = self.expect(200, "GET", "/api/v1/programmes", "tom")
        assert [one["id"] for one in listed["items"]] == ["town"]

    def state_of_the_city(self):
        paths = ("/api/v1/programmes/city", "/api/v1/programmes/city/settings", "/api/v1/programmes/city/organisations",
                 "/api/v1/programmes/city/members", "/api/v1/programmes/city/proposals", "/api/v1/organisations/metro/members")
        return [self.expect(200, "GET", path, "ada")[0] for path in paths]

    def sessions(self):
        proposed, _ = self.expect(201, "POST", "/api/v1/me/totp", "cora")
        codes, _ = self.expect(200, "POST", "/api/v1/me/totp/confirmation", "cora", {"code": totp(proposed["secret"], time.time())})
        pending = self.service.log_in("cora@example.org")
        assert pending["pending"]
        self.staff["pending"] = pending
        self.expect(401, "GET", "/api/v1/programmes/city", "pending")
        self.expect(401, "POST", "/api/v1/staff-second-factor", "pending", {"code": "000000"})
        whole, _ = self.expect(201, "POST", "/api/v1/staff-second-factor", "pending", {"code": codes["recovery_codes"][0]})
        self.expect(401, "GET", "/api/v1/me", "pending")
        cookie = {"Cookie": f"tanhui_staff={whole['token']}"}
        me, _ = self.expect(200, "GET", "/api/v1/me", headers=cookie)
        assert me["email"] == "cora@example.org" and me["recovery_codes_left"] == 9
        refused, _ = self.expect(403, "DELETE", "/api/v1/staff-sessions", headers=cookie)
        assert refused["type"].endswith("access.csrf"), refused
        listed, _ = self.expect(200, "GET", "/api/v1/staff-sessions", "cora")
        assert len(listed["items"]) == 2
        self.expect(204, "DELETE", "/api/v1/staff-sessions", headers=cookie | {"X-CSRF-Token": me["csrf_token"]})
        self.expect(401, "GET", "/api/v1/me", "cora")
        self.expect(204, "DELETE", "/api/v1/staff-sessions/current", headers=cookie | {"X-CSRF-Token": whole["csrf_token"]})
        self.expect(401, "GET", "/api/v1/me", headers=cookie)
        for attempt in range(20):  # how many are let through depends on how long each takes; none of the first five is made to wait
            status, problem, headers = self.service.call("POST", "/api/v1/staff-sessions", body={"email": "no@example.org", "password": "x" * 12})
            if status == 429:
                break
            assert status == 401, problem
        assert status == 429 and attempt >= 5 and int(headers["Retry-After"]) >= 1, (attempt, status, problem)

    def trail_and_log(self):
        trail, _ = self.expect(200, "GET", "/api/v1/programmes/city/trail?limit=500", "ada")
        acts = [one["action"] for one in trail["items"]]
        for action in ("programme.create", "programme.open", "programme.settings", "organisation.create", "partner-key.create",
                       "partner-key.rotate", "partner-key.revoke", "proposal.approved", "member.add"):
            assert action in acts, f"{action} is not among {acts}"
        assert "example.org" not in json.dumps(trail)
        self.expect(403, "GET", "/api/v1/trail", "ada")
        whole, _ = self.expect(200, "GET", "/api/v1/trail?limit=500", "root")
        for _ in range(40):  # a batch joins the log every five seconds
            verified = self.service.command("verify", "--all", "--json")
            told = json.loads(verified.stdout)
            if told.get("staff_actions_waiting") == 0:
                break
            time.sleep(0.5)
        assert told["holds"] and told["staff_actions"] == len(whole["items"]) and told["staff_actions_waiting"] == 0, told
        status = self.service.stop()
        assert status == 0, f"the service ended with {status}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    report = Report("tenancy")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(parser.parse_args().bin, pathlib.Path(folder))
        story = Story(service)
        try:
            for chapter in (story.setting_up, story.programme_of_its_own, story.partners_and_roles, story.four_eyes, story.once_for_a_key,
                            story.another_tenant, story.sessions, story.trail_and_log):
                problem = ""
                try:
                    chapter()
                except Exception as error:  # noqa: BLE001: whatever it is ends the story
                    problem = f"{type(error).__name__}: {error} (line {error.__traceback__.tb_next.tb_lineno})"
                report.add(chapter.__name__, problem)
                if problem:
                    break
        finally:
            if hasattr(service, "process") and service.process.poll() is None:
                service.process.kill()
                service.process.wait()
    report.close()


if __name__ == "__main__":
    main()
