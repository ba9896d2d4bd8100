"""The rows: which body of the harness gives which figure, and what we aim at."""
import json
import os
import re
import subprocess
import tempfile

import harness
import server


class Row:
    """One measurement and the figures it gives, with their aims."""

    def __init__(self, measure, less=(), **aims):
        self.measure = measure
        self.aims = aims
        self.less = less

    def sign(self, key):
        return "<= " if key in self.less else ">= "

    def reached(self, key, value):
        return value <= self.aims[key] if key in self.less else value >= self.aims[key]


def fastest(runner, s, body, user, start):
    """SIPp as for the peers; where SIPp is at its own limit, the load generator goes on from there."""
    by_sipp = harness.checked(body(s.peer, s.pids, start))
    low = by_sipp.get("max") or start / 2
    by_loadgen = harness.search(runner, s.peer, s.pids, user, max(1, round(low * 1.1)))
    best = max(by_sipp.get("max") or 0, by_loadgen["max"] or 0)
    if not best:
        raise harness.Failed(f"no clean rate: {by_sipp} {by_loadgen}")
    return best, dict(sipp=by_sipp, loadgen=by_loadgen)


def answer(runner):
    with server.start() as s:
        best, how = fastest(runner, s, lambda p, pids, r: runner.a_cps(p, pids, r, 2), s.peer["answer"], 1000)
    return {"answer_cps": best}, how


def bridge(durability, key):
    def measure(runner):
        with server.start(durability) as s:
            best, how = fastest(runner, s, lambda p, pids, r: runner.b_cps(p, pids, r, 2), s.peer["bridge"], 400)
        return {key: best}, how
    return measure


def forward(runner):
    with server.start() as s:
        x = harness.checked(runner.b_pdd(s.peer, s.pids))
    if not x.get("us_uacinv_to_uasinv"):
        raise harness.Failed(f"no INVITE came through: {x}")
    return {"invite_forward_p99_ms": x["us_uacinv_to_uasinv"]["p99"] / 1000}, x


def memory(runner):
    with server.start() as s:
        x = harness.checked(runner.b_mem(s.peer, s.pids))
    harness.checked(x["raw"])
    if x["raw"]["answered"] < 495:
        raise harness.Failed(f"only {x['raw']['answered']} of 500 calls were answered")
    return {"kb_per_bridged_call": x["kb_per_call"]}, x


def relay(runner):
    with server.start() as s:
        x = harness.checked(runner.c_rtp(s.peer, s.pids))
        late = harness.checked(runner.c_rtp(s.peer, s.pids, coalesce=False))
    if x["answered"] < 100 or x["loss_pct"] >= 0.1:
        raise harness.Failed(f"not clean: answered {x['answered']}, loss {x['loss_pct']} %")
    return {"rtp100_cpu_pct": x["peer_cpu_pct"]}, dict(batched=x, per_packet=late)


def relay_most(runner):
    with server.start() as s:
        x = runner.c_max(s.peer, s.pids, [600, 900, 1200, 1500, 1800, 2100, 2400])
    if not x["max_calls"]:
        raise harness.Failed(str(x["levels"]))
    return {"rtp_max_calls": x["max_calls"]}, x


# 160 calls/s fill 500 agents whose calls last 4 s in the mean after 6 s; from then on somebody waits.
SATURATED_S = 12


