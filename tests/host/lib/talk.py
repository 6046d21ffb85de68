"""What programs share that talk to the hive of this host, as root: its sockets, its dashboard, its manager's repositories."""
import array
import http.client
import json
import os
import socket
import subprocess
import threading

STATE = "/var/lib/skep"
OPERATOR = "/run/skep/operator.sock"
MANAGER = "/run/skep/agents/hm1nd/agent.sock"
PLACE = "127.0.0.1"


class Lost(Exception):
    """No answer came: nobody knows whether it was done."""


def ask(path, request, seconds=60, fds=()):
    """The last line of the answer."""
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(seconds)
            s.connect(path)
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            s.sendmsg([json.dumps(request).encode() + b"\n"], ancillary)
            return json.loads(s.makefile().readline())
    except (OSError, ValueError) as why:
        raise Lost(str(why)) from why


def run(*words, **how):
    return subprocess.run(words, capture_output=True, text=True, check=False, **how)


def browse(path, cookie=None, seconds=30, method="GET", body=None, headers=()):
    """The reply, of which at most a megabyte is read; of a stream one byte."""
    given = {"Cookie": cookie} if cookie else {}
    try:
        web = http.client.HTTPConnection(PLACE, 7700, timeout=seconds)
        web.request(method, path, body, {**given, **dict(headers)})
        reply = web.getresponse()
        reply.read(1 if path == "/events" else 1 << 20)
        web.close()
    except (OSError, http.client.HTTPException) as why:
        raise Lost(str(why)) from why
    return reply


def log_in():
    """A cookie."""
    code = ask(OPERATOR, {"cmd": "dashboard"})["login"]["url"].split("#")[-1]
    reply = browse("/api/v1/login", method="POST", body=json.dumps({"code": code}),
                   headers={"Origin": f"http://{PLACE}:7700", "Content-Type": "application/json"})
    if reply.status != 200:
        raise Lost(f"login: {reply.status}")
    return reply.headers["Set-Cookie"].split(";")[0]


class Manager:
    """A process with the manager's id on this host, so that its commits and its words are its own."""

    def __init__(self, uid):
        self.lock = threading.Lock()
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            self.serve(theirs.makefile("rw"))
            os._exit(0)
        theirs.close()
        self.file = ours.makefile("rw")

    @staticmethod
    def serve(file):
        os.environ.update({"HOME": "/", "GIT_AUTHOR_NAME": "hm1nd", "GIT_AUTHOR_EMAIL": "hm1nd@hive",
                           "GIT_COMMITTER_NAME": "hm1nd", "GIT_COMMITTER_EMAIL": "hm1nd@hive"})
        for line in file:
            said = {}
            try:
                said = Manager.propose(**json.loads(line))
            except (Lost, subprocess.CalledProcessError, OSError) as why:
                said = {"lost": str(why)}
            file.write(json.dumps(said) + "\n")
            file.flush()

    @staticmethod
    def propose(agent, text, good):
        os.chdir(f"{STATE}/proposed/{agent}")
        with open("rootfs/etc/what", "w", encoding="ascii") as what:
            what.write(text)
        probe = {"kind": "none"} if good else {"kind": "command", "command": ["/bin/false"]}
        with open("agent.json", "w", encoding="ascii") as conf:
            json.dump({"probe": {**probe, "grace": 0, "soak": 0}}, conf)
        for words in (["add", "-A"], ["commit", "-q", "--allow-empty", "-m", text]):
            subprocess.run(["git", *words], check=True, capture_output=True)
        commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
        return {"commit": commit, "answer": ask(MANAGER, {"cmd": "submit", "agent": agent, "commit": commit})}

    def ask(self, **what):
        with self.lock:
            self.file.write(json.dumps(what) + "\n")
            self.file.flush()
            return json.loads(self.file.readline())
