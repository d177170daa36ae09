"""A second implementation of range-sync/v1 up to the transfer, written from its SPEC with Python's standard library.

Run as a program it reads a JSON object on standard input: "frames" (lists of hex), "roots" (chains with their tips) and
"sessions" (vectors). It prints one with, for each frame, what is in it and its bytes as they are written again, or the
code; for each root, the root and the chain states; for each session, the places where a frame is not what it has to be.
"""

import json
import sys

from second_range_sync_frames import Refused, chain_state, length_of, read_frame, tips_root, write_frame
from second_range_sync_sessions import Checker


def verdict_of(data):
    try:
        frame = read_frame(data)
        return {"frame": frame, "bytes": write_frame(frame).hex(), "length": length_of(data).hex()}
    except Refused as refusal:
        return {"code": str(refusal)}


def main():
    request = json.load(sys.stdin)
    frames = [verdict_of(bytes.fromhex(frame)) for frame in request["frames"]]
    roots = []
    for chains in request["roots"]:
        states = [chain_state(chain["chain"], chain["tips"]).hex() for chain in chains]
        roots.append({"root": tips_root({chain["chain"]: chain["tips"] for chain in chains}).hex(), "states": states})
    sessions = [Checker(vector).run() for vector in request["sessions"]]
    print(json.dumps({"frames": frames, "roots": roots, "sessions": sessions}))


if __name__ == "__main__":
    main()
