"""The shared harness, run from where it lies: nothing of it is copied here."""
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time

import server

GEN_CORE = os.environ.get("GEN_CORE", "1" if (os.cpu_count() or 1) > 1 else "0")


class Failed(Exception):
    """A measurement that gave no figure, and why."""


def folder():
    """The harness lies beside the repository in `shared/harness`, or where CP_HARNESS says."""
    named = os.environ.get("CP_HARNESS")
    places = [named] if named else [
        os.path.join(server.ROOT, *up, "shared", "harness") for up in ([".."], ["..", ".."])
    ]
    for place in places:
        if os.path.isfile(os.path.join(place, "runner.py")):
            return os.path.realpath(place)
    sys.exit(f"The harness is not here: looked for runner.py in {', '.join(map(os.path.normpath, places))}. "
             "Put it beside the repository as shared/harness, or name it in CP_HARNESS.")


def may_have_priority():
    return subprocess.run(["chrt", "-r", "10", "true"], capture_output=True, check=False).returncode == 0


def build_loadgen(place, out):
    """Builds the load generator from its own sources into our target folder (its own may be read-only)."""
    made = os.path.join(out, "loadgen")
    os.makedirs(made, exist_ok=True)
    with open(os.path.join(place, "loadgen", "Cargo.toml"), encoding="utf-8") as f:
        dependencies = re.search(r"(?ms)^\[dependencies\]\n(.*?)(?=^\[|\Z)", f.read())
    with open(os.path.join(made, "Cargo.toml"), "w", encoding="utf-8") as f:
        f.write('[package]\nname = "loadgen"\nversion = "0.1.0"\nedition = "2021"\n'
                f'[[bin]]\nname = "loadgen"\npath = "{place}/loadgen/src/main.rs"\n'
                f'[dependencies]\n{dependencies.group(1) if dependencies else ""}\n[workspace]\n')
    env = dict(os.environ, CARGO_TARGET_DIR=os.path.join(made, "target"))
    subprocess.run(["cargo", "build", "--quiet", "--release", "--manifest-path", os.path.join(made, "Cargo.toml")],
                   env=env, check=True, stderr=subprocess.DEVNULL)
    return os.path.join(made, "target", "release", "loadgen")


def without_priority(out):
    """Where real-time priority is refused, `chrt -r 10 COMMAND` becomes COMMAND for the harness too."""
    shim = os.path.join(out, "shim")
    os.makedirs(shim, exist_ok=True)
    path = os.path.join(shim, "chrt")
    with open(path, "w", encoding="utf-8") as f:
        f.write('#!/bin/sh\nshift 2\nexec "$@"\n')
    os.chmod(path, 0o755)
    os.environ["PATH"] = shim + ":" + os.environ["PATH"]
    print("Real-time priority is not allowed here: latencies will hold scheduling noise "
          "(facts/peers.md section 1).", file=sys.stderr)


def load(out):
    """The harness's `runner` module with a load generator of ours, pinned."""
    for tool in ("sipp", "taskset", "chrt"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing: scripts/setup bench installs it")
    place = folder()
    server.PRIORITY = may_have_priority()
    if not server.PRIORITY:
        without_priority(out)
    spec = importlib.util.spec_from_file_location("runner", os.path.join(place, "runner.py"))
    runner = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(runner)
    runner.LG = build_loadgen(place, out)
    runner.PRE = ["taskset", "-c", GEN_CORE, "chrt", "-r", "10"]
    sipp = runner.sipp
    runner.sipp = lambda target, pids, *args, **kw: sipp(target, pids, "--core", GEN_CORE, *args, **kw)
    return runner


def checked(result):
    """A result of the harness, or `Failed` with what it said."""
    if not isinstance(result, dict) or "error" in result:
        raise Failed(str(result)[:600])
    return result


def search(runner, peer, pids, user, start, secs=7, factor=1.3, steps=12, settle=2.0):
    """Highest clean rate by the load generator: fails under 0.5 %, repeats under 1 % of calls, rate kept
    to 96 %. For rates that SIPp cannot make; the same rules as sippbench's."""
    best, log, low, high, rate = None, [], None, None, start
    for _ in range(steps):
        x = one_rate(runner, peer, pids, user, rate, secs)
        if not x["clean"] and x["fail_pct"] < 3 and x["retx_pct"] < 5:
            time.sleep(settle)
            x = one_rate(runner, peer, pids, user, rate, secs)  # a second chance: the machine is shared
        log.append(x)
        print("    " + ("ok " if x["clean"] else "NO ") + str(x), file=sys.stderr, flush=True)
        if x["clean"]:
            low, best = rate, x
        else:
            high = rate
        if high is None:
            rate = round(rate * factor)
        elif low is None:
            rate = round(rate / 2)
        elif (high - low) / high < 0.05:
            break
        else:
            rate = round((low + high) / 2)
        if rate < 1:
            break
        time.sleep(settle)
    return dict(max=low, at=best, steps=log)


def one_rate(runner, peer, pids, user, rate, secs):
    calls = int(rate * secs)
    x = checked(runner.lg(peer["target"], pids, "--user", user, "--rate", rate, "--calls", calls, "--hold-ms", 1000,
                          "--warmup", 1.5, "--measure", secs - 2.5, "--linger", 6, "--max-time", secs + 20))
    failed = sum(x["fails"].values()) + max(0, x["started"] - x["answered"] - sum(x["fails"].values()))
    kept = x["started_in_window"] / max(0.001, x["window_s"])
    got = dict(rate=rate, kept=round(kept, 1), calls=x["started"], fail_pct=round(100 * failed / calls, 3),
               retx_pct=round(100 * x["retx"] / calls, 2), cpu_pct=x["peer_cpu_pct"], gen_pct=x["self_cpu_pct"],
               other_pct=x["other_busy_pct"], p99_ms=(x["us_inv_200"] or {}).get("p99", 0) / 1000)
    got["clean"] = (got["fail_pct"] < 0.5 and got["retx_pct"] < 1.0 and kept >= 0.96 * rate
                    and x["started"] >= 0.97 * calls)
    return got
