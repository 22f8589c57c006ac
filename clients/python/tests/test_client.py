"""Signatures by RFC 9421's vectors; retries against a real server that fails as servers do."""
import base64
import http.server
import json
import threading
import unittest

from tanhui_client import Client, Ed25519Key, HmacKey, Problem, Unreachable, content_digest, sign

URL = "https://example.com/foo?param=Value&Pet=dog"
HEADERS = {"Host": "example.com", "Date": "Tue, 20 Apr 2021 02:07:55 GMT", "Content-Type": "application/json", "Content-Length": "18"}
SECRET = base64.b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")


class Vectors(unittest.TestCase):
    def test_rfc_9421_b_2_5(self):
        made = sign("POST", URL, HEADERS, HmacKey("test-shared-secret", SECRET), ["date", "@authority", "content-type"], 1618884473, label="sig-b25")
        self.assertEqual(made["Signature-Input"], 'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"')
        self.assertEqual(made["Signature"], "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:")

    def test_rfc_9421_b_2_6(self):
        key = Ed25519Key("test-key-ed25519", base64.b64decode("n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU="))
        made = sign("POST", URL, HEADERS, key, ["date", "@method", "@path", "@authority", "content-type", "content-length"], 1618884473, label="sig-b26")
        self.assertEqual(made["Signature"], "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:")

    def test_rfc_9530(self):
        self.assertEqual(content_digest(b'{"hello": "world"}\n'), "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:")

    def test_secrets_have_a_length(self):
        with self.assertRaises(ValueError):
            HmacKey("k", b"short")


class Server(http.server.BaseHTTPRequestHandler):
    """Answers by the list `plan`: a status, or None to hang up."""

    protocol_version = "HTTP/1.1"
    plan, seen = [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.path, dict(self.headers), body))
        status = self.plan.pop(0) if self.plan else 200
        if status is None:
            self.close_connection = True
            return
        reason = "signature.before-start" if status == 401 else "1"
        problem = {"type": "x", "id": "some.problem", "detail": "it was refused", "action": "do this", "params": {"reason": reason}}
        content = json.dumps({"ok": True} if status == 200 else problem).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Retries(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        Server.plan, Server.seen, self.waits = [], [], []
        self.client = Client(f"http://127.0.0.1:{self.server.server_address[1]}", key=HmacKey("metro", SECRET), attempts=4,
                             sleep=self.waits.append, randomness=lambda: 1.0)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.client.close)

    def test_one_key_for_all_attempts_and_each_signed_anew(self):
        Server.plan = [503, None, 429]
        self.assertEqual(self.client.post("/api/v1/activities?dry=1", json={"a": 1}).json(), {"ok": True})
        self.assertEqual(len(Server.seen), 4)
        self.assertEqual(len({fields["Idempotency-Key"] for _, fields, _ in Server.seen}), 1)
        self.assertEqual(len({fields["Signature"] for _, fields, _ in Server.seen}), 4)
        self.assertEqual(self.waits, [0.5, 1.0, 7.0])  # the last as the server asked
        path, fields, body = Server.seen[0]
        self.assertEqual((path, body), ("/api/v1/activities?dry=1", b'{"a":1}'))
        self.assertIn('("@method" "@target-uri" "content-digest" "content-type" "idempotency-key")', fields["Signature-Input"])
        self.assertEqual(fields["Content-Digest"], content_digest(body))

    def test_a_server_that_has_just_started_is_asked_again(self):
        Server.plan = [401]
        self.assertEqual(self.client.post("/x", json={}).status, 200)
        self.assertEqual(len({fields["Signature"] for _, fields, _ in Server.seen}), 2)

    def test_a_refusal_is_not_tried_again(self):
        Server.plan = [409]
        with self.assertRaises(Problem) as caught:
            self.client.post("/x", json={})
        self.assertEqual((caught.exception.status, caught.exception.id, caught.exception.action), (409, "some.problem", "do this"))
        self.assertEqual(len(Server.seen), 1)

    def test_the_last_word_is_told(self):
        Server.plan = [503] * 4
        with self.assertRaises(Problem) as caught:
            self.client.get("/x")
        self.assertEqual(caught.exception.status, 503)
        Server.plan = [None] * 4
        with self.assertRaises(Unreachable) as lost:
            self.client.post("/x", json={}, idempotency_key="mine")
        self.assertEqual(lost.exception.idempotency_key, "mine")

    def test_waits_are_bounded(self):
        self.assertEqual(self.client.wait_before(20), 30.0)
        self.assertEqual(self.client.wait_before(0, "9999"), 30.0)
        self.assertEqual(self.client.wait_before(0, "Wed, 21 Oct 2026 07:28:00 GMT"), 0.5)


if __name__ == "__main__":
    unittest.main()
