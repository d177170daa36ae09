"""A second implementation of event/v1, written from the SPECs alone with Python's standard library.

Run as a program it reads a JSON object on standard input: "wires" and "canonical" (lists of hex), "keys" (hex) and
"signatures" (lists of key, message and signature in hex). It prints one with its verdict on each ("ok" or the code that
the SPEC gives; for keys and signatures whether they are good), and in "made" events of its own making.
"""

import base64
import hashlib
import json
import re
import struct
import sys

# ---- canonical-json/v1 -----------------------------------------------------------------------------------------------

SAFE = 2**53 - 1
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


class Refused(Exception):
    """Bytes that break a rule; the code is the exception's text."""


class Reader:
    """Reads one JSON text (CJ-2, CJ-3) and remembers the first place that is not I-JSON (CJ-4)."""

    def __init__(self, text):
        self.text, self.at, self.violation = text, 0, None

    def read(self):
        value = self.value(0)
        self.space()
        if self.at != len(self.text):
            raise Refused("MALFORMED")
        return value

    def violate(self, code):
        self.violation = self.violation or code

    def space(self):
        while self.text[self.at : self.at + 1] in (" ", "\t", "\n", "\r") and self.at < len(self.text):
            self.at += 1

    def peek(self):
        self.space()
        return self.text[self.at : self.at + 1]

    def take(self, expected):
        if not self.text.startswith(expected, self.at):
            raise Refused("MALFORMED")
        self.at += len(expected)

    def value(self, depth):
        first = self.peek()
        if first in ("{", "["):
            if depth == 32:
                raise Refused("MALFORMED")
            return self.object(depth + 1) if first == "{" else self.array(depth + 1)
        if first == '"':
            return self.string()
        for word, meaning in (("null", None), ("true", True), ("false", False)):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        return self.number()

    def array(self, depth):
        self.take("[")
        elements = []
        if self.peek() == "]":
            self.at += 1
            return elements
        while True:
            elements.append(self.value(depth))
            if self.peek() != ",":
                break
            self.at += 1
        self.take("]")
        return elements

    def object(self, depth):
        self.take("{")
        members = {}
        if self.peek() == "}":
            self.at += 1
            return members
        while True:
            self.peek()
            name = self.string()
            if name in members:
                self.violate("DUPLICATE_KEY")
            self.peek()
            self.take(":")
            members[name] = self.value(depth)
            if self.peek() != ",":
                break
            self.at += 1
        self.take("}")
        return members

    def string(self):
        self.take('"')
        units = []  # UTF-16 code units, as escapes name them
        while True:
            character = self.text[self.at : self.at + 1]
            self.at += 1
            if character == "" or character < " ":
                raise Refused("MALFORMED")
            if character == '"':
                break
            if character != "\\":
                units.append(character.encode("utf-16-be"))
                continue
            escape = self.text[self.at : self.at + 1]
            self.at += 1
            if escape == "u":
                digits = self.text[self.at : self.at + 4]
                if not re.fullmatch("[0-9a-fA-F]{4}", digits):
                    raise Refused("MALFORMED")
                self.at += 4
                units.append(bytes.fromhex(digits))
            elif escape in ESCAPES:
                units.append(ESCAPES[escape].encode("utf-16-be"))
            else:
                raise Refused("MALFORMED")
        encoded = b"".join(units)
        try:
            return encoded.decode("utf-16-be")
        except UnicodeDecodeError:
            self.violate("LONE_SURROGATE")
            return encoded.decode("utf-16-be", "surrogatepass")

    def number(self):
        match = NUMBER.match(self.text, self.at)
        if match is None:
            raise Refused("MALFORMED")
        self.at = match.end()
        value = float(match[0])
        if abs(value) > SAFE:
            self.violate("NUMBER_NOT_IJSON")
        return value


def number_text(value):
    """A double as ECMAScript writes it, for absolute values up to 2^53 - 1."""
    if value == int(value):
        return str(int(value))
    digits, exponent = format_shortest(abs(value))
    point = len(digits) + exponent
    if point > 0:
        text = digits[:point] + "." + digits[point:]
    elif point > -6:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + "e" + str(point - 1)
    return ("-" if value < 0 else "") + text


def format_shortest(value):
    """The fewest digits that identify a double, and the power of ten of the last one."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) - len(fraction)
    stripped = digits.rstrip("0")
    return stripped, power + len(digits) - len(stripped)


def string_text(value):
    return '"' + "".join(SHORT.get(c) or (c if c >= " " else f"\\u{ord(c):04x}") for c in value) + '"'


def canonical_text(value):
    """CJ-6."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_text, value)) + "]"
    members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
    return "{" + ",".join(string_text(name) + ":" + canonical_text(member) for name, member in members) + "}"


def canonical(value):
    return canonical_text(value).encode()


