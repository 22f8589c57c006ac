"""Staff log in at a real OpenID Connect provider (npm oidc-provider), with RS256 and with ES256.

The provider runs here; identity_test (OidcProvider.*) is the relying party: it fetches through this script's `fetch`, and sends a browser
to the provider through `browse`, which logs in on the provider's own pages as a person would.

    oidc_test.py IDENTITY_TEST          runs it all
    oidc_test.py --fetch < request      one HTTP request: JSON {method, url, headers, body} in, {status, body} out
    oidc_test.py --browse URL NAME      logs NAME in, agrees, and prints where the provider sends the browser at last
"""
import html.parser
import http.cookiejar
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent.resolve()
sys.path.insert(0, str(HERE.parent))
from report import Report  # noqa: E402

RETURN = "http://127.0.0.1:1/"  # nobody listens there: the browser stops


class Stop(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def fetch():
    request = json.load(sys.stdin)
    body = request["body"].encode() if request["method"] == "POST" else None
    wanted = urllib.request.Request(request["url"], data=body, headers=dict(request["headers"]), method=request["method"])
    try:
        with urllib.request.build_opener(Stop).open(wanted, timeout=20) as answer:
            told = {"status": answer.status, "body": answer.read().decode()}
    except urllib.error.HTTPError as error:
        told = {"status": error.code, "body": error.read().decode()}
    json.dump(told, sys.stdout)


class Form(html.parser.HTMLParser):
    """The first form of a page."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = given.get("action")
        if tag == "input" and given.get("name"):
            self.fields[given["name"]] = given.get("value") or ""


def browse(url, name):
    opener = urllib.request.build_opener(Stop, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    data = None
    for _ in range(20):
        try:
            with opener.open(url, data=data, timeout=20) as answer:
                form = Form(answer.read().decode())
                url = urllib.parse.urljoin(url, form.action)
                fields = form.fields | ({"login": name, "password": "any"} if "login" in form.fields else {})
                data = urllib.parse.urlencode(fields).encode()
        except urllib.error.HTTPError as redirect:
            if redirect.code not in (302, 303):
                raise
            url, data = urllib.parse.urljoin(url, redirect.headers["Location"]), None
            if url.startswith(RETURN):
                print(url)
                return
    raise SystemExit("the provider's pages did not come to an end")


def jwks():
    """Keys of this run, made by the runtime that the provider runs on."""
    made = subprocess.run(
        ["node", "-e", "const c=require('crypto');const k=[c.generateKeyPairSync('rsa',{modulusLength:2048}),"
         "c.generateKeyPairSync('ec',{namedCurve:'P-256'})];console.log(JSON.stringify({keys:k.map((p,i)=>({...p.privateKey.export({format:'jwk'}),"
         "kid:'k'+i,use:'sig',alg:['RS256','ES256'][i]}))}))"],
        check=True, capture_output=True, text=True)
    return made.stdout


def main(program):
    report = Report("oidc")
    if not shutil.which("node") or not shutil.which("npm"):
        report.add("Node.js is not installed (Debian's nodejs and npm)", skipped=True)
        report.close()
    if not (HERE / "node_modules/oidc-provider").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=HERE, check=True)
    keys = jwks()
    for algorithm in ("RS256", "ES256"):
        environment = os.environ | {"OIDC_ALGORITHM": algorithm, "OIDC_CLIENT_SECRET": secrets.token_urlsafe(24), "OIDC_JWKS": keys}
        provider = subprocess.Popen(["node", str(HERE / "provider.mjs")], env=environment, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True)
        try:
            environment["OIDC_ISSUER"] = provider.stdout.readline().strip()
            environment["OIDC_SCRIPT"] = str(HERE / "oidc_test.py")
            environment.pop("GTEST_OUTPUT", None)
            ran = subprocess.run([program, "--gtest_filter=OidcProvider.*", "--gtest_brief=1"], env=environment, capture_output=True, text=True)
            report.add(algorithm, "" if ran.returncode == 0 else ran.stdout + ran.stderr)
        finally:
            provider.terminate()
            provider.wait()
    report.close()


if __name__ == "__main__":
    if sys.argv[1] == "--fetch":
        fetch()
    elif sys.argv[1] == "--browse":
        browse(sys.argv[2], sys.argv[3])
    else:
        main(sys.argv[1])
