"""The frames and the tips root of range-sync/v1, written from its SPEC with Python's standard library."""

import hashlib
import re

NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}|_trust")
CODES = ("busy", "wrong-namespace", "too-big", "bad-frame", "lied", "timeout")
SAFE = 2**53 - 1


class Refused(Exception):
    """Bytes that are no frame; the code is the exception's text."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- reading ---------------------------------------------------------------------------------------------------------


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, length):
        if length > self.left():
            raise Refused("bad-frame")
        self.at += length
        return self.data[self.at - length : self.at]

    def hex(self, length):
        return self.take(length).hex()

    def rest(self):
        return self.hex(self.left())

    def varint(self):
        value, digits = 0, 0
        while True:
            digit = self.take(1)[0]
            if digits == 0 and digit == 0x80:
                raise Refused("bad-frame")
            value, digits = value * 128 + (digit & 127), digits + 1
            if value > SAFE:
                raise Refused("bad-frame")
            if digit < 128:
                return value

    def flag(self):
        value = self.take(1)[0]
        if value > 1:
            raise Refused("bad-frame")
        return value == 1

    def text(self):
        length = self.varint()
        if length > 256:
            raise Refused("too-big")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("bad-frame") from None

    def bitmap(self):
        count = self.varint()
        number = int.from_bytes(self.take((count + 7) // 8), "little")
        if number >> count:
            raise Refused("bad-frame")
        return "".join(str(number >> index & 1) for index in range(count))

    def list(self, limit, least, element):
        count = self.varint()
        if count > limit:
            raise Refused("too-big")
        if count * least > self.left():
            raise Refused("bad-frame")
        return [element() for _ in range(count)]

    def tagged(self, limit=3072):
        return self.list(limit, 13, self.tagged_position)

    def tagged_position(self):
        position = self.varint()
        if position == 0:
            raise Refused("bad-frame")
        return {"position": position, "tag": self.hex(12)}


def read_frame(data):
    """RS-3, RS-4 and what they name: the frame without its length."""
    if not data:
        raise Refused("bad-frame")
    if len(data) > (262144 if data[0] == 0x09 else 65536):
        raise Refused("too-big")
    reader = Reader(data)
    name, read = READERS.get(reader.take(1)[0], (None, None))
    if read is None:
        raise Refused("bad-frame")
    fields = read(reader)
    if reader.left():
        raise Refused("bad-frame")
    return {"type": name, **fields}


def read_hello(reader):
    if reader.take(1) != b"\x01":
        raise Refused("bad-frame")
    namespace = reader.text()
    if not NAMESPACE.fullmatch(namespace):
        raise Refused("bad-frame")
    return {"namespace": namespace, "membership": reader.hex(16), "root": reader.hex(32), "chains": reader.varint()}


def read_sketch(reader):
    head = {"membership": reader.hex(16), "salt": reader.hex(16)}
    return {**head, "entries": reader.list(4096, 5, lambda: reader.hex(5))}


def read_tree(reader):
    head = {"membership": reader.hex(16), "salt": reader.hex(16)}
    return {**head, "chains": reader.varint(), "message": reader.rest()}


def read_chains(reader):
    more = reader.flag()
    if reader.flag():
        matched = {"of": "tree", "missing": reader.list(1024, 12, lambda: reader.hex(12))}
    else:
        matched = {"of": "sketch", "bits": reader.bitmap()}
    mine = reader.list(1024, 17, lambda: {"prefix": reader.hex(16), "tips": reader.tagged()})
    return {"more": more, "matched": matched, "mine": mine}


def read_answer(reader):
    more = reader.flag()

    def entry():
        return {"index": reader.varint(), "held": reader.bitmap(), "tips": reader.tagged()}

    return {"more": more, "chains": reader.list(1024, 3, entry)}


def read_probe(reader):
    more, samples = reader.flag(), 0

    def entry():
        nonlocal samples
        index, held, asked = reader.varint(), reader.bitmap(), reader.tagged(2048 - samples)
        samples += len(asked)
        return {"index": index, "held": held, "asked": asked}

    return {"more": more, "chains": reader.list(1024, 3, entry)}


def read_events(reader):
    def event():
        length = reader.varint()
        if length == 0:
            raise Refused("bad-frame")
        return reader.hex(length)

    events = reader.list(256, 2, event)
    if not events:
        raise Refused("bad-frame")
    return {"events": events}


def read_error(reader):
    code = reader.text()
    if code not in CODES:
        raise Refused("bad-frame")
    return {"code": code, "detail": reader.text()}


READERS = {
    0x01: ("hello", read_hello),
    0x02: ("equal", lambda reader: {"membership": reader.hex(16)}),
    0x03: ("sketch", read_sketch),
    0x04: ("tree", read_tree),
    0x05: ("negentropy", lambda reader: {"message": reader.rest()}),
    0x06: ("chains", read_chains),
    0x07: ("answer", read_answer),
    0x08: ("probe", read_probe),
    0x09: ("events", read_events),
    0x0A: ("done", lambda reader: {name: reader.varint() for name in ("sent", "notTaken", "left")}),
    0x0F: ("error", read_error),
}


# ---- writing ---------------------------------------------------------------------------------------------------------


def varint(value):
    digits = [value & 127]
    while value > 127:
        value >>= 7
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))


def text(value):
    data = value.encode()
    return varint(len(data)) + data


def bitmap(bits):
    number = sum(1 << index for index, bit in enumerate(bits) if bit == "1")
    return varint(len(bits)) + number.to_bytes((len(bits) + 7) // 8, "little")


def list_of(elements, write):
    return varint(len(elements)) + b"".join(map(write, elements))


def tagged(tips):
    return list_of(tips, lambda tip: varint(tip["position"]) + bytes.fromhex(tip["tag"]))


def write_matched(matched):
    if matched["of"] == "sketch":
        return b"\x00" + bitmap(matched["bits"])
    return b"\x01" + list_of(matched["missing"], bytes.fromhex)


def write_event(event):
    return varint(len(event) // 2) + bytes.fromhex(event)


def write_field(kind, name, value):
    if name in ("chains", "sent", "notTaken", "left") and isinstance(value, int):
        return varint(value)
    if name in ("membership", "salt", "root", "message"):
        return bytes.fromhex(value)
    if name in ("namespace", "code", "detail"):
        return text(value)
    if name == "more":
        return bytes([value])
    if name == "matched":
        return write_matched(value)
    if name == "mine":
        return list_of(value, lambda chain: bytes.fromhex(chain["prefix"]) + tagged(chain["tips"]))
    if name == "chains":
        last = "tips" if kind == "answer" else "asked"
        return list_of(value, lambda entry: varint(entry["index"]) + bitmap(entry["held"]) + tagged(entry[last]))
    return list_of(value, bytes.fromhex if name == "entries" else write_event)


def write_frame(frame):
    """The frame without its length; the fields stand in their order."""
    octet = next(octet for octet, (name, _) in READERS.items() if name == frame["type"])
    version = b"\x01" if frame["type"] == "hello" else b""
    fields = [write_field(frame["type"], name, value) for name, value in frame.items() if name != "type"]
    return bytes([octet]) + version + b"".join(fields)


def length_of(frame):
    """Unsigned LEB128."""
    length, digits = len(frame), []
    while length > 127:
        digits.append(length & 127 | 128)
        length >>= 7
    return bytes([*digits, length])


# ---- tips root -------------------------------------------------------------------------------------------------------


def chain_state(chain, tips):
    return sha256(bytes.fromhex(chain), *map(bytes.fromhex, sorted(tips)))


def tips_root(chains):
    """RS-1, over {chain id: ids of tips}."""
    states = [[] for _ in range(4096)]
    for chain in sorted(chains):
        states[int(chain[:3], 16)].append(chain_state(chain, chains[chain]))
    buckets = [sha256(b"\x00", *bucket) for bucket in states]
    groups = [sha256(b"\x01", *buckets[at : at + 64]) for at in range(0, 4096, 64)]
    return sha256(b"\x02", *groups)