def read_canonical(data):
    """CJ-1 to CJ-5."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("MALFORMED") from None
    reader = Reader(text)
    value = reader.read()
    if reader.violation:
        raise Refused(reader.violation)
    if canonical(value) != data:
        raise Refused("NOT_CANONICAL")
    return value


# ---- signature/v1 ----------------------------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SMALL = [
    bytes.fromhex(y)
    for y in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
]


def add(left, right):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = left, right
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def encode_point(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode_point(data):
    """SIG-2, or None."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if len(data) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_good_key(public_key):
    """SIG-1 to SIG-3."""
    point = decode_point(public_key)
    identity = encode_point((0, 1, 1, 0))
    return point is not None and public_key != identity and encode_point(multiply(L, point)) == identity


def is_good_signature(public_key, message, signature):
    """SIG-4 to SIG-7."""
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= L or r[:31] + bytes([r[31] & 0x7F]) in SMALL:
        return False
    k = int.from_bytes(hashlib.sha512(r + public_key + message).digest(), "little") % L
    return encode_point(add(multiply(s, BASE), multiply(L - k, decode_point(public_key)))) == r


class Key:
    """An Ed25519 key pair from a seed (RFC 8032 section 5.1.5), with its did:key (SIG-13, SIG-14)."""

    def __init__(self, seed):
        digest = hashlib.sha512(seed).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
        self.prefix = digest[32:]
        self.public = encode_point(multiply(self.scalar, BASE))
        self.kid = "z" + base58(b"\xed\x01" + self.public)
        self.did = "did:key:" + self.kid

    def sign(self, message):
        nonce = int.from_bytes(hashlib.sha512(self.prefix + message).digest(), "little") % L
        r = encode_point(multiply(nonce, BASE))
        k = int.from_bytes(hashlib.sha512(r + self.public + message).digest(), "little")
        return r + ((nonce + k * self.scalar) % L).to_bytes(32, "little")


def base58(data):
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = alphabet[digit] + text
    return text


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_base64url(text):
    """The bytes, or None unless the text is their one encoding."""
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data if base64url(data) == text else None


def header_of(kid, event_type):
    """SIG-10, EV-10."""
    typ = f"anchormesh.event.{event_type}.v1+jws"
    return base64url(f'{{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"{kid}","typ":"{typ}"}}'.encode())


# ---- event/v1 --------------------------------------------------------------------------------------------------------

KID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#-]{0,127}")
NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}|_trust")
TYPE = re.compile(r"[a-z][a-z0-9-]{0,63}")
HASH = re.compile(r"[0-9a-f]{64}")
DID = re.compile(r"did:[a-z0-9]+:(([A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*:)*([A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+")


def is_like(value, pattern):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def is_integer(value, least):
    return isinstance(value, float) and value == int(value) and least <= value <= SAFE


MEMBERS = {
    "authorSeq": lambda value: is_integer(value, 1),
    "body": lambda value: isinstance(value, dict),
    "kid": lambda value: is_like(value, KID),
    "namespace": lambda value: is_like(value, NAMESPACE),
    "prev": lambda value: value is None or is_like(value, HASH),
    "signer": lambda value: is_like(value, DID) and len(value) <= 256,
    "ts": lambda value: is_integer(value, 0),
    "type": lambda value: is_like(value, TYPE),
    "v": lambda value: not isinstance(value, bool) and value == 1,
}


def read_event(wire):
    """EV-1 to EV-12; returns envelope, canonical bytes and [(kid, protected, signature)]."""
    if len(wire) > 49152:
        raise Refused("EVENT_TOO_LARGE")
    length = struct.unpack(">I", wire[:4])[0] if len(wire) >= 4 else 0
    if length == 0 or 4 + length >= len(wire):
        raise Refused("MALFORMED")
    signed, part = wire[4 : 4 + length], wire[4 + length :]
    envelope, jws = read_canonical(signed), read_canonical(part)
    if isinstance(envelope, dict) and is_integer(envelope.get("v"), 2):
        raise Refused("UNKNOWN_VERSION")
    if not isinstance(envelope, dict) or set(envelope) != set(MEMBERS):
        raise Refused("SCHEMA_INVALID")
    if not all(is_right(envelope[name]) for name, is_right in MEMBERS.items()):
        raise Refused("SCHEMA_INVALID")
    if (envelope["prev"] is None) != (envelope["authorSeq"] == 1):
        raise Refused("SCHEMA_INVALID")
    signatures = [read_entry(entry, envelope["type"]) for entry in entries_of(jws)]
    if [kid for kid, _, _ in signatures] != signers_of(envelope):
        raise Refused("SIGNER_MISMATCH")
    return envelope, signed, signatures


def entries_of(jws):
    """EV-9."""
    entries = jws.get("signatures") if isinstance(jws, dict) and set(jws) == {"signatures"} else None
    if not isinstance(entries, list) or not entries:
        raise Refused("SIGNATURE_INVALID")
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != {"protected", "signature"}:
            raise Refused("SIGNATURE_INVALID")
        if not isinstance(entry["protected"], str):
            raise Refused("SIGNATURE_INVALID")
        if len(from_base64url(entry["signature"]) or b"") != 64:
            raise Refused("SIGNATURE_INVALID")
    return entries