def queue(runner):
    with server.start() as s:
        fresh = harness.checked(runner.d_acd(s.peer, s.pids, server.AGENTS, 100, 4000, "queue"))
    with server.start() as s:
        full = harness.checked(runner.d_acd(s.peer, s.pids, server.AGENTS, 160, 4000, "queue"))
    # How long a freed agent idles can be asked only while there is work for it: the harness's window
    # begins at 4 s, when most agents have not had their first call.
    with server.start() as s:
        busy = harness.checked(runner.d_acd(s.peer, s.pids, server.AGENTS, 160, 4000, "queue", warm=SATURATED_S))
    if busy["conc_at_window_end"] < server.AGENTS + 50:
        raise harness.Failed(f"nobody waited at the end of the window: {busy}")
    for x in (fresh, full, busy):
        if x["reg_ok"] < server.AGENTS:
            raise harness.Failed(f"only {x['reg_ok']} of {server.AGENTS} agents registered")
        if not x["us_answer_to_agent_ring"] or not x["us_agent_free_to_ring"]:
            raise harness.Failed(f"no agent rang: {x}")
    return {
        "queue500_rings_per_s": full["ring_per_s"],
        "queue_ring_p99_ms": fresh["us_answer_to_agent_ring"]["p99"] / 1000,
        "agent_idle_p99_ms": busy["us_agent_free_to_ring"]["p99"] / 1000,
    }, dict(at_100=fresh, at_160=full, saturated=busy)


def conference(runner):
    with server.start() as s:
        x = harness.checked(runner.e_conf(s.peer, s.pids, 100))
    if x["answered"] < 100:
        raise harness.Failed(f"only {x['answered']} of 100 came in")
    return {"conf100_cpu_pct": x["peer_cpu_pct"]}, x


def register(runner):
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as f:
        f.write("SEQUENTIAL\n")
        for i in range(server.REGISTRATIONS):
            f.write(f"reg{i:04};[authentication username=reg{i:04} password=secret]\n")
        f.flush()
        with server.start() as s:
            x = harness.checked(runner.f_reg(s.peer, s.pids, f.name, 3000, 3))
    if not x.get("max"):
        raise harness.Failed(f"no clean rate: {x}")
    return {"register_per_s": x["max"]}, x


def example(package, name, key):
    """A benchmark of one crate: its example prints a JSON object that holds the figure, or `key=value`."""
    def measure(_runner):
        pin = ["taskset", "-c", server.SERVER_CORE] + (["chrt", "-r", "10"] if server.PRIORITY else [])
        subprocess.run(["cargo", "build", "--quiet", "--release", "--package", package, "--example", name],
                       cwd=server.ROOT, check=True)
        target = os.environ.get("CARGO_TARGET_DIR", os.path.join(server.ROOT, "target"))
        program = os.path.join(target, "release", "examples", name)
        done = subprocess.run(pin + [program], capture_output=True, text=True, timeout=600, check=True)
        value = figure(done.stdout, key)
        if value is None:
            raise harness.Failed(f"{name} does not print {key}: {done.stdout[-500:]}")
        return {key: value}, {"output": done.stdout[-4000:]}
    return measure


def figure(text, key):
    for line in reversed(text.splitlines()):
        try:
            value = json.loads(line)
            if isinstance(value, dict) and key in value:
                return float(value[key])
        except ValueError:
            pass
    found = re.findall(rf"{key}\"?\s*[:=]\s*([0-9][0-9_,.]*)", text)
    return float(found[-1].replace("_", "").replace(",", "").rstrip(".")) if found else None


ROWS = [
    Row(answer, answer_cps=5000),
    Row(bridge("full", "bridge_cps"), bridge_cps=2000),
    Row(bridge("os", "bridge_cps_nofsync"), bridge_cps_nofsync=2000),
    Row(forward, less=("invite_forward_p99_ms",), invite_forward_p99_ms=1.0),
    Row(memory, less=("kb_per_bridged_call",), kb_per_bridged_call=60),
    Row(relay, less=("rtp100_cpu_pct",), rtp100_cpu_pct=8.0),
    Row(relay_most, rtp_max_calls=1500),
    Row(queue, less=("queue_ring_p99_ms", "agent_idle_p99_ms"),
        queue500_rings_per_s=125, queue_ring_p99_ms=20, agent_idle_p99_ms=20),
    Row(conference, less=("conf100_cpu_pct",), conf100_cpu_pct=5.0),
    Row(register, register_per_s=25000),
    Row(example("cp-routing", "match_bench", "match_p99_us"), less=("match_p99_us",), match_p99_us=5.0),
    Row(example("cp-store", "log_bench", "log_events_per_s"), log_events_per_s=100000),
]
