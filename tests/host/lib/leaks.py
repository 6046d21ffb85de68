"""leaks.py [--operations N] [--seed N]: whether the services of this host's hive grow with what they are asked, as root.

Asks all of it in a mixture: each verb of the table on each channel, right and wrong; changes, deploys, containers that
stop and start, commands in them; people who hang up amid a question, an answer or a stream; the dashboard. Meanwhile the
memory of their own (RssAnon) and the open descriptors of skepd, skep-exec and skep-web are read, and their slope over the
last two thirds is held to a bound: the median of all slopes between two readings, which no single step moves. Ends with 1
where one is steeper. /run/tests/verbs has the table (helpers/verbs)."""
import argparse
import json
import os
import random
import socket
import subprocess
import sys
import time

from talk import MANAGER, OPERATOR, Lost, Manager, ask, browse, log_in, run

READER = "/run/skep/read.sock"
SERVICES = ["skepd", "skep-exec", "skep-web"]
READINGS = 90
BYTES_PER_OPERATION = 256  # a proposal is kept in memory; the mixture has one in fifty
DESCRIPTORS_PER_OPERATION = 0.001

READS = [{"cmd": cmd} for cmd in ("hello", "status", "list", "agent_status", "urls", "pending", "history", "audit", "drift", "usage",
                                  "whoami", "metrics", "ready", "plan", "sessions", "doctor", "audit_verify", "dashboard")]
READS += [{"cmd": "agent", "name": "alice"}, {"cmd": "agent_history", "name": "alice"}, {"cmd": "proposal", "id": 1},
          {"cmd": "effect", "id": 1}, {"cmd": "diff", "id": 1}, {"cmd": "build_log", "id": 1}, {"cmd": "seen", "id": 1},
          {"cmd": "diff", "name": "alice", "from": "deployed"}, {"cmd": "pending", "status": "all", "limit": 5},
          {"cmd": "subscribe_agent_status", "snapshot": True}]
STREAMS = [{"cmd": "subscribe_agent_status", "snapshot": True}, {"cmd": "subscribe_agent_status"}, {"cmd": "build_log", "id": 1, "follow": True},
           {"cmd": "logs", "name": "alice", "follow": True}]
NOISE = [b"{", b"[]\n", b"\0\xff\n", b'{"cmd":"status"}', b'{"cmd":"list"}\n' * 20, b'{"cmd":"' + b"x" * 300000, b'{"cmd":"pending","limit":-1}\n']
PATHS = ["/", "/livez", "/readyz", "/metrics", "/api/v1/agents", "/api/v1/agents/alice", "/api/v1/proposals", "/api/v1/status", "/events",
         "/api/v1/agents/alice/log", "/api/v1/nothing", "/../etc/passwd"]


