"""A second implementation of winner/v1, written from its SPEC alone with Python's standard library.

Run as a program it reads a JSON object on standard input: "batches" (lists of candidates) and "quorums" (objects with
"found", "rule", "validUntil", "statements" and "others"). It prints one with, for each batch, the index of the winner, the losers (index,
rule and supersededBy, strongest first) and the earliest time; for each quorum, its lists and the state.
"""

import functools
import json
import sys

RAILS = ["btc", "eip155", "rfc3161"]


def smaller(member):
    return lambda one, other: (one[member].encode() > other[member].encode()) - (
        one[member].encode() < other[member].encode()
    )


def rail_of(candidate):
    return RAILS.index(candidate["chainId"].split(":")[0])


def position_rule(candidate):
    return "gen-time" if rail_of(candidate) == 2 else "block-height"


def compare_positions(one, other):
    sign = 1 if rail_of(one) == 2 else -1
    return sign * (one["position"] - other["position"])


# WIN-3: each rule with what is below zero where the first of two candidates is the stronger.
RULES = [
    (lambda _: "rail", lambda one, other: rail_of(one) - rail_of(other)),
    (lambda _: "chain-id", smaller("chainId")),
    (position_rule, compare_positions),
    (lambda _: "evidence-id", smaller("evidenceId")),
    (lambda _: "batch-root", smaller("batchRoot")),
    (lambda _: "event-id", smaller("eventId")),
    (lambda _: "evidence-hash", smaller("evidenceHash")),
]


def first_difference(one, other):
    for name, compare in RULES:
        if compare(one, other) != 0:
            return name(one), compare(one, other)
    return None, 0


def decide(candidates):
    order = sorted(
        range(len(candidates)),
        key=functools.cmp_to_key(lambda left, right: first_difference(candidates[left], candidates[right])[1]),
    )
    if not order:
        return {"winner": None, "losers": [], "earliestProvenTime": None}
    winner = candidates[order[0]]
    losers = [
        {
            "candidate": index,
            "rule": first_difference(winner, candidates[index])[0],
            "supersededBy": winner["evidenceHash"],
        }
        for index in order[1:]
    ]
    earliest = min(candidate["provenTime"] for candidate in candidates)
    return {"winner": order[0], "losers": losers, "earliestProvenTime": earliest}


def count(found, rule, valid_until, statements, others):
    """WIN-7 to WIN-9."""
    if found is None:
        return {"quorum": None, "state": "proposed"}
    if rule is None:
        return {"quorum": None, "state": "verified"}

    def agrees(said):
        return {**said, "ts": None} == {**found, "ts": None}

    def in_time(said):
        return valid_until is None or said["ts"] <= valid_until

    lists = {"attested": [], "contradicting": [], "missing": []}
    for did in sorted(rule["of"], key=str.encode):
        on_winner = [statements[did]] if did in statements else []
        if any(not agrees(said) for said in on_winner):
            lists["contradicting"].append(did)
        elif any(agrees(said) and in_time(said) for said in on_winner + others.get(did, [])):
            lists["attested"].append(did)
        else:
            lists["missing"].append(did)
    state = "settled" if len(lists["attested"]) >= rule["k"] else "verified"
    return {"quorum": {"k": rule["k"], "of": len(rule["of"]), **lists}, "state": state}


def main():
    request = json.load(sys.stdin)
    batches = [decide(candidates) for candidates in request["batches"]]
    members = ("found", "rule", "validUntil", "statements", "others")
    quorums = [count(*(quorum[member] for member in members)) for quorum in request["quorums"]]
    json.dump({"batches": batches, "quorums": quorums}, sys.stdout)


main()
