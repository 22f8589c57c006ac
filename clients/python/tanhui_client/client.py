"""One HTTP client for partners: every write has an Idempotency-Key that all its attempts share, every attempt is signed anew, and what may
pass is tried again after a growing, random wait. Errors are the platform's problems (RFC 9457), with their action."""
import http.client
import json as json_module
import random
import ssl
import time
import urllib.parse
import uuid

from .signing import sign_request

ANSWER_MAX = 64 * 1024 * 1024  # bytes
TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json_module.loads(self.body)


class Problem(Exception):
    """The platform refused, and said why. `id`, `message`, `action` and `params` are its words."""

    def __init__(self, status, document):
        self.status = status
        self.id = document.get("id") or document.get("type", "about:blank")
        self.message = document.get("detail") or document.get("title") or f"status {status}"
        self.action = document.get("action", "")
        self.params = document.get("params", {})
        super().__init__(f"{self.message}" + (f"; {self.action}" if self.action else ""))


class Unreachable(Exception):
    """Every attempt failed. Whether the last one was booked is not known: call again with the same idempotency_key."""

    def __init__(self, message, idempotency_key):
        self.idempotency_key = idempotency_key
        super().__init__(message)


class Client:
    """`key`: a signing key, or None. `attempts`: of one call. `timeout`: seconds for each. A Client belongs to one thread."""

    def __init__(self, base_url, key=None, token=None, attempts=5, timeout=30.0, wait=0.5, wait_max=30.0, context=None, clock=time.time,
                 sleep=time.sleep, randomness=random.random):
        self._base = urllib.parse.urlsplit(base_url)
        if self._base.scheme not in ("http", "https") or not self._base.netloc:
            raise ValueError("base_url is like https://tanhui.example")
        self._key, self._token, self._attempts, self._timeout = key, token, attempts, timeout
        self._wait, self._wait_max, self._clock, self._sleep, self._randomness = wait, wait_max, clock, sleep, randomness
        self._context = context or (ssl.create_default_context() if self._base.scheme == "https" else None)
        self._connection = None

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def put(self, path, **options):
        return self.request("PUT", path, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def request(self, method, path, json=None, body=None, content_type=None, headers=None, idempotency_key=None):
        """Returns an Answer of 2xx or 3xx; raises Problem or Unreachable. `body`: bytes, instead of json."""
        fields = dict(headers or {})
        if json is not None:
            body, content_type = json_module.dumps(json, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"
        body = body or b""
        if body:
            fields["Content-Type"] = content_type or "application/octet-stream"
        if method not in ("GET", "HEAD", "OPTIONS"):
            idempotency_key = idempotency_key or str(uuid.uuid4())
            fields["Idempotency-Key"] = idempotency_key
        if self._token:
            fields["Authorization"] = f"Bearer {self._token}"
        url = urllib.parse.urlunsplit((self._base.scheme, self._base.netloc, self._base.path.rstrip("/") + path.partition("?")[0],
                                       path.partition("?")[2], ""))
        last = ""
        for attempt in range(self._attempts):
            retry_after = None
            try:
                answer = self._once(method, url, fields, body)
                again = answer.status in TRY_AGAIN or (answer.status == 401 and self._will_pass(answer))
                if not again or attempt + 1 == self._attempts:
                    return self._checked(answer)
                last, retry_after = f"status {answer.status}", answer.headers.get("Retry-After")
            except (OSError, http.client.HTTPException) as error:
                self.close()
                last = f"{type(error).__name__}: {error}"
            if attempt + 1 < self._attempts:
                self._sleep(self.wait_before(attempt, retry_after))
        raise Unreachable(f"{method} {url}: {last}, {self._attempts} times", idempotency_key)

    def wait_before(self, attempt, retry_after=None):
        """Seconds: a random part of a wait that doubles, never less than the platform asked for, never more than wait_max."""
        asked = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
        return min(self._wait_max, max(asked, self._wait * 2**attempt * (0.5 + self._randomness() / 2)))

    def close(self):
        if self._connection:
            self._connection.close()
        self._connection = None

    def _once(self, method, url, fields, body):
        parts = urllib.parse.urlsplit(url)
        if self._connection is None:
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            options = {"context": self._context} if parts.scheme == "https" else {}
            self._connection = kind(parts.netloc, timeout=self._timeout, **options)
        signed = sign_request(method, url, fields, body, self._key, int(self._clock())) if self._key else fields
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection.request(method, target, body=body or None, headers={"Accept": "application/json", **signed})
        response = self._connection.getresponse()
        content = response.read(ANSWER_MAX + 1)
        if len(content) > ANSWER_MAX:
            raise http.client.HTTPException("the answer is too long")
        if response.will_close:
            self.close()
        return Answer(response.status, response.headers, content)

    @staticmethod
    def _will_pass(answer):
        """A server that has just started does not know which signatures were used before: signed anew, the request is let in."""
        try:
            return answer.json()["params"]["reason"] in ("signature.before-start", "signature.busy")
        except (ValueError, KeyError, TypeError):
            return False

    @staticmethod
    def _checked(answer):
        if answer.status < 400:
            return answer
        try:
            document = answer.json()
        except ValueError:
            document = {}
        raise Problem(answer.status, document if isinstance(document, dict) else {})
