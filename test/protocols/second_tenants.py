"""Reads telemetry and feedback by protocols/telemetry/v1/SPEC.md and protocols/feedback/v1/SPEC.md alone.

Reads a JSON object on standard input: "bodies" (purpose, body in hex, public key in hex or null) and "applied" (the
vectors of FB-13); prints for each body its hashes or the code that refuses it, and the values of each finding.
"""

import hashlib
import json
import re
import sys

from second_implementation import (
    Reader,
    Refused,
    base64url,
    canonical,
    from_base64url,
    is_good_signature,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#-]{0,127}")
TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]+")
HASH = re.compile(r"[0-9a-f]{64}")
SEVERITIES = ("info", "low", "medium", "high", "critical")
STATUS = {"confirm": "confirmed", "dismiss": "dismissed", "reopen": "open"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def like(pattern):
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def integer(least, most):
    return lambda value: is_number(value) and float(value).is_integer() and least <= value <= most


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def text(most):
    return lambda value: isinstance(value, str) and 1 <= len(value.encode()) <= most


time = integer(0, 2**53 - 1)


def check(value, members, optional=()):
    """An object with exactly these members, of which some may be absent."""
    if not isinstance(value, dict) or not set(value) <= set(members) or not set(members) - set(optional) <= set(value):
        raise Refused("SCHEMA_INVALID")
    for name, member in value.items():
        if not members[name](member):
            raise Refused("SCHEMA_INVALID")


def is_object(value):
    return isinstance(value, dict)


REQUEST = {
    "audience": like(DID),
    "kid": like(NAME),
    "nonce": lambda value: len(from_base64url(value) or b"") == 16,
    "signer": like(DID),
    "tenant": like(TENANT),
    "v": lambda value: is_number(value) and value == 1,
}
SIGNED = {
    "telemetry": {**REQUEST, "payload": is_object, "timestamp": time},
    "feedback": {
        **REQUEST,
        "data": is_object,
        "schema": lambda value: value == "anchormesh.feedback/1",
        "signedAt": time,
    },
}
BYTES_MAX = {"telemetry": 262_144, "feedback": 16_384}


def check_payload(payload):
    check(
        payload,
        {
            "attestationMeasurementHash": like(HASH),
            "execution": is_object,
            "findings": lambda value: isinstance(value, list) and len(value) <= 256,
            "metrics": lambda value: is_object(value)
            and len(value) <= 64
            and all(like(NAME)(name) and is_number(figure) for name, figure in value.items()),
        },
        ["metrics"],
    )
    execution = payload["execution"]
    members = {"agent": text(256), "endedAt": time, "id": like(NAME), "startedAt": time}
    check(execution, members, ["agent", "endedAt", "startedAt"])
    if execution.get("endedAt", 2**53) < execution.get("startedAt", 0):
        raise Refused("SCHEMA_INVALID")
    for finding in payload["findings"]:
        members = {
            "detail": lambda value: True,
            "findingId": like(NAME),
            "kind": like(NAME),
            "score": integer(0, 1000),
            "severity": lambda value: value in SEVERITIES,
            "subject": text(1024),
        }
        check(finding, members, ["detail", "subject"])
    if len({finding["findingId"] for finding in payload["findings"]}) < len(payload["findings"]):
        raise Refused("SCHEMA_INVALID")


def check_data(data):
    members = {
        "action": lambda value: value in ("confirm", "dismiss", "adjust", "reopen"),
        "attestationMeasurementHash": like(HASH),
        "comment": text(2048),
        "findingId": like(NAME),
        "fingerprint": like(HASH),
        "rule": like(NAME),
        "score": integer(0, 1000),
        "severity": lambda value: value in SEVERITIES,
    }
    check(data, members, ["comment", "score", "severity"])
    if (data["action"] == "adjust") != ("score" in data or "severity" in data):
        raise Refused("SCHEMA_INVALID")


def fingerprint(signed):
    """TM-10."""
    facts = {name: signed[name] for name in ("kid", "signer", "tenant")}
    facts["attestationMeasurementHash"] = signed["payload"]["attestationMeasurementHash"]
    facts["executionId"] = signed["payload"]["execution"]["id"]
    facts["type"] = "anchormesh.execution-fingerprint.v1"
    return sha256(canonical(facts))


def read(purpose, body, public_key):
    if len(body) > BYTES_MAX[purpose]:
        raise Refused("BODY_TOO_LARGE")
    reader = Reader(body.decode())
    value = reader.read()
    if reader.violation:
        raise Refused(reader.violation)
    check(value, {"signed": is_object, "signatures": lambda entries: isinstance(entries, list)})
    signed, signatures = value["signed"], value["signatures"]
    check(signed, SIGNED[purpose])
    typ = f"anchormesh.{purpose}.v1+jws"
    header = f'{{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"{signed["kid"]}","typ":"{typ}"}}'
    if len(signatures) != 1 or set(signatures[0]) != {"protected", "signature"}:
        raise Refused("SIGNATURE_INVALID")
    signature = from_base64url(signatures[0]["signature"]) or b""
    if signatures[0]["protected"] != base64url(header.encode()) or len(signature) != 64:
        raise Refused("SIGNATURE_INVALID")
    check_payload(signed["payload"]) if purpose == "telemetry" else check_data(signed["data"])
    message = signatures[0]["protected"].encode() + b"." + canonical(signed)
    if public_key is not None and not is_good_signature(bytes.fromhex(public_key), message, signature):
        raise Refused("SIGNATURE_INVALID")
    found = {"id": sha256(canonical(signed)), "bodyHash": sha256(canonical(value))}
    return {**found, "fingerprint": fingerprint(signed)} if purpose == "telemetry" else found


def verdict(vector):
    try:
        return read(vector["purpose"], bytes.fromhex(vector["body"]), vector["publicKey"])
    except Refused as refused:
        return {"code": str(refused)}


def apply(vector, bound):
    """FB-13, and FB-11 of what is bound to something else."""
    row, after = {"status": "open", **vector["reported"]}, []
    for data in vector["data"]:
        if all(data[name] == bound[name] for name in ("fingerprint", "attestationMeasurementHash")):
            row = {**row, "status": STATUS.get(data["action"], row["status"])}
            row.update({name: data[name] for name in ("severity", "score") if name in data})
        after.append(row)
    return after


given = json.load(sys.stdin)
bound = given["applied"][0]["data"][0]
answer = {
    "bodies": [verdict(vector) for vector in given["bodies"]],
    "applied": [apply(vector, bound) for vector in given["applied"]],
}
print(json.dumps(answer))
