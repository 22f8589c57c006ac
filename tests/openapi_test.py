"""api/openapi.yaml and the running server say the same.

Starts the real server on a free port, on SQLite and, where TANHUI_TEST_POSTGRES names a server (tests/with_postgres), on PostgreSQL, and checks:
  - every route is an operation of the file and every operation a route, with the same access rule;
  - every example of the file is what its schema says;
  - Schemathesis finds no answer that is not as described: examples, bounds, made-up inputs, wrong methods;
  - /metrics counts, the log has a line for each request and nothing of queries, and SIGTERM ends it well.

    openapi_test.py --bin DIR
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from report import Report  # noqa: E402

SECURITY = {"everyone": set(), "partner": {"partnerSignature"}, "person": {"personSession"}, "staff": {"staffSession", "staffCookie"}}
METHODS = {"get", "post", "put", "patch", "delete"}
SECONDS = 25  # of Schemathesis, on each store
EXAMPLES = 30  # that it makes for each operation, at most


class Server:
    """A running `tanhui serve`; gone when the block ends."""

    def __init__(self, binary, folder, database):
        self.binary, self.folder = binary, folder
        self.words = [binary, "--instance", folder / "instance", *(["--database", database] if database else [])]
        self.environment = {**os.environ, "LANG": "C.UTF-8", "TANHUI_RATES_EVERYONE_PER_SECOND": "0", "TANHUI_METRICS_PORT": str(free_port())}

    def __enter__(self):
        self.log = open(self.folder / "log", "w+")
        self.process = subprocess.Popen([*self.words, "serve", "--listen", "127.0.0.1:0"], stdout=self.log, stderr=subprocess.PIPE, text=True, env=self.environment)
        for line in self.process.stderr:
            if match := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.address = match.group(0)
                return self
        raise RuntimeError(f"the server did not start: exit code {self.process.wait()}")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def operations(self):
        """{(method, path): (operation id, who)} as the program itself lists them; with an instance of its own, for this one is being served."""
        listed = subprocess.run([self.binary, "--instance", self.folder / "another", "serve", "--operations"], capture_output=True, text=True, check=True, env={**self.environment, "TANHUI_METRICS_PORT": "0", "TANHUI_HTTP_PORT": "0"}).stdout
        rows = [line.split() for line in listed.splitlines()]
        return {(method.lower(), path): (operation, who) for method, path, operation, who, _ in rows}

    def get(self, path, port=None):
        address = self.address if port is None else f"http://127.0.0.1:{port}"
        try:
            with urllib.request.urlopen(address + path, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, dict(problem.headers), problem.read().decode()


def free_port():
    import socket
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def routes_and_file_agree(server, document):
    registered = server.operations()
    described = {(method, path): operation for path, item in document["paths"].items() for method, operation in item.items() if method in METHODS}
    problems = [f"{method.upper()} {path} ({registered[method, path][0]}) is a route and not in api/openapi.yaml" for method, path in registered.keys() - described.keys()]
    problems += [f"{method.upper()} {path} is in api/openapi.yaml and no route" for method, path in described.keys() - registered.keys()]
    for where in registered.keys() & described.keys():
        operation, who = registered[where]
        if described[where].get("operationId") != operation:
            problems.append(f"{where}: the route is {operation}, the file says {described[where].get('operationId')}")
        schemes = {name for rule in described[where].get("security", document.get("security", [])) for name in rule}
        # OCPI has tokens of its own, which its handlers look at; to the service everybody may ask.
        if schemes - ({"ocpiToken"} if who == "everyone" else set()) != SECURITY[who]:
            problems.append(f"{where}: the route is for {who}, the file asks for {sorted(schemes) or 'nothing'}")
    return "\n".join(sorted(problems))


def examples_are_valid(document):
    import jsonschema_rs
    problems, seen = [], 0

    def check(schema, example, where):
        nonlocal seen
        seen += 1
        whole = {**schema, "components": document["components"]}
        try:
            jsonschema_rs.validator_for(whole).validate(example)
        except jsonschema_rs.ValidationError as problem:
            problems.append(f"{where}: {str(problem).splitlines()[0]}")

    def walk(node, where):
        if isinstance(node, dict):
            if "schema" in node and "example" in node:
                check(node["schema"], node["example"], where)
            if "schema" in node and isinstance(node.get("examples"), dict):
                for name, one in node["examples"].items():
                    check(node["schema"], one["value"], f"{where}/examples/{name}")
            if isinstance(node.get("examples"), list) and ("type" in node or "properties" in node):
                for one in node["examples"]:
                    check({key: value for key, value in node.items() if key != "examples"}, one, where)
            for key, value in node.items():
                walk(value, f"{where}/{key}")
        elif isinstance(node, list):
            for number, value in enumerate(node):
                walk(value, f"{where}/{number}")

    walk(document, "#")
    return "\n".join(problems) or ("" if seen > 3 else "there are hardly any examples")


def schemathesis_is_content(server):
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    if not program.exists():
        program = pathlib.Path(__file__).parent.parent / ".venv/bin/schemathesis"
    words = [program, "run", f"{server.address}/api/v1/openapi.json", "--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color",
             # What a contact or an address must be like is more than a schema can say.
             "--exclude-checks", "positive_data_acceptance", "--request-timeout", "10", "--generation-database", "none", "--suppress-health-check", "all"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, cwd=server.folder, timeout=10 * SECONDS, env={**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(pathlib.Path(__file__).parent), "SCHEMATHESIS_HOOKS": "openapi_hooks"})
    except subprocess.TimeoutExpired:
        return f"not done after {10 * SECONDS} s"
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-6000:]


def metrics_count(server, port):
    server.get("/health/live?phone=13800000000")
    status, _, text = server.get("/metrics", port)
    if status != 200 or 'tanhui_http_requests_total{operation="getLiveness",status="400"}' not in text:
        return f"{status}\n{text[:2000]}"
    return ""


def log_says_enough_and_not_too_much(server):
    server.log.flush()
    text = (server.folder / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    if not requests or any({"request_id", "operation", "status", "duration_us", "bytes"} - line.keys() for line in requests):
        return "a request's line lacks something"
    return "the log holds the value of a query" if "13800000000" in text else ""


def stops_well(server):
    server.process.send_signal(signal.SIGTERM)
    try:
        code = server.process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        return "it did not end within 30 s"
    return "" if code == 0 else f"exit code {code}\n{server.process.stderr.read()}"


@contextlib.contextmanager
def store(name, folder):
    """The address of an empty database, empty for the instance's own SQLite file."""
    if name == "sqlite":
        yield ""
        return
    address, schema = os.environ["TANHUI_TEST_POSTGRES"], f"openapi_test_{os.getpid()}"
    run = lambda sql: subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", sql], check=True, capture_output=True)  # noqa: E731
    run(f"CREATE SCHEMA {schema}")
    try:
        yield f"{address}{'&' if '?' in address else '?'}options=-csearch_path%3D{schema}"
    finally:
        run(f"DROP SCHEMA {schema} CASCADE")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    binary = parser.parse_args().bin.resolve() / "tanhui"
    report = Report("openapi")
    for name in ("sqlite", "postgresql"):
        if name == "postgresql" and not os.environ.get("TANHUI_TEST_POSTGRES"):
            report.add(f"{name}: everything", skipped=True)
            continue
        with tempfile.TemporaryDirectory() as folder, store(name, folder) as database, Server(binary, pathlib.Path(folder), database) as server:
            document = json.loads(server.get("/api/v1/openapi.json")[2])
            if name == "sqlite":
                report.add("routes and file agree", routes_and_file_agree(server, document))
                report.add("examples are valid", examples_are_valid(document))
            report.add(f"{name}: schemathesis", schemathesis_is_content(server))
            report.add(f"{name}: metrics count", metrics_count(server, server.environment["TANHUI_METRICS_PORT"]))
            report.add(f"{name}: stops well", stops_well(server))
            report.add(f"{name}: log", log_says_enough_and_not_too_much(server))
    report.close()


if __name__ == "__main__":
    main()