class Mixture:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.manager = Manager(ask(OPERATOR, {"cmd": "agent", "name": "hm1nd"})["agent"]["uid_base"])
        self.verbs = [line.split()[0] for line in open("/run/tests/verbs", encoding="ascii")]
        self.cookie = log_in()
        self.asked = {}
        # per thousand
        self.kinds = [(self.read, 400), (self.wrong, 150), (self.hang_up, 80), (self.noise, 70), (self.web, 150), (self.change, 100),
                      (self.submit, 20), (self.use, 10), (self.stop, 4), (self.deploy, 4), (self.come_and_go, 2)]

    def one(self):
        kind = self.chance.choices([k for k, _ in self.kinds], [n for _, n in self.kinds])[0]
        self.asked[kind.__name__] = self.asked.get(kind.__name__, 0) + 1
        try:
            kind()
        except Lost:
            pass  # who is refused at the door, or sent away

    def read(self):
        ask(self.chance.choice([OPERATOR, OPERATOR, READER]), self.chance.choice(READS))

    def wrong(self):
        """Any verb, of nobody."""
        verb = self.chance.choice(self.verbs)
        ask(self.chance.choice([OPERATOR, READER]), {"cmd": verb, **self.chance.choice([
            {}, {"name": "nobody"}, {"name": "nobody", "id": 999999, "agent": "nobody", "commit": "0" * 40, "settings": {"x": "y"}},
            {"id": 999999}, {"id": "x", "name": 7}, {"name": "nobody", "argv": ["true"], "to": "else", "purge": True, "confirm": "x"}])}, seconds=20)

    def hang_up(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(OPERATOR)
            s.sendall(json.dumps(self.chance.choice(STREAMS)).encode() + b"\n")
            if self.chance.random() < 0.7:
                s.recv(self.chance.choice([1, 100, 100000]))

    def noise(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(20)
                s.connect(self.chance.choice([OPERATOR, READER, "/run/skep/web.sock", "/run/skep/agents/alice/agent.sock"]))
                s.sendall(self.chance.choice(NOISE))
        except OSError:
            pass

    def web(self):
        if self.chance.random() < 0.02:
            self.cookie = log_in()
        method = self.chance.choice(["GET", "GET", "GET", "HEAD", "POST", "BREW"])
        headers = {"Origin": "http://127.0.0.1:7700", "Content-Type": "application/json"} if method == "POST" else {}
        path = "/api/v1/agents/alice/pause" if method == "POST" else self.chance.choice(PATHS)
        browse(path, self.chance.choice([self.cookie, self.cookie, "skep_s=" + "a" * 64, None]), method=method, headers=headers,
               body="{}" if method == "POST" else None)

    def change(self):
        value = str(self.chance.randrange(1000))
        ask(OPERATOR, self.chance.choice([
            {"cmd": "set", "name": "alice", "settings": {"label.k": value}}, {"cmd": "set_paused", "name": "alice", "paused": self.chance.random() < 0.5},
            {"cmd": "set", "name": "alice", "settings": {"memory_max": f"{self.chance.randrange(512, 2048)}M"}},
            {"cmd": "set_parent", "child": "alice", "new_parent": "nobody"}, {"cmd": "freeze", "name": "alice"}, {"cmd": "thaw", "name": "alice"},
            {"cmd": "thaw", "name": "alice"}]))

    def propose(self, good=True):
        said = self.manager.ask(agent="alice", text=f"{self.chance.random()}\n", good=good)
        return said.get("answer", {}).get("proposal")

    def submit(self):
        if self.chance.random() < 0.3:
            ask(MANAGER, {"cmd": "submit", "agent": "alice", "commit": "1" * 40})
        elif row := self.propose():
            ask(OPERATOR, self.chance.choice([{"cmd": "deny", "id": row["id"]}, {"cmd": "withdraw", "id": row["id"]}, {"cmd": "approve", "id": 999999}]))

    def use(self):
        ask(OPERATOR, {"cmd": "thaw", "name": "alice"})
        words = self.chance.choice([["exec", "alice", "--", "true"], ["exec", "alice", "--", "false"], ["logs", "alice", "-n", "5"],
                                    ["exec", "alice", "--", "sleep", "99"]])
        try:
            run("skep", *words, timeout=3 if "99" in words else 60)
        except subprocess.TimeoutExpired:
            pass

    def stop(self):
        ask(OPERATOR, {"cmd": "thaw", "name": "alice"})
        ask(OPERATOR, {"cmd": self.chance.choice(["restart", "rebuild", "rollback"]), "name": "alice", "wait": True}, seconds=180)

    def deploy(self):
        ask(OPERATOR, {"cmd": "thaw", "name": "alice"})
        if row := self.propose(self.chance.random() < 0.7):
            ask(OPERATOR, {"cmd": "approve", "id": row["id"], "commit": row["commit"], "flags_ack": [f["name"] for f in row["flags"]], "wait": True}, seconds=180)

    def come_and_go(self):
        ask(OPERATOR, {"cmd": "spawn", "name": "dave", "wait": True}, seconds=180)
        ask(OPERATOR, {"cmd": "destroy", "name": "dave", "purge": True, "confirm": "dave", "wait": True}, seconds=180)


def pid_of(service):
    return int(run("systemctl", "show", service, "-p", "MainPID", "--value").stdout)


def reading(pid):
    """Bytes of memory, and descriptors."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        kib = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
    return kib * 1024, len(os.listdir(f"/proc/{pid}/fd"))


def settled(pids):
    """When those who hung up are forgotten: the least of a second's readings."""
    those = []
    for _ in range(5):
        those.append([reading(pid) for pid in pids])
        time.sleep(0.1)
    return [tuple(min(r[i][j] for r in those) for j in (0, 1)) for i in range(len(pids))]


def slope(points):
    those = sorted((b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1:])
    return those[len(those) // 2]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--operations", type=int, default=1000)
    options.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    given = options.parse_args()
    print(f"# seed {given.seed}", flush=True)
    mixture = Mixture(given.seed)
    pids = [pid_of(f"{service}.service") for service in SERVICES]
    every = max(1, given.operations // READINGS)
    readings = []
    for n in range(1, given.operations + 1):
        mixture.one()
        if n % every == 0:
            readings.append((n, settled(pids)))
    if pids != [pid_of(f"{service}.service") for service in SERVICES]:
        print("# one of them was started anew")
        sys.exit(1)
    readings = readings[len(readings) // 3:]
    print("#", given.operations, "operations:", ", ".join(f"{kind} {n}" for kind, n in mixture.asked.items()))
    steep = False
    for i, service in enumerate(SERVICES):
        memory = slope([(n, r[i][0]) for n, r in readings])
        descriptors = slope([(n, r[i][1]) for n, r in readings])
        bad = memory > BYTES_PER_OPERATION or descriptors > DESCRIPTORS_PER_OPERATION
        steep |= bad
        print(f"# {service}: {readings[0][1][i][0] >> 10} to {readings[-1][1][i][0] >> 10} KiB, {memory:.1f} bytes an operation (at most "
              f"{BYTES_PER_OPERATION}); {readings[0][1][i][1]} to {readings[-1][1][i][1]} descriptors, {descriptors:.5f} an operation (at most "
              f"{DESCRIPTORS_PER_OPERATION}){': LEAKS' if bad else ''}", flush=True)
    sys.exit(steep)


main()
