"""Pseudonyms by the VOPRF of RFC 9497 (ristretto255-SHA512), the partner's side: blind ids, check the platform's proof, finish.

The platform sees blinded elements, from which no id follows; the partner never has the platform's key. Where libsodium is installed its
ristretto255 is used (fast, in constant time), else the arithmetic of RFC 9496 in Python below: some milliseconds for each id, and its time
depends on the ids, so keep it off machines that others can measure.
"""
import base64
import ctypes
import ctypes.util
import datetime
import hashlib
import hmac
import secrets
import unicodedata

BATCH_MAX = 1000
ORDER = 2**252 + 27742317777372353535851937790883648493
_CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"
_GENERATOR = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")


class BadId(ValueError):
    """An id that cannot be written the one way. The message never holds it."""


class BadResponse(Exception):
    """What the platform sent is not the evaluation of what was asked, by the key that was published."""


# ---- ids ---------------------------------------------------------------------------------------------------------------------------------

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _half_width(text):
    return "".join(chr(ord(c) - 0xFEE0) if "\uff01" <= c <= "\uff5e" else " " if c == "\u3000" else c for c in text)


def _phone(text):
    digits, international = "", False
    for c in text:
        if c in "0123456789":
            digits += c
        elif c == "+" and not digits and not international:
            international = True
        elif c not in " -.()":
            raise BadId("a telephone number has digits, +, blanks, hyphens, dots and brackets only")
    if not international and digits.startswith("00"):
        digits, international = digits[2:], True
    if not international and len(digits) == 13 and digits.startswith("86"):
        international = True
    if not international:
        if len(digits) != 11:
            raise BadId(f"a number without a country code has 11 digits, not {len(digits)}")
        digits = "86" + digits
    if digits.startswith("86"):
        if len(digits) != 13 or digits[2] != "1" or digits[3] < "3":
            raise BadId("a number of mainland China must be a mobile one: 11 digits that start with 13 to 19")
    elif not 8 <= len(digits) <= 15 or digits[0] == "0":
        raise BadId(f"an international number has 8 to 15 digits and does not start with 0; this one has {len(digits)}")
    return "tel:+" + digits


def _check_digit(seventeen):
    return "10X98765432"[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, seventeen)) % 11]


def _resident_id(text):
    number = text.replace(" ", "").replace("-", "").replace("x", "X")
    if any(c not in "0123456789X" for c in number):
        raise BadId("a resident identity number has digits and X only")
    if len(number) not in (15, 18):
        raise BadId(f"a resident identity number has 18 characters (15 before 2000), not {len(number)}")
    if "X" in (number if len(number) == 15 else number[:-1]):
        raise BadId("only the last of 18 characters may be X")
    if number[0] in "09":
        raise BadId("the first six digits are not a region")
    if len(number) == 15:
        number = number[:6] + "19" + number[6:]
        number += _check_digit(number)
    try:
        if datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14])).year < 1800:
            raise ValueError
    except ValueError:
        raise BadId("digits 7 to 14 are not a day of birth") from None
    if _check_digit(number[:17]) != number[17]:
        raise BadId("the check digit does not fit the others: a digit is wrong or two are swapped")
    return "cn-id:" + number


def normalise(text, kind="phone"):
    """The one way to write an id: tel:+8613800138000, cn-id:…, other:…. Raises BadId."""
    if len(text.encode()) > 256:
        raise BadId("an id has at most 256 bytes")
    bare = text.strip(" \t\r\n")
    if kind == "other":
        if not bare or any(unicodedata.category(c) == "Cc" and (ord(c) < 0x20 or ord(c) == 0x7F) for c in bare):
            raise BadId("an id is text without control characters")
        return "other:" + bare
    plain = _half_width(bare).strip(" \t\r\n")
    if not plain:
        raise BadId("there is no id")
    if kind == "phone":
        return _phone(plain)
    if kind == "resident-id":
        return _resident_id(plain)
    raise ValueError("kind is phone, resident-id or other")


# ---- ristretto255 ------------------------------------------------------------------------------------------------------------------------


