# SPDX-License-Identifier: Apache-2.0
"""slow.py yes|no IDLE.json ... -- SLOW.json ...: compare, turn by turn, what muster-bench measured; yes for JSON."""

import json
import statistics
import sys


def load(paths):
    turns = []
    for path in paths:
        with open(path) as file:
            turns.append(json.load(file))
    return turns


def median(turns, key):
    return statistics.median(turn[key] for turn in turns)


as_json, paths = sys.argv[1] == "yes", sys.argv[2:]
between = paths.index("--")
idle, slow = load(paths[:between]), load(paths[between + 1 :])
result = {
    "turns": len(idle),
    "slow_connections": 2000,
    "failures": sum(turn["failures"] for turn in idle + slow),
    **{f"{key}_{name}": median(turns, key) for key in ("p50_ms", "p99_ms") for name, turns in
       (("idle", idle), ("slow", slow))},
    "p99_ratio": statistics.median(b["p99_ms"] / a["p99_ms"] for a, b in zip(idle, slow)),
}
if as_json:
    print(json.dumps(result))
else:
    for key, value in result.items():
        print(f"{key:18} {value:.2f}" if isinstance(value, float) else f"{key:18} {value}")
