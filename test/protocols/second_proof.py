"""A second implementation of PR-9 to PR-13 and PR-15 of proof/v1, written from its SPEC with Python's standard library.

Run as a program it reads a JSON list of files (as text) on standard input. For each it prints the steps in the SPEC's
order, each as rule and outcome, in one list of lists. Bodies of events are looked at only as far as the rules of
proof/v1 ask; which timestamp anchors prove anything is for their verifiers.
"""

import hashlib
import json
import sys

from second_implementation import (
    Refused,
    base58,
    canonical,
    from_base64url,
    is_good_signature,
    is_integer,
    leaf_hash,
    read_canonical,
    read_event,
)

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ATTESTED = {"batchId", "batchRoot", "chainId", "evidenceHash", "evidenceId", "outcome", "owner"}


def record_outcome(receipt):
    """PR-9."""
    data = receipt["record"].encode()
    try:
        value = read_canonical(data)
    except Refused:
        return "failed"
    is_record = isinstance(value, dict) and set(value) == {"receipt", "salt", "v"} and value["v"] == 1
    if not is_record or len(data) > 65536 or len(from_base64url(value["salt"]) or b"") != 16:
        return "failed"
    return "ok" if leaf_hash(data).hex() == receipt["leafHash"] else "failed"


def inclusion_outcome(receipt, root):
    """PR-10, by BAT-9."""
    fn, sn, r = receipt["index"], receipt["treeSize"] - 1, bytes.fromhex(receipt["leafHash"])
    if fn > sn:
        return "failed"
    for p in map(bytes.fromhex, receipt["path"]):
        if sn == 0:
            return "failed"
        if fn % 2 == 1 or fn == sn:
            r = hashlib.sha256(b"\x01" + p + r).digest()
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    return "ok" if sn == 0 and r.hex() == root else "failed"


def key_of(did):
    """The public key of a did:key; None for another DID."""
    if not did.startswith("did:key:z"):
        return None
    number = 0
    for digit in did[len("did:key:z") :]:
        number = number * 58 + ALPHABET.index(digit)
    data = number.to_bytes(34, "big")
    return data[2:] if base58(data) == did[len("did:key:z") :] and data[:2] == b"\xed\x01" else None


def event_of(text, proof, event_type):
    """Envelope and outcome of its signature; None for what is no such event."""
    try:
        envelope, signed, signatures = read_event(from_base64url(text))
    except Refused:
        return None, "failed"
    if envelope["type"] != event_type or envelope["namespace"] != proof["namespace"]:
        return None, "failed"
    key = key_of(envelope["signer"])
    if key is None or envelope["signer"] != "did:key:" + envelope["kid"]:
        return envelope, "undecided"
    good = all(is_good_signature(key, header.encode() + b"." + signed, sig) for _, header, sig in signatures)
    return envelope, "ok" if good else "failed"


def announcement(text, proof):
    """PR-11: the envelope with the outcome."""
    envelope, outcome = event_of(text, proof, "announce")
    if envelope is None:
        return None, outcome
    body = envelope["body"]
    same = body.get("batchId") == proof["batchId"] and body.get("batchRoot") == proof["batchRoot"]
    if not same or body.get("owner", proof["owner"]) != proof["owner"] or not is_integer(body.get("receiptCount"), 1):
        return None, "failed"
    return envelope, outcome


def owner_outcome(announcements, proof):
    """PR-12."""
    if proof["ownerDid"] is None:
        return "undecided"
    own = [(envelope, outcome) for envelope, outcome in announcements if envelope and envelope["signer"] == proof["ownerDid"]]
    counted = [(e, o) for e, o in own if e["body"]["receiptCount"] == proof["receipt"]["treeSize"]]
    if any("owner" in envelope["body"] and outcome == "ok" for envelope, outcome in counted):
        return "ok"
    return "undecided" if any(outcome != "failed" for _, outcome in counted) else "failed"


def anchor_outcome(entry, announcements):
    """PR-13."""
    given = entry["timestampAnchor"]
    announced = [a for e, o in announcements if e and o != "failed" for a in e["body"]["timestampAnchors"]]
    if not any(canonical(with_bytes(one, given)) == canonical(given) for one in announced):
        return "failed"
    header = entry.get("supplement", {}).get("header")
    if header is None:
        return "ok"
    digest = hashlib.sha256(hashlib.sha256(bytes.fromhex(header)).digest()).digest()
    return "ok" if digest[::-1].hex() == given["blockHash"] else "failed"


def with_bytes(announced, given):
    """Each hash replaced by the bytes that are given in its place, where they have it."""
    whole = dict(announced)
    for name, value in announced.items():
        other = given.get(name)
        if isinstance(value, dict) and isinstance(other, str):
            if hashlib.sha256(from_base64url(other)).hexdigest() == value["blob"]:
                whole[name] = other
    return whole


def attestation_outcome(text, proof, announcements):
    """PR-15."""
    envelope, outcome = event_of(text, proof, "attestation")
    body = envelope["body"] if envelope else {}
    if not ATTESTED <= set(body) or body["outcome"] not in ("verified", "refuted"):
        return "failed"
    if any(body[name] != proof[name] for name in ("owner", "batchId", "batchRoot")):
        return "failed"
    announced = [a for e, _ in announcements if e for a in e["body"]["timestampAnchors"]]
    hashes = [hashlib.sha256(canonical(anchor)).hexdigest() for anchor in announced]
    return outcome if body["evidenceHash"] in hashes else "failed"


def steps_of(text):
    proof = json.loads(text)
    announcements = [announcement(one, proof) for one in proof["announcements"]]
    steps = [("PR-9", record_outcome(proof["receipt"]))]
    steps.append(("PR-10", inclusion_outcome(proof["receipt"], proof["batchRoot"])))
    steps += [("PR-11", outcome) for _, outcome in announcements]
    steps.append(("PR-12", owner_outcome(announcements, proof)))
    steps += [("PR-13", anchor_outcome(entry, announcements)) for entry in proof["timestampAnchors"]]
    steps += [("PR-15", attestation_outcome(one, proof, announcements)) for one in proof.get("attestations", [])]
    return [f"{rule} {outcome}" for rule, outcome in steps]


if __name__ == "__main__":
    json.dump([steps_of(text) for text in json.load(sys.stdin)], sys.stdout)
