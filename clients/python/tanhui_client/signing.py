"""HTTP message signatures (RFC 9421: hmac-sha256, ed25519) and content digests (RFC 9530) for requests."""
import base64
import hashlib
import hmac
import secrets
import time
import urllib.parse


class HmacKey:
    """A secret of 32 to 64 bytes that the platform has too."""

    algorithm = "hmac-sha256"

    def __init__(self, keyid, secret):
        if not 32 <= len(secret) <= 64:
            raise ValueError("an HMAC secret has 32 to 64 bytes")
        self.keyid, self._secret = keyid, bytes(secret)

    def sign(self, base):
        return hmac.new(self._secret, base, hashlib.sha256).digest()


class Ed25519Key:
    """A private key (32 bytes) whose public half the platform has. Needs the package cryptography."""

    algorithm = "ed25519"

    def __init__(self, keyid, seed):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.keyid, self._key = keyid, Ed25519PrivateKey.from_private_bytes(seed)

    def sign(self, base):
        return self._key.sign(base)


def content_digest(body, algorithm="sha-256"):
    """The value of the Content-Digest field for these bytes."""
    digest = hashlib.new(algorithm.replace("-", ""), body).digest()
    return f"{algorithm}=:{base64.b64encode(digest).decode()}:"


def _authority(url):
    host = url.netloc.rpartition("@")[2].lower()
    return host.removesuffix(":443" if url.scheme == "https" else ":80")


def _component(name, method, url, headers):
    path, query = url.path or "/", f"?{url.query}" if url.query else ""
    if name == "@method":
        return method
    if name == "@authority":
        return _authority(url)
    if name == "@path":
        return path
    if name == "@query":
        return query or "?"
    if name == "@request-target":
        return path + query
    if name == "@target-uri":
        return f"{url.scheme}://{_authority(url)}{path}{query}"
    values = [value.strip() for field, value in headers.items() if field.lower() == name]
    if not values:
        raise ValueError(f"the request has no field {name} to sign")
    return ", ".join(values)


def sign(method, url, headers, key, components, created=None, nonce=None, label="sig"):
    """Returns the fields Signature-Input and Signature for a request. `headers`: what it will be sent with."""
    parts = urllib.parse.urlsplit(url)
    created = int(time.time()) if created is None else created
    covered = "(" + " ".join(f'"{name}"' for name in components) + ")"
    parameters = f'{covered};created={created};keyid="{key.keyid}"' + (f';nonce="{nonce}"' if nonce else "")
    lines = [f'"{name}": {_component(name, method, parts, headers)}' for name in components]
    base = "\n".join([*lines, f'"@signature-params": {parameters}']).encode()
    signature = base64.b64encode(key.sign(base)).decode()
    return {"Signature-Input": f"{label}={parameters}", "Signature": f"{label}=:{signature}:"}


def sign_request(method, url, headers, body, key, now=None):
    """Adds digest and signature as the platform asks for them: method, target, digest of the body, and the fields that change its meaning."""
    signed = dict(headers)
    components = ["@method", "@target-uri"]
    if body:
        signed["Content-Digest"] = content_digest(body)
        components.append("content-digest")
    lower = {name.lower() for name in signed}
    components += [name for name in ("content-type", "idempotency-key") if name in lower]
    signed.update(sign(method, url, signed, key, components, created=now, nonce=secrets.token_urlsafe(16)))
    return signed
