"""Real servers for tests of the clients in src/identity: SMTP (aiosmtpd: STARTTLS, TLS from the first byte, and plain) and HTTPS that
answers as WeChat's code2session does. They live until standard input ends.

    delivery_servers.py FOLDER

Writes FOLDER/ca.pem; prints one line: starttls=PORT tls=PORT plain=PORT https=PORT. Mails go to FOLDER/mail-N. Users "tanhui", password
"secret"; an address that starts with "nobody" is refused by 550, one that starts with "later" by 451.
"""
import datetime
import http.server
import ipaddress
import json
import logging
import pathlib
import socket
import ssl
import sys
import threading
import urllib.parse

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder = pathlib.Path(sys.argv[1])
logging.disable()  # refused handshakes are part of the tests


def make_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256()))
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


class Mailbox:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 no such user here"
        if address.startswith("later"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        Mailbox.count += 1
        text = f"to {','.join(envelope.rcpt_tos)}\nfrom {envelope.mail_from}\ntls {session.ssl is not None}\n\n".encode() + envelope.content
        (folder / f"mail-{Mailbox.count}").write_bytes(text)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"tanhui", b"secret"))


class Wechat(http.server.BaseHTTPRequestHandler):
    used = set()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        code = query.get("js_code", "")
        if url.path != "/sns/jscode2session" or query.get("grant_type") != "authorization_code":
            return self.answer({"errcode": 40002, "errmsg": "invalid grant_type"})
        if (query.get("appid"), query.get("secret")) != ("wx1", "s&cret"):
            return self.answer({"errcode": 40125, "errmsg": "invalid appsecret"})
        if code == "busy":
            return self.answer({"errcode": -1, "errmsg": "system error"})
        if code == "blocked":
            return self.answer({"errcode": 40226, "errmsg": "code blocked"})
        if code == "huge":
            return self.answer({"openid": "x" * 20000})
        if code == "broken":
            return self.answer(None)
        if not code.startswith("good") or code in self.used:
            return self.answer({"errcode": 40029, "errmsg": "invalid code"})
        self.used.add(code)
        self.answer({"openid": "oGZUI0egBJY1zhBYw2KhdUfwVJJE", "session_key": "HyVFkGl5F5OQWJZZaNzBBg==", "unionid": "o6_bmasdasdsad6_2sgVt7hMZOPfL"})

    def answer(self, value):
        body = b"<html>" if value is None else json.dumps(value).encode()
        self.send_response(500 if value is None else 200)
        self.send_header("Content-Type", "text/plain")  # as WeChat does
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def port_of(controller):
    return controller.server.sockets[0].getsockname()[1]


def main():
    tls = make_certificate()
    both = dict(hostname="127.0.0.1", port=0, authenticator=authenticate)
    # Port 0 lets the system choose; aiosmtpd would then ask port 0 whether it lives.
    Controller._trigger_server = lambda self: socket.create_connection(("127.0.0.1", port_of(self)), 5).close()
    starttls = Controller(Mailbox(), tls_context=tls, require_starttls=True, auth_required=True, **both)
    implicit = Controller(Mailbox(), ssl_context=tls, auth_require_tls=False, **both)
    plain = Controller(Mailbox(), **both)
    for controller in (starttls, implicit, plain):
        controller.start()
    https = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Wechat)
    https.socket = tls.wrap_socket(https.socket, server_side=True)
    threading.Thread(target=https.serve_forever, daemon=True).start()
    print(f"starttls={port_of(starttls)} tls={port_of(implicit)} plain={port_of(plain)} https={https.server_address[1]}", flush=True)
    sys.stdin.read()
    for controller in (starttls, implicit, plain):
        controller.stop()


main()
