"""Client of the Tanhui carbon inclusion platform: signed requests that are retried and booked once, and pseudonyms."""
from . import oprf
from .client import Answer, Client, Problem, Unreachable
from .signing import Ed25519Key, HmacKey, content_digest, sign

__all__ = ["Answer", "Client", "Ed25519Key", "HmacKey", "Problem", "Unreachable", "content_digest", "oprf", "sign"]
