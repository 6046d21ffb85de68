"""kills.py [--seconds N] [--seed N]: processes of the hive of this host are killed at random while it has work, as root.

The load is operators, the manager, readers and the dashboard, each at once. Killed are the controller, its hands, the
dashboard's server, builders, workers, what reads repositories, what runs a verb, and containers: their keepers and their
inits. Every minute and at the end both hold still, the hive has to come to rest by itself, and then everything it ever
answered with yes is looked for: the record by git alone, the containers by their units. Ends with 1 where anything is
missing. The seed draws what is killed when, and what is asked; the machine's own timing no seed repeats."""
import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback

from talk import OPERATOR, STATE, Lost, Manager, ask, browse, log_in, run

AGENTS = ["alice", "bob", "carol"]
GUEST = "dave"  # comes and goes


class Gate:
    """What passes it may go on to its end while somebody waits for all to be out."""

    def __init__(self):
        self.changed = threading.Condition()
        self.closed = False
        self.ended = False
        self.within = 0

    def __enter__(self):
        with self.changed:
            self.changed.wait_for(lambda: not self.closed or self.ended)
            if self.ended:
                raise SystemExit
            self.within += 1

    def __exit__(self, *_):
        with self.changed:
            self.within -= 1
            self.changed.notify_all()

    def close(self):
        with self.changed:
            self.closed = True
            self.changed.wait_for(lambda: self.within == 0)

    def open(self):
        with self.changed:
            self.closed = False
            self.changed.notify_all()

    def end(self):
        with self.changed:
            self.ended = True
            self.changed.notify_all()


class Book:
    """What was answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.proposals = {}  # number: (agent, commit)
        self.verdicts = {}  # number: family of its tag
        self.values = {}  # what it is about: the values it may have
        self.tags = {}  # of the last look, with their objects
        self.answers = collections.Counter()

    def count(self, answer):
        with self.lock:
            self.answers["yes" if answer.get("ok") else answer.get("code", "no")] += 1
        return answer

    def lost(self):
        with self.lock:
            self.answers["lost"] += 1

    def changing(self, what, value):
        with self.lock:
            self.values.setdefault(what, {None}).add(value)

    def changed(self, what, value):
        with self.lock:
            self.values[what] = {value}


class Load:
    def __init__(self, seed):
        self.seed = seed
        self.gate = Gate()
        self.book = Book()
        self.manager = Manager(ask(OPERATOR, {"cmd": "agent", "name": "hm1nd"})["agent"]["uid_base"])
        self.threads = []

    def start(self):
        for n, (step, pause) in enumerate([(self.submit, 0.7), (self.decide, 0.5), (self.settle, 1.5), (self.read, 0.3),
                                           (self.use, 2.0), (self.browse, 0.5), (self.welcome, 20.0)]):
            thread = threading.Thread(target=self.go_on, args=(step, pause, random.Random(self.seed + n)), daemon=True)
            thread.start()
            self.threads.append(thread)

    def go_on(self, step, pause, chance):
        while True:
            with self.gate:
                try:
                    step(chance)
                except Lost:
                    self.book.lost()
            time.sleep(chance.expovariate(1 / pause))

    def operator(self, request):
        return self.book.count(ask(OPERATOR, request))

    def submit(self, chance):
        agent = chance.choice(AGENTS)
        said = self.manager.ask(agent=agent, text=f"{chance.random()}\n", good=chance.random() < 0.8)
        if "lost" in said:
            raise Lost(said["lost"])
        answer = self.book.count(said["answer"])
        if answer.get("ok"):
            self.book.proposals[answer["proposal"]["id"]] = (agent, said["commit"])

    def decide(self, chance):
        rows = self.operator({"cmd": "pending"}).get("approvals", [])
        if not rows:
            return
        row = chance.choice(rows)
        verb, family = chance.choices([("approve", "approved"), ("deny", "denied"), ("withdraw", "cancelled")], [8, 2, 1])[0]
        request = {"cmd": verb, "id": row["id"]}
        if verb == "approve":
            flags = [flag["name"] for flag in row.get("flags", [])]
            request.update(commit=row["fetched_sha"], flags_ack=flags, wait=False)
        if self.operator(request).get("ok"):
            self.book.verdicts[row["id"]] = family

    def change(self, what, value, request):
        """what: (agent, key of agents.json)"""
        self.book.changing(what, value)
        if self.operator(request).get("ok"):
            self.book.changed(what, value)

    def settle(self, chance):
        agent = chance.choice(AGENTS)
        kind = chance.choices(["label", "memory", "power", "restart", "rollback"], [6, 2, 2, 1, 1])[0]
        if kind == "label":
            key, value = f"k{chance.randrange(3)}", str(chance.randrange(1 << 30))
            self.change((agent, "label", key), value, {"cmd": "set", "name": agent, "settings": {f"label.{key}": value}})
        elif kind == "memory":
            value = f"{chance.randrange(512, 2048)}M"
            self.change((agent, "memory"), value, {"cmd": "set", "name": agent, "settings": {"memory_max": value}})
        elif kind == "power":
            wanted = chance.random() < 0.7
            self.change((agent, "power"), "running" if wanted else "stopped",
                        {"cmd": "start" if wanted else "stop", "name": agent, "wait": chance.random() < 0.5})
        elif kind == "restart":
            self.change((agent, "power"), "running", {"cmd": "restart", "name": agent, "wait": False})
        else:
            answer = self.operator({"cmd": "rollback", "name": agent, "wait": False})
            if answer.get("ok"):
                row = answer["proposal"]
                self.book.proposals[row["id"]] = (agent, row["commit"])
                self.book.verdicts[row["id"]] = "approved"

    def read(self, chance):
        agent = chance.choice(AGENTS)
        request = chance.choice([{"cmd": "status"}, {"cmd": "list"}, {"cmd": "agent", "name": agent}, {"cmd": "history"},
                                 {"cmd": "pending", "status": "all", "limit": 20}, {"cmd": "audit", "limit": 20},
                                 {"cmd": "drift"}, {"cmd": "doctor"}, {"cmd": "metrics"}, {"cmd": "usage"},
                                 {"cmd": "agent", "name": "nobody"}, {"cmd": "diff", "name": agent, "from": "deployed"},
                                 {"cmd": "subscribe_agent_status", "snapshot": True}, {"cmd": "no such verb"}])
        self.operator(request)  # and gone, whatever was still to come

    def use(self, chance):
        """A command in a container, and its log, as people do it."""
        agent = chance.choice(AGENTS)
        words = chance.choice([["exec", agent, "--", "true"], ["exec", agent, "--", "cat", "/etc/what"], ["logs", agent, "-n", "5"]])
        try:
            done = run("skep", *words, timeout=90)
        except subprocess.TimeoutExpired as why:
            raise AssertionError(f"'skep {' '.join(words)}' has not ended after 90 s") from why
        self.book.count({"ok": done.returncode == 0})

    def browse(self, chance):
        if not hasattr(self, "cookie"):
            self.cookie = log_in()
        path = chance.choice(["/", "/livez", "/readyz", "/api/v1/agents", "/api/v1/proposals", "/api/v1/status", "/events", "/nothing"])
        reply = browse(path, self.cookie)
        if reply.status == 401:
            raise AssertionError(f"a login was forgotten: {path} is answered with 401")
        self.book.count({"ok": reply.status < 400})

    def welcome(self, chance):
        """An agent is spawned, or destroyed again, with or without what it leaves."""
        here = GUEST in self.operator({"cmd": "list"}).get("agents", [])
        if not here:
            self.change((GUEST, "here"), True, {"cmd": "spawn", "name": GUEST, "wait": True})
        elif chance.random() < 0.5:
            self.change((GUEST, "here"), False, {"cmd": "destroy", "name": GUEST, "wait": True})
        else:
            self.change((GUEST, "here"), False, {"cmd": "destroy", "name": GUEST, "purge": True, "confirm": GUEST, "wait": True})


def processes():
    """Pid, its parent and its command line, of all in this host; containers' own among them."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            with open(f"/proc/{name}/stat", "rb") as f:
                parent = int(f.read().rsplit(b")", 1)[1].split()[1])
        except OSError:
            continue
        yield int(name), parent, [word.decode(errors="replace") for word in words]