class _PythonGroup:
    """RFC 9496, section 4. Points are extended coordinates (x, y, z, t)."""

    P = 2**255 - 19
    D = -121665 * pow(121666, -1, P) % P
    SQRT_M1 = pow(2, (P - 1) // 4, P)
    ONE_MINUS_D_SQ = (1 - D * D) % P
    D_MINUS_ONE_SQ = (D - 1) ** 2 % P

    def __init__(self):
        self.SQRT_AD_MINUS_ONE = self._sqrt_ratio(-self.D - 1, 1)[1]
        if self.SQRT_AD_MINUS_ONE % 2 == 0:  # the odd root of RFC 9496, section 4.1
            self.SQRT_AD_MINUS_ONE = self.P - self.SQRT_AD_MINUS_ONE
        self.INVSQRT_A_MINUS_D = self._sqrt_ratio(1, -1 - self.D)[1]

    def _sqrt_ratio(self, u, v):
        p = self.P
        r = u * pow(v, 3, p) * pow(u * pow(v, 7, p), (p - 5) // 8, p) % p
        check = v * r * r % p
        u %= p
        correct, flipped, flipped_i = check == u, check == -u % p, check == -u * self.SQRT_M1 % p
        if flipped or flipped_i:
            r = r * self.SQRT_M1 % p
        return correct or flipped, p - r if r & 1 else r

    def _decode(self, data):
        p, s = self.P, int.from_bytes(data, "little")
        if len(data) != 32 or s >= p or s & 1:
            return None
        u1, u2 = (1 - s * s) % p, (1 + s * s) % p
        v = (-self.D * u1 * u1 - u2 * u2) % p
        square, inverse = self._sqrt_ratio(1, v * u2 * u2)
        den_x = inverse * u2 % p
        x = 2 * s * den_x % p
        x = p - x if x & 1 else x
        y = u1 * (inverse * den_x * v) % p
        t = x * y % p
        return None if not square or t & 1 or y == 0 else (x, y, 1, t)

    def _encode(self, point):
        p, (x, y, z, t) = self.P, point
        u1, u2 = (z + y) * (z - y) % p, x * y % p
        _, inverse = self._sqrt_ratio(1, u1 * u2 * u2)
        den1, den2 = inverse * u1 % p, inverse * u2 % p
        z_inverse = den1 * den2 * t % p
        if t * z_inverse % p & 1:
            x, y, den = y * self.SQRT_M1 % p, x * self.SQRT_M1 % p, den1 * self.INVSQRT_A_MINUS_D % p
        else:
            den = den2
        if x * z_inverse % p & 1:
            y = -y % p
        s = den * (z - y) % p
        return (p - s if s & 1 else s).to_bytes(32, "little")

    def _add(self, one, other):
        p, (x1, y1, z1, t1), (x2, y2, z2, t2) = self.P, one, other
        a, b, c, d = (y1 - x1) * (y2 - x2) % p, (y1 + x1) * (y2 + x2) % p, 2 * self.D * t1 * t2 % p, 2 * z1 * z2 % p
        e, f, g, h = b - a, d - c, d + c, b + a
        return e * f % p, g * h % p, f * g % p, e * h % p

    def _map(self, data):
        p, t = self.P, int.from_bytes(data, "little") & (2**255 - 1)
        r = self.SQRT_M1 * t * t % p
        u, v = (r + 1) * self.ONE_MINUS_D_SQ % p, (-1 - r * self.D) * (r + self.D) % p
        square, s = self._sqrt_ratio(u, v)
        c = -1
        if not square:
            s_prime = s * t % p
            s, c = (s_prime if s_prime & 1 else p - s_prime) % p, r
        n = (c * (r - 1) * self.D_MINUS_ONE_SQ - v) % p
        w0, w1, w2, w3 = 2 * s * v % p, n * self.SQRT_AD_MINUS_ONE % p, (1 - s * s) % p, (1 + s * s) % p
        return w0 * w3 % p, w2 * w1 % p, w1 * w3 % p, w0 * w2 % p

    def from_hash(self, uniform):
        return self._encode(self._add(self._map(uniform[:32]), self._map(uniform[32:])))

    def is_element(self, data):
        return self._decode(data) is not None

    def add(self, one, other):
        return self._encode(self._add(self._decode(one), self._decode(other)))

    def multiply(self, scalar, data):
        point, result = self._decode(data), (0, 1, 1, 0)
        for bit in bin(scalar)[2:]:
            result = self._add(result, result)
            if bit == "1":
                result = self._add(result, point)
        return self._encode(result)


class _SodiumGroup:
    """libsodium's ristretto255, through ctypes."""

    def __init__(self, library):
        self._sodium = library
        if library.sodium_init() < 0:
            raise OSError("libsodium does not start")

    def _call(self, function, *inputs):
        out = ctypes.create_string_buffer(32)
        return out.raw if function(out, *inputs) == 0 else bytes(32)  # the neutral element is what libsodium refuses

    def from_hash(self, uniform):
        return self._call(self._sodium.crypto_core_ristretto255_from_hash, uniform)

    def is_element(self, data):
        return len(data) == 32 and self._sodium.crypto_core_ristretto255_is_valid_point(data) == 1

    def add(self, one, other):
        return self._call(self._sodium.crypto_core_ristretto255_add, one, other)

    def multiply(self, scalar, data):
        return self._call(self._sodium.crypto_scalarmult_ristretto255, scalar.to_bytes(32, "little"), data)


def _find_group():
    name = ctypes.util.find_library("sodium")
    try:
        library = ctypes.CDLL(name) if name else None
        if library and hasattr(library, "crypto_scalarmult_ristretto255"):
            return _SodiumGroup(library)
    except OSError:
        pass
    return _PythonGroup()


group = _find_group()

# ---- RFC 9497 ----------------------------------------------------------------------------------------------------------------------------


def expand_message_xmd(message, dst, length):
    """RFC 9380, section 5.3.1, with SHA-512."""
    dst += bytes([len(dst)])
    first = hashlib.sha512(bytes(128) + message + length.to_bytes(2, "big") + b"\0" + dst).digest()
    block, out = bytes(64), b""
    for number in range(1, -(-length // 64) + 1):
        block = hashlib.sha512(bytes(a ^ b for a, b in zip(first, block)) + bytes([number]) + dst).digest()
        out += block
    return out[:length]


def _hash_to_scalar(message):
    return int.from_bytes(expand_message_xmd(message, b"HashToScalar-" + _CONTEXT, 64), "little") % ORDER


def _sized(data):
    return len(data).to_bytes(2, "big") + data


def _blind(data, scalar):
    return group.multiply(scalar, group.from_hash(expand_message_xmd(data, b"HashToGroup-" + _CONTEXT, 64)))


def _finalize(data, scalar, evaluated):
    unblinded = group.multiply(pow(scalar, -1, ORDER), evaluated)
    return hashlib.sha512(_sized(data) + _sized(unblinded) + b"Finalize").digest()


def verify(public_key, blinded, evaluated, proof):
    """Whether the key with this public half evaluated the batch: the proof of RFC 9497, section 2.2.2."""
    elements = [public_key, *blinded, *evaluated]
    c, s = int.from_bytes(proof[:32], "little"), int.from_bytes(proof[32:], "little")
    if len(proof) != 64 or len(blinded) != len(evaluated) or not blinded or c >= ORDER or s >= ORDER:
        return False
    if any(element == bytes(32) or not group.is_element(element) for element in elements):
        return False
    seed = hashlib.sha512(_sized(public_key) + _sized(b"Seed-" + _CONTEXT)).digest()
    m = z = bytes(32)
    for index, (one, other) in enumerate(zip(blinded, evaluated)):
        weight = _hash_to_scalar(_sized(seed) + index.to_bytes(2, "big") + _sized(one) + _sized(other) + b"Composite")
        m, z = group.add(group.multiply(weight, one), m), group.add(group.multiply(weight, other), z)
    t2 = group.add(group.multiply(s, _GENERATOR), group.multiply(c, public_key))
    t3 = group.add(group.multiply(s, m), group.multiply(c, z))
    challenge = _hash_to_scalar(b"".join(map(_sized, (public_key, m, z, t2, t3))) + b"Challenge")
    return hmac.compare_digest(challenge.to_bytes(32, "little"), proof[:32])


def _to_text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_text(text, length):
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, TypeError):
        data = b""
    if len(data) != length or _to_text(data) != text:
        raise BadResponse(f"not {length} bytes in base64url")
    return data


class Blinder:
    """One batch of ids on its way. `public_key` and `version` are what the platform published; `scalars` are for test vectors only."""

    def __init__(self, public_key, version=1, scalars=None):
        self._public_key, self._version, self._scalars, self._waiting = public_key, version, scalars, None

    def blind(self, ids, kind="phone"):
        """The request to send: a dict. Raises BadId, whose message names the place of the id, never the id."""
        if not 1 <= len(ids) <= BATCH_MAX:
            raise ValueError(f"a batch has 1 to {BATCH_MAX} ids")
        inputs = []
        for place, text in enumerate(ids, 1):
            try:
                inputs.append(normalise(text, kind).encode())
            except BadId as problem:
                raise BadId(f"id {place}: {problem}") from None
        scalars = self._scalars or [secrets.randbelow(ORDER - 1) + 1 for _ in inputs]
        elements = [_blind(data, scalar) for data, scalar in zip(inputs, scalars)]
        self._waiting = list(zip(inputs, scalars, elements))
        return {"version": self._version, "elements": [_to_text(element) for element in elements]}

    def finish(self, response):
        """Pseudonyms in the order of the ids. Raises BadResponse: then none of it is to be used."""
        if self._waiting is None:
            raise ValueError("blind first")
        try:
            version, public_key = response["version"], _from_text(response["public_key"], 32)
            evaluated, proof = [_from_text(text, 32) for text in response["elements"]], _from_text(response["proof"], 64)
        except (KeyError, TypeError) as problem:
            raise BadResponse(f"the response lacks {problem}") from None
        if version != self._version or public_key != self._public_key:
            raise BadResponse("another key than was asked for")
        if not verify(public_key, [element for _, _, element in self._waiting], evaluated, proof):
            raise BadResponse("the proof does not show that the published key evaluated these elements")
        return [f"o{version}.{_to_text(_finalize(data, scalar, element)[:32])}"
                for (data, scalar, _), element in zip(self._waiting, evaluated)]


def partner_hash(partner_key, text, kind="phone"):
    """WEAKER, for partners that can only hash (docs/privacy.md): what they send; the platform hashes it again by a key of its own."""
    return _to_text(hmac.new(partner_key, normalise(text, kind).encode(), hashlib.sha256).digest())
