"""One Crosspoint under measurement: built for release, pinned to a core, freshly provisioned."""
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVER_CORE = os.environ.get("SERVER_CORE", "0")
PRIORITY = False  # set by harness.load
SIP = ("127.0.0.1", 5066)
HTTP = ("127.0.0.1", 8066)
CALLEE = "127.0.0.3:6001"
AGENTS = 500
REGISTRATIONS = 1000
START_S = 30


class Failed(Exception):
    """The server did not do its part, and what its log says."""


def program():
    """Path of the release build, made once."""
    named = os.environ.get("CP_BIN")
    if named:
        return named
    print("==> Building for release", file=sys.stderr, flush=True)
    subprocess.run(["cargo", "build", "--release", "--package", "crosspoint", "--bin", "crosspoint"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    os.environ["CP_BIN"] = os.path.join(target, "release", "crosspoint")
    return os.environ["CP_BIN"]


def provision():
    """The tenant the harness expects (shared/harness/README.md)."""
    agents = [f"agent{i:04}" for i in range(AGENTS)]
    phones = [{"user": u, "password": "secret", "name": u, "agent": u} for u in agents]
    phones += [{"user": f"reg{i:04}", "password": "secret", "name": f"reg{i:04}"} for i in range(REGISTRATIONS)]
    return {"tenants": [{
        "name": "Bench",
        "domain": "",
        "admin": {"email": "bench@example.test", "password": "a long enough password"},
        "phones": phones,
        "agents": [{"name": u, "extension": f"9{i:04}", "queues": ["queue"], "phone": u,
                    "available_when_registered": True, "wrap_up_ms": 0} for i, u in enumerate(agents)],
        "queues": [{"name": "queue", "wrap_up_ms": 0, "announce_every_ms": 0, "wait_ms_max": 600000}],
        "conferences": [{"name": "conf", "members_max": 500}],
        "trunks": [{"name": "generator", "auth": {"by": "address", "networks": ["127.0.0.2/32"]},
                    "host": CALLEE, "transport": "udp", "codecs": ["pcmu"]}],
        "numbers": [
            {"number": "answer", "name": "answer", "public": True, "destination": {"to": "answer"}},
            {"number": "bridge", "name": "bridge", "public": True,
             "destination": {"to": "uri", "uri": f"sip:uas@{CALLEE}"}},
            {"number": "conf", "name": "conf", "public": True,
             "destination": {"to": "conference", "conference": "conf"}},
            {"number": "queue", "name": "queue", "public": True,
             "destination": {"to": "queue", "queue": "queue"}},
        ],
    }]}


class Server:
    """`with Server(durability="full") as s:` runs one; `s.peer` and `s.pids` are what the bodies want."""

    def __init__(self, durability="full"):
        self.durability = durability
        self.peer = {"name": "crosspoint", "target": "%s:%d" % SIP, "answer": "answer", "bridge": "bridge",
                     "conf": "conf", "domain": "%s:%d" % SIP}

    def __enter__(self):
        path = program()
        for kind, address in ((socket.SOCK_DGRAM, SIP), (socket.SOCK_STREAM, HTTP)):
            with socket.socket(socket.AF_INET, kind) as s:
                try:
                    # Connections of the last row linger in TIME_WAIT; they are no server.
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(address)
                except OSError as e:
                    raise Failed(f"{address[0]}:{address[1]} is in use: {e}") from e
        os.makedirs(os.path.join(ROOT, "target", "bench"), exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="data-", dir=os.path.join(ROOT, "target", "bench"))
        file = os.path.join(self.folder, "provision.json")
        with open(file, "w", encoding="utf-8") as f:
            json.dump(provision(), f)
        env = dict(os.environ, CROSSPOINT_HTTP_LISTEN="%s:%d" % HTTP, CROSSPOINT_SIP_UDP="%s:%d" % SIP,
                   CROSSPOINT_SIP_TCP="%s:%d" % SIP, CROSSPOINT_DATA=os.path.join(self.folder, "data"),
                   CROSSPOINT_MEDIA_PORTS="10000-29999", CROSSPOINT_MEDIA_ADDRESS=SIP[0],
                   CROSSPOINT_DURABILITY=self.durability,
                   CROSSPOINT_PROVISION=file, CROSSPOINT_LOG_FILTER="warn", CROSSPOINT_DRAIN_MS_MAX="0")
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8", errors="replace")
        command = ["taskset", "-c", SERVER_CORE] + (["chrt", "-r", "10"] if PRIORITY else []) + [path, "serve"]
        self.process = subprocess.Popen(command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, preexec_fn=all_files)
        self.pids = [self.process.pid]
        self.wait()
        return self

    def wait(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen("http://%s:%d/healthz" % HTTP, timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        text = self.tail()
        self.__exit__()
        raise Failed(f"crosspoint is not healthy within {START_S} s; its log ends:\n{text}")

    def tail(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()[-3000:]

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class External:
    """Somebody else's server that runs already: BENCH_TARGET=ip:port, BENCH_PIDS=p1,p2. For trying the rows."""

    def __init__(self, target, pids):
        self.pids = [int(p) for p in pids.split(",")]
        users = {k: os.environ.get(f"BENCH_{k.upper()}", k) for k in ("answer", "bridge", "conf")}
        self.peer = {"name": "external", "target": target, "domain": target, **users}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def start(durability="full"):
    if os.environ.get("BENCH_TARGET"):
        return External(os.environ["BENCH_TARGET"], os.environ["BENCH_PIDS"])
    return Server(durability)


def all_files():
    """As many open files as the machine allows: each media leg takes two."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