def of_skep(program, argument=""):
    def found():
        return [pid for pid, _, words in processes()
                if words[0].endswith(program) and (not argument or argument in words[1:])]
    return found


def main_of(unit):
    def found():
        pid = int(run("systemctl", "show", unit, "-p", "MainPID", "--value").stdout or 0)
        return [pid] if pid else []
    return found


def keepers():
    return [pid for pid, _, words in processes() if words[0].endswith("systemd-nspawn")]


def inits():
    kept = set(keepers())
    return [pid for pid, parent, _ in processes() if parent in kept]


def verbs():
    """What skep-exec runs at this moment."""
    hands = set(main_of("skep-exec.service")())
    return [pid for pid, parent, words in processes() if parent in hands and not words[0].endswith("skep-export")]


# name: who it is at this moment, how often it is chosen, how many seconds are waited for one to be there
VICTIMS = {
    "skepd": (main_of("skepd.service"), 4, 1),
    "skep-exec": (main_of("skep-exec.service"), 3, 1),
    "skep-web": (main_of("skep-web.service"), 3, 1),
    "builder": (of_skep("skep-build"), 4, 5),
    "worker": (of_skep("skepd", "import-worker"), 3, 5),
    "reader": (of_skep("skep-export"), 3, 5),
    "verb": (verbs, 3, 5),
    "keeper": (keepers, 2, 1),
    "init": (inits, 2, 1),
}

# systemd gives up a service that needs more starts than its unit allows, and rightly: deaths in so many seconds
ALLOWED = {"skepd": (4, 30), "skep-exec": (4, 30), "skep-web": (4, 30), "keeper": (1, 60), "init": (1, 60)}


