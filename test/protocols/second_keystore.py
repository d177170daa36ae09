"""Opens sealed keystores by protocols/keystore/v1/SPEC.md alone. Reads vectors as JSON, writes what it found."""

import base64
import hashlib
import json
import sys
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(value):
    # Enough for this file: ASCII names, texts without escapes, integers.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def key_of(passphrase, kdf):
    message = unicodedata.normalize("NFC", passphrase).encode()
    salt = from_base64url(kdf["salt"])
    if kdf["name"] == "scrypt":
        return Scrypt(salt=salt, length=32, n=kdf["cost"], r=kdf["blockSize"], p=kdf["parallelism"]).derive(message)
    return Argon2id(
        salt=salt, length=32, iterations=kdf["passes"], lanes=kdf["lanes"], memory_cost=kdf["memoryKiB"]
    ).derive(message)


def opened(vector):
    file = vector["file"]
    rest = {name: value for name, value in file.items() if name != "checksum"}
    if hashlib.sha256(canonical(rest)).hexdigest() != file["checksum"]:
        return {"code": "KEYSTORE_CORRUPT"}
    head = {name: value for name, value in file["sealed"].items() if name != "box"}
    data = b"anchormesh.keystore.v2\n" + canonical({**rest, "sealed": head})
    key = key_of(vector["passphrase"], head["kdf"])
    try:
        plain = AESGCM(key).decrypt(from_base64url(head["nonce"]), from_base64url(file["sealed"]["box"]), data)
    except InvalidTag:
        return {"code": "KEYSTORE_PASSPHRASE"}
    return {"key": key.hex(), "secrets": json.loads(plain)}


print(json.dumps([opened(vector) for vector in json.load(sys.stdin)]))
