"""The TypeScript client is made from api/openapi.yaml and passes its own compiler; its retries behave.

    typescript_client_test.py
"""
import pathlib
import shutil
import subprocess
import sys

TESTS = pathlib.Path(__file__).parent
CLIENT = TESTS.parent / "clients" / "typescript"
sys.path[:0] = [str(TESTS)]
from report import Report  # noqa: E402

BEHAVIOUR = """
import { connect, waitBefore } from "./client.mjs";
let calls = [];
const answers = [new Response("", { status: 503, headers: { "Retry-After": "2" } }), new Response("{}", { status: 200, headers: { "Content-Type": "application/json" } })];
const waits = [];
const client = connect({ baseUrl: "http://localhost", fetch: async (request) => { calls.push(request); return answers.shift(); }, sleep: async (ms) => { waits.push(ms); },
                         token: () => "secret", csrf: () => "c" });
const { response } = await client.POST("/api/v1/webhooks", { body: { url: "https://a.example/" } });
const keys = calls.map((call) => call.headers.get("Idempotency-Key"));
const ok = response.status === 200 && calls.length === 2 && keys[0] && keys[0] === keys[1] && waits[0] >= 2000 && calls[0].headers.get("Authorization") === "Bearer secret" &&
  calls[0].headers.get("X-CSRF-Token") === "c" && waitBefore(1, null, () => 0) === 250 && waitBefore(20, null, () => 1) === 30000;
if (!ok) { console.error(response.status, calls.length, keys, waits); process.exit(1); }
"""


def run(*command, **more):
    done = subprocess.run(command, cwd=CLIENT, capture_output=True, text=True, **more)
    return "" if done.returncode == 0 else f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def behaviour():
    folder = CLIENT / "node_modules" / ".tanhui-test"  # finds openapi-fetch from there
    folder.mkdir(exist_ok=True)
    try:
        if problem := run("npx", "--no-install", "tsc", "--outDir", str(folder), "--noEmit", "false"):
            return problem
        (folder / "client.mjs").write_text((folder / "client.js").read_text())
        (folder / "test.mjs").write_text(BEHAVIOUR)
        return run("node", str(folder / "test.mjs"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    report = Report("typescript_client")
    if not shutil.which("npx") or not (CLIENT / "node_modules" / "typescript").is_dir():
        report.add("the TypeScript client (npm, or its packages, are not installed)", skipped=True)
        report.close()
    problem = run("npm", "run", "-s", "generate")
    report.add("types are made from the interface's description", problem)
    if not problem:
        report.add("the client has no type errors", run("npm", "run", "-s", "check"))
        report.add("writes keep their key over attempts", behaviour())
    report.close()


if __name__ == "__main__":
    main()
