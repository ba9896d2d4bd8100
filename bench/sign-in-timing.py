#!/usr/bin/env python3
"""Whether the time of a refused sign-in tells that a name is known: medians of both, and how often a
guess by time alone would be right (0.5 is chance). Needs a quiet machine and a built program (CP_BIN)."""

import http.client
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

NAMES = 80
TRIES = 4  # of one name: below the failures that are free
PASSWORD = "a wrong password of some length"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, method, path, body=None, headers=None, connection=None):
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    text = None if body is None else json.dumps(body)
    own.request(method, path, text, {"Content-Type": "application/json", **(headers or {})})
    answer = own.getresponse()
    data = answer.read()
    return answer.status, json.loads(data) if data else None


def main():
    binary = os.environ.get("CP_BIN", "target/debug/crosspoint")
    folder, port, sip = tempfile.mkdtemp(prefix="cp-timing-"), free_port(), free_port()
    env = {
        **os.environ, "CROSSPOINT_DATA": folder, "CROSSPOINT_HTTP_LISTEN": f"127.0.0.1:{port}", "CROSSPOINT_SIP_UDP": f"127.0.0.1:{sip}",
        "CROSSPOINT_SIP_TCP": f"127.0.0.1:{sip}", "CROSSPOINT_MEDIA_ADDRESS": "127.0.0.1", "CROSSPOINT_MEDIA_PORTS": "45000-45399",
        "CROSSPOINT_HTTP_BEHIND_PROXY": "true",
    }
    server = subprocess.Popen([binary, "demo", "--plain", "--calls-per-minute", "0", "--robots", "0"], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                if ask(port, "GET", "/readyz")[0] == 200:
                    break
            except OSError:
                time.sleep(0.1)
        with open(os.path.join(folder, "demo-people.json"), encoding="utf8") as f:
            admin = next(p for p in json.load(f)["people"] if p["role"] == "administrator")
        _, session = ask(port, "POST", "/v1/sessions", {"login": admin["email"], "password": admin["password"], "kind": "token"})
        bearer = {"Authorization": f"Bearer {session['token']}"}
        for n in range(NAMES):
            person = {"login": f"known{n:04}@demo.example", "name": f"Known {n}", "password": f"seldom guessed {n} words", "roles": ["agent"]}
            status, made = ask(port, "POST", "/v1/users", person, bearer)
            if status != 201:
                sys.exit(f"cannot make people: {made}")
        tries = [(kind, n) for kind in ("known", "nobody") for n in range(NAMES) for _ in range(TRIES)]
        random.shuffle(tries)
        times = {"known": [], "nobody": []}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for i, (kind, n) in enumerate(tries):
            source = {"X-Forwarded-For": f"10.{i // 4096}.{i // 16 % 256}.{i % 16 + 1}"}
            begun = time.perf_counter()
            status, _ = ask(port, "POST", "/v1/sessions", {"login": f"{kind}{n:04}@demo.example", "password": PASSWORD}, source, connection)
            times[kind].append((time.perf_counter() - begun) * 1000)
            if status != 401:
                sys.exit(f"unexpected {status}")
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    medians = {kind: statistics.median(t) for kind, t in times.items()}
    for kind, t in times.items():
        low, _, high = statistics.quantiles(t, n=4)
        print(f"{kind:7} median {medians[kind]:.3f} ms, half between {low:.3f} and {high:.3f} ms, {len(t)} tries")
    pairs = [(a, b) for a in times["known"] for b in times["nobody"]]
    right = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
    print(f"difference of the medians {abs(medians['known'] - medians['nobody']):.3f} ms; a guess by time is right in {max(right, 1 - right):.3f} of the pairs")
    if abs(medians["known"] - medians["nobody"]) > 1:
        sys.exit("they differ by more than 1 ms")


main()