class Killer:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.killed = collections.Counter()
        self.times = collections.defaultdict(collections.deque)

    def may(self, name, now):
        most, seconds = ALLOWED.get(name, (1000, 1))
        times = self.times[name]
        while times and times[0] < now - seconds:
            times.popleft()
        return len(times) < most

    def kill_one(self):
        name = self.chance.choices(list(VICTIMS), [weight for _, weight, _ in VICTIMS.values()])[0]
        found, _, seconds = VICTIMS[name]
        now = time.monotonic()
        if not self.may(name, now):
            return
        while time.monotonic() < now + seconds:
            pids = found()
            if pids and self.kill(self.chance.choice(pids)):
                self.killed[name] += 1
                self.times[name].append(now)
                return
            time.sleep(0.002)

    @staticmethod
    def kill(pid):
        try:
            fd = os.pidfd_open(pid)
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            os.close(fd)
        except ProcessLookupError:
            return False
        return True


def at_rest():
    """All wanted is so, and nothing is under way."""
    try:
        if ask(OPERATOR, {"cmd": "status"})["status"]["proposals"]["building"]:
            return "something is being built"
        for name in ask(OPERATOR, {"cmd": "list"})["agents"]:
            agent = ask(OPERATOR, {"cmd": "agent", "name": name})["agent"]
            if agent["state"] != agent["desired"]:
                return f"{name} is {agent['state']} and wanted {agent['desired']}"
    except (Lost, KeyError) as why:
        return f"no answer: {why}"
    return None


def git(repo, *words):
    return run("git", "-c", "safe.directory=*", f"--git-dir={repo}/.git", *words).stdout


def missing(book):
    """What was answered with yes and is not so."""
    wrong = []
    tags, now = {}, {}
    for agent in AGENTS:
        form = "--format=%(refname:strip=2) %(objectname) %(*objectname)"
        for line in git(f"{STATE}/applied/{agent}", "for-each-ref", form, "refs/tags").splitlines():
            name, tag, commit = line.split(" ")
            tags[name] = (agent, commit)
            now[agent, name] = tag
    wrong += [f"{name} was {tag} and is {now.get(name)}" for name, tag in book.tags.items() if now.get(name) != tag]
    book.tags = now
    for n, what in book.proposals.items():
        if tags.get(f"proposal/{n}") != what:
            wrong.append(f"proposal {n} was answered as {what} and is {tags.get(f'proposal/{n}')}")
    for n, family in book.verdicts.items():
        if f"{family}/{n}" not in tags:
            wrong.append(f"proposal {n} was answered as {family} and has no such tag")
    wanted = json.loads(git(f"{STATE}/meta", "show", "main:agents.json"))["agents"]
    for what, values in book.values.items():
        entry = wanted.get(what[0], {})
        if what[1] == "here":
            is_now = what[0] in wanted
        elif what[1] == "label":
            is_now = entry.get("labels", {}).get(what[2])
        elif what[1] == "memory":
            is_now = entry.get("limits", {}).get("memory_max")
        else:
            is_now = entry.get("desired")
        if is_now not in values and None not in values:
            wrong.append(f"{what} was answered as {values} and is {is_now}")
        book.values[what] = {is_now}
    return wrong


def untrue():
    """What the containers and the record by git alone are not as they should be."""
    said = ""
    for script in (["/run/tests/truth.py"], ["/run/tests/oracle", STATE]):
        done = run(sys.executable, *script)
        if done.returncode != 0:
            said += done.stdout + done.stderr
    return said


def look(book, seconds):
    """The hive comes to rest by itself, and is what it said. An operation that has not begun to show looks like rest."""
    began = time.monotonic()
    while (why := at_rest() or untrue()):
        if time.monotonic() > began + seconds:
            return [f"after {seconds} s still: {why}"], 0
        time.sleep(1)
    return missing(book), time.monotonic() - began


def say(*words):
    """A remark of TAP."""
    print("#", *words, flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=30)
    options.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    given = options.parse_args()
    say(f"seed {given.seed}")
    load, killer = Load(given.seed), Killer(given.seed)
    failed = []
    threading.excepthook = lambda what: failed.append("".join(traceback.format_exception(what.exc_value)))
    load.start()
    end = time.monotonic() + given.seconds
    while True:
        hold = min(end, time.monotonic() + 60)
        while time.monotonic() < hold and not failed:
            time.sleep(killer.chance.expovariate(1 / 1.5))
            killer.kill_one()
        load.gate.close()
        wrong, took = look(load.book, 420)
        failed += wrong
        kills = ", ".join(f"{name} {n}" for name, n in sorted(killer.killed.items()))
        say(f"{time.strftime('%T')} {killer.killed.total()} killed ({kills}); answers {dict(load.book.answers)}; "
              f"{len(load.book.proposals)} proposals, {len(load.book.verdicts)} verdicts kept; at rest after {took:.1f} s")
        if time.monotonic() >= end or failed:
            break
        load.gate.open()
    # nobody is within: what the manager is asked for has been answered
    load.gate.end()
    os.kill(load.manager.pid, signal.SIGTERM)
    say("\n# ".join("\n".join(failed or ["nothing is missing"]).splitlines()))
    sys.exit(bool(failed))


main()
