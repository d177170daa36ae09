"""A second implementation of checkpoint/v1, written from its SPEC alone with Python's standard library.

Run as a program it reads a JSON object on standard input: "proofs" (consistency claims), "notes" (objects with a note and a
public key in hex), "judged" (checkpoints with the one before and the base) and "trees" (lists of leaf hashes in hex, each with
two sizes). It prints one with its answer to each: whether the proof holds; "CHECKPOINT_MALFORMED", "unsigned" or what the note
says; the code of the alarm or null; the roots and the proof between the sizes.
"""

import base64
import hashlib
import json
import re
import sys

from second_implementation import is_good_signature

MOST = 2**53 - 1
EMPTY = hashlib.sha256(b"").hexdigest()
DID = re.compile(r"did:[a-z0-9]+:(?:(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*:)*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+")
KID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#-]{0,127}")


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_of(size):
    return 1 << ((size - 1).bit_length() - 1)


def root_of(leaves):
    """CHK-3: MTH of RFC 9162."""
    if not leaves:
        return bytes.fromhex(EMPTY)
    if len(leaves) == 1:
        return leaves[0]
    k = split_of(len(leaves))
    return node(root_of(leaves[:k]), root_of(leaves[k:]))


def proof_of(m, leaves, whole=True):
    """PROOF(m, D[n]) of RFC 9162 section 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = split_of(len(leaves))
    if m <= k:
        return proof_of(m, leaves[:k], whole) + [root_of(leaves[k:])]
    return proof_of(m - k, leaves[k:], False) + [root_of(leaves[:k])]


def is_consistent(m, old, n, new, proof):
    """CHK-5."""
    hashes = [bytes.fromhex(one) for one in (old, new, *proof)]
    if not 1 <= m <= n <= MOST or any(len(one) != 32 for one in hashes):
        return False
    old, new, *path = hashes
    if m == n:
        return path == [] and old == new
    if not path:
        return False
    if m & (m - 1) == 0:
        path.insert(0, old)
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old and sr == new


# ---- the note --------------------------------------------------------------------------------------------------------


def from_base64(text):
    """Padded, with unused bits zero; None for what is not."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def read_note(data):
    """CHK-6 to CHK-11: text, origin, size, root, epoch and signatures, or None."""
    try:
        note = data.decode()
    except UnicodeDecodeError:
        return None
    if len(data) > 16384 or re.search(r"[\x00-\x09\x0b-\x1f\x7f]", note) or not note.endswith("\n"):
        return None
    text, parting, signed = note.rpartition("\n\n")
    if parting == "":
        return None
    text += "\n"
    lines, signatures = text[:-1].split("\n"), []
    if len(lines) < 3 or len(lines) > 19 or "" in lines[3:]:
        return None
    origin, size, root = lines[:3]
    did, _, kid = origin.partition("#")
    if len(did) > 256 or not DID.fullmatch(did) or not KID.fullmatch(kid):
        return None
    if not re.fullmatch(r"0|[1-9][0-9]*", size, re.ASCII) or int(size[:20]) > MOST or len(size) > 16:
        return None
    epochs = [line[6:] for line in lines[3:] if re.fullmatch(r"epoch [0-9a-f]{16}", line)]
    if len(from_base64(root) or b"") != 32 or len(epochs) != 1:
        return None
    for line in signed[:-1].split("\n"):
        match = re.fullmatch(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)", line)
        signature = match and from_base64(match[2])
        if signature is None or len(signature) < 5:
            return None
        signatures.append((match[1], signature[:4], signature[4:]))
    if len(signatures) > 16:
        return None
    says = {"signer": did, "kid": kid, "size": int(size), "root": from_base64(root).hex(), "epoch": epochs[0]}
    return text.encode(), origin, signatures, says


def answer_on_note(note, public_key):
    read = read_note(bytes.fromhex(note))
    if read is None:
        return "CHECKPOINT_MALFORMED"
    text, origin, signatures, says = read
    # CHK-12
    key = bytes.fromhex(public_key)
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    own = [signature for name, of, signature in signatures if name == origin and of == key_id]
    return says if len(own) == 1 and is_good_signature(key, text, own[0]) else "unsigned"


# ---- checkpoints in events -------------------------------------------------------------------------------------------


def leads(old, new, proof):
    if old["size"] == 0:
        return proof == [] and old["root"] == EMPTY and (new["size"] > 0 or new["root"] == EMPTY)
    return is_consistent(old["size"], old["root"], new["size"], new["root"], proof)


def is_explained(checkpoint, before, base):
    """CHK-21."""
    previous, restored = checkpoint.get("previous"), checkpoint.get("restored")
    if not names(previous, before) or restored is None or not leads(restored, checkpoint, restored["consistency"]):
        return False
    same = restored["epoch"] == before["epoch"]
    if same and restored["size"] >= before["size"] and not leads(before, checkpoint, previous.get("consistency", [])):
        return False
    if "event" not in restored:
        return same and restored["size"] < before["firstSizeOfEpoch"]
    return base is not None and all(base[name] == restored[name] for name in ("event", "epoch", "size", "root"))


def names(previous, before):
    return previous is not None and all(previous[name] == before[name] for name in ("event", "size", "root"))


def alarm_of(checkpoint, before, base):
    """CHK-20 to CHK-23."""
    if before is None:
        return None
    if checkpoint["epoch"] != before["epoch"]:
        return None if is_explained(checkpoint, before, base) else "EPOCH_UNEXPLAINED"
    if checkpoint["size"] < before["size"]:
        return "LOG_ROLLED_BACK"
    previous = checkpoint.get("previous")
    if names(previous, before) and leads(before, checkpoint, previous.get("consistency", [])):
        return None
    return "LOG_REWRITTEN"


def answer_on_tree(leaves, old, new):
    hashes = [bytes.fromhex(leaf) for leaf in leaves]
    roots = [root_of(hashes[:size]).hex() for size in (old, new)]
    return {"fromRoot": roots[0], "toRoot": roots[1], "proof": [one.hex() for one in proof_of(old, hashes[:new])]}


def main():
    given = json.load(sys.stdin)
    answer = {
        "proofs": [is_consistent(p["from"], p["fromRoot"], p["to"], p["toRoot"], p["proof"]) for p in given["proofs"]],
        "notes": [answer_on_note(one["note"], one["publicKey"]) for one in given["notes"]],
        "judged": [alarm_of(one["checkpoint"], one["before"], one["base"]) for one in given["judged"]],
        "trees": [answer_on_tree(one["leaves"], one["from"], one["to"]) for one in given["trees"]],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
