"""Looks at whole sessions of range-sync/v1: what each frame before the transfer has to be, by what both sides hold."""

import json

from second_range_sync_frames import chain_state, read_frame, sha256, tips_root


class Side:
    """What one side holds: for each chain, the predecessor and position of each event by its id."""

    def __init__(self, rows, other):
        self.chains = {}
        for by, chain, event, prev, position in rows:
            if by != other:
                self.chains.setdefault(chain, {})[event] = (prev, int(position))

    def tips(self, chain):
        events = self.chains.get(chain, {})
        return sorted(set(events) - {prev for prev, _ in events.values()})

    def states(self):
        return {chain: chain_state(chain, self.tips(chain)) for chain in sorted(self.chains)}

    def root(self):
        return tips_root({chain: self.tips(chain) for chain in self.chains}).hex()


class Checker:
    """Finds where the frames of a vector are not what the SPEC makes of what the two sides hold."""

    def __init__(self, vector):
        self.vector, self.salt, self.problems = vector, bytes.fromhex(vector["salt"]), []
        rows = [row.split(" ") for row in vector["events"]]
        self.sides = {">": Side(rows, "responder"), "<": Side(rows, "initiator")}
        self.frames = [(frame[0], read_frame(bytes.fromhex(frame[2:]))) for frame in vector["frames"]]

    def expect(self, what, found, expected):
        if found != expected:
            self.problems.append(f"{what}: {found} instead of {expected}")

    def tagged(self, side, chain, events):
        positions = self.sides[side].chains.get(chain, {})
        tag = {event: sha256(self.salt, bytes.fromhex(event))[:12].hex() for event in events}
        return [{"position": positions[event][1], "tag": tag[event]} for event in events]

    def held(self, side, chain, events):
        return "".join("1" if event in self.sides[side].chains.get(chain, {}) else "0" for event in events)

    def run(self):
        initiator, responder = self.sides[">"], self.sides["<"]
        hello, offer = self.frames[0][1], self.frames[1][1]
        self.expect("hello", (hello["root"], hello["chains"]), (initiator.root(), len(initiator.chains)))
        self.expect("equal", offer["type"] == "equal", initiator.root() == responder.root())
        if offer["type"] != "equal":
            self.expect("salt", offer["salt"], self.salt.hex())
            self.check_talk(offer)
        for side, other, name in ((">", "<", "initiatorSends"), ("<", ">", "responderSends")):
            refused = self.vector["unwanted"] if side == "<" else []
            chains = self.sides[side].chains.items()
            only = [set(own) - set(self.sides[other].chains.get(chain, {})) for chain, own in chains if chain not in refused]
            self.expect(name, self.vector[name], sorted(event for events in only for event in events))
        return self.problems

    def run_of(self, kind, start):
        """The frames of one message from `start` on."""
        end = start
        while self.frames[end][1]["more"]:
            end += 1
        for _, frame in self.frames[start : end + 1]:
            self.expect("type", frame["type"], kind)
        return end + 1, [frame for _, frame in self.frames[start : end + 1]]

    def check_talk(self, offer):
        initiator, responder = self.sides[">"].states(), self.sides["<"].states()
        at = next(index for index, (_, frame) in enumerate(self.frames) if frame["type"] == "chains")
        at, frames = self.run_of("chains", at)
        mine = [chain for frame in frames for chain in frame["mine"]]
        if offer["type"] == "sketch":
            sketched = responder.values() if initiator else []
            self.expect("sketch", offer["entries"], [sha256(self.salt, state)[:5].hex() for state in sketched])
            bits = "".join("1" if state in initiator.values() else "0" for state in sketched)
            expected = [bits, *("" for _ in frames[1:])]
            self.expect("matched", [frame["matched"]["bits"] for frame in frames], expected)
        else:
            self.expect("tree", offer["chains"], len(responder))
            missing = [item for frame in frames for item in frame["matched"]["missing"]]
            lacking = [state[:12].hex() for state in responder.values() if state not in initiator.values()]
            self.expect("missing", sorted(missing), sorted(lacking))
        unwanted = self.vector["unwanted"]
        named = sorted([*unwanted, *(chain for chain, state in initiator.items() if state not in responder.values())])
        tips = {chain: [] if chain in unwanted else self.sides[">"].tips(chain) for chain in named}
        entries = [{"prefix": chain[:32], "tips": self.tagged(">", chain, tips[chain])} for chain in named]
        self.expect("mine", mine, entries)
        self.check_answers(at, named, tips)

    def check_answers(self, at, named, tips):
        at, frames = self.run_of("answer", at)
        entries, asked = [], {}
        for index, chain in enumerate(named):
            held = self.held("<", chain, tips[chain])
            if "0" in held:
                asked[index] = self.sides["<"].tips(chain)
                entries.append({"index": index, "held": held, "tips": self.tagged("<", chain, asked[index])})
        self.expect("answer", [entry for frame in frames for entry in frame["chains"]], entries)
        # What the first probe answers: tips, where some of a chain are lacking here.
        asked = {index: ids for index, ids in asked.items() if "0" in self.held(">", named[index], ids)}
        while at < len(self.frames):
            side = self.frames[at][0]
            at, frames = self.run_of("probe", at)
            asked = self.check_probe(side, [entry for frame in frames for entry in frame["chains"]], named, asked)

    def check_probe(self, side, entries, named, asked):
        """Every sample of the other side has its answer; returns the ids of this side's samples."""
        answers = {entry["index"]: entry["held"] for entry in entries if entry["held"]}
        self.expect("held", answers, {index: self.held(side, named[index], ids) for index, ids in asked.items()})
        samples = {}
        for entry in entries:
            chain = named[entry["index"]]
            own = list(self.sides[side].chains[chain])
            ids = {json.dumps(tag): event for tag, event in zip(self.tagged(side, chain, own), own)}
            if entry["asked"]:
                samples[entry["index"]] = [ids[json.dumps(tag)] for tag in entry["asked"]]
        return samples
