#!/usr/bin/env python3
"""Measures Crosspoint with the bodies of the shared harness, one core for the server, and prints it
beside the peers measured with the same bodies.

  bench/run.py                 all rows
  bench/run.py bridge_cps …    these rows; the others keep the figures of the last run
  bench/run.py --list          what there is

Writes target/bench/summary.json (figures) and target/bench/details.json (how they came about).
Environment: CP_HARNESS (folder of the harness), SERVER_CORE and GEN_CORE (default 0 and 1),
CP_BIN (a program that is built already)."""
import json
import os
import subprocess
import sys

import harness
import rows
import server

OUT = os.path.join(server.ROOT, "target", "bench")


def path_of(name):
    """What somebody else's server did must not pass for ours."""
    return os.path.join(OUT, "external-" + name if os.environ.get("BENCH_TARGET") else name)


def load(name):
    try:
        with open(path_of(name), encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def save(name, value):
    with open(path_of(name), "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1)
        f.write("\n")


def cell(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(summary):
    with open(os.path.join(server.ROOT, "bench", "peers.json"), encoding="utf-8") as f:
        peers = json.load(f)
    names = ["asterisk", "freeswitch", "kamailio", "rustpbx"]
    print(f"\n{'row':24}{'crosspoint':>12}{'aim':>12}" + "".join(f"{n:>12}" for n in names))
    for row in rows.ROWS:
        for key, aim in row.aims.items():
            ours = summary.get(key)
            mark = "" if ours is None else (" ok" if row.reached(key, ours) else " --")
            others = "".join(f"{cell(peers.get(key, {}).get(n)):>12}" for n in names)
            print(f"{key:24}{cell(ours):>12}{row.sign(key) + cell(aim):>12}{others}{mark}")
    print("Peers: facts/peers.md (kamailio relays media with rtpengine). Same bodies, same pinning.")


def main():
    wanted = sys.argv[1:]
    known = [key for row in rows.ROWS for key in row.aims]
    if "--list" in wanted:
        print("\n".join(known))
        return 0
    unknown = [w for w in wanted if w not in known]
    if unknown:
        sys.exit(f"no row {', '.join(unknown)}; there are: {', '.join(known)}")
    os.makedirs(OUT, exist_ok=True)
    bodies = harness.load(OUT)
    summary, details = load("summary.json"), load("details.json")
    failed = []
    for row in rows.ROWS:
        if wanted and not any(key in wanted for key in row.aims):
            continue
        print(f"==> {', '.join(row.aims)}", file=sys.stderr, flush=True)
        try:
            figures, how = row.measure(bodies)
        except (harness.Failed, server.Failed, subprocess.SubprocessError, OSError) as e:
            failed.append(f"{', '.join(row.aims)}: {e}")
            print(f"    failed: {e}", file=sys.stderr, flush=True)
            continue
        for key, value in figures.items():
            print(f"    {key} = {value}", file=sys.stderr, flush=True)
        summary.update(figures)
        details.update({key: how for key in figures})
        save("summary.json", {k: summary[k] for k in known if k in summary})
        save("details.json", details)
    table(summary)
    for line in failed:
        print("failed: " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