def read_entry(entry, event_type):
    """EV-10."""
    try:
        header = json.loads(from_base64url(entry["protected"]) or b"null")
    except ValueError:
        raise Refused("SIGNATURE_INVALID") from None
    kid = header.get("kid") if isinstance(header, dict) else None
    if not is_like(kid, KID) or header_of(kid, event_type) != entry["protected"]:
        raise Refused("SIGNATURE_INVALID")
    return kid, entry["protected"], from_base64url(entry["signature"])


def signers_of(envelope):
    """EV-12; None where a pack's own list is not well-formed."""
    if envelope["type"] != "anchor-pack":
        return [envelope["kid"]]
    named = envelope["body"].get("signingKids")
    well_formed = isinstance(named, list) and all(is_like(kid, KID) for kid in named)
    return named if well_formed and named == sorted(set(named)) and envelope["kid"] in named else None


def verdict_of(read, data):
    """The code with which `read` refuses the bytes, or "ok"."""
    try:
        read(bytes.fromhex(data))
        return "ok"
    except Refused as refusal:
        return str(refusal)


def make_event(keys, envelope):
    """"To make an event", steps 2 to 5."""
    signed = canonical(envelope)
    entries = []
    for key in sorted(keys, key=lambda key: key.kid):
        header = header_of(key.kid, envelope["type"])
        entries.append({"protected": header, "signature": base64url(key.sign(header.encode() + b"." + signed))})
    wire = struct.pack(">I", len(signed)) + signed + canonical({"signatures": entries})
    public_keys = {key.kid: key.public.hex() for key in keys}
    return {"id": hashlib.sha256(signed).hexdigest(), "wire": wire.hex(), "publicKeys": public_keys}


# ---- batch/v1 and bodies ---------------------------------------------------------------------------------------------


def leaf_hash(data):
    return hashlib.sha256(b"\x00" + data).digest()


def root_of(hashes):
    """BAT-7."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + root_of(hashes[:split]) + root_of(hashes[split:])).digest()


def make_events():
    """A chain of two announces, and a pack that two keys sign."""
    ada, bob = Key(b"\x01" * 32), Key(b"\x02" * 32)
    salted = [{"receipt": {"name": f"é{n}"}, "salt": base64url(bytes([n]) * 16), "v": 1} for n in range(5)]
    records = [canonical(record) for record in salted]
    root = root_of([leaf_hash(record) for record in records]).hex()
    batch = {"batchId": "batch-1", "batchRoot": root, "receiptCount": 5, "timestampAnchors": []}
    chain = {"kid": ada.kid, "namespace": "dao:vaultmesh", "signer": ada.did, "ts": 1767225600000, "v": 1}
    announce = {**chain, "type": "announce", "body": batch}
    first = make_event([ada], {**announce, "authorSeq": 1, "prev": None})
    token = {"chainId": "rfc3161:freetsa", "token": base64url(b"\x30\x00")}
    anchored = {**batch, "owner": "vaultmesh", "timestampAnchors": [token]}
    second = make_event([ada], {**announce, "authorSeq": 2, "prev": first["id"], "body": anchored})
    active = {"notBefore": 0, "status": "ACTIVE", "uses": ["event", "pack"]}
    signers = sorted([ada, bob], key=lambda key: key.kid)
    keys = [{**active, "kid": key.kid, "publicKey": base64url(key.public)} for key in signers]
    leaves = [leaf_hash(canonical(leaf)) for leaf in [{"orgId": "vaultmesh", "threshold": 2}, *keys]]
    pack = {
        "keys": keys,
        "kind": "full",
        "orgId": "vaultmesh",
        "packSeq": 1,
        "prevPack": None,
        "root": root_of(leaves).hex(),
        "signingKids": sorted([ada.kid, bob.kid]),
        "threshold": 2,
        "validUntil": 1798761600000,
    }
    trust = {**chain, "namespace": "_trust", "type": "anchor-pack", "authorSeq": 1, "prev": None, "body": pack}
    return {
        "records": [record.hex() for record in records],
        "announces": [first, second],
        "pack": make_event([ada, bob], trust),
        "packHash": hashlib.sha256(canonical(pack)).hexdigest(),
    }


def main():
    request = json.load(sys.stdin)
    wires = [verdict_of(read_event, wire) for wire in request["wires"]]
    texts = [verdict_of(read_canonical, text) for text in request["canonical"]]
    keys = [is_good_key(bytes.fromhex(key)) for key in request["keys"]]
    signatures = [is_good_signature(*map(bytes.fromhex, parts)) for parts in request["signatures"]]
    verdicts = {"wires": wires, "canonical": texts, "keys": keys, "signatures": signatures}
    print(json.dumps({**verdicts, "made": make_events()}))


if __name__ == "__main__":
    main()
