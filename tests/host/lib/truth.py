"""truth.py: whether a hive that is at rest is in a true state, from its repositories, its units and what it says itself.

Prints what is not so, a line each, and ends with 1; prints nothing and ends with 0 when all is well."""
import glob
import json
import os
import subprocess
import sys

STATE = "/var/lib/skep"
OUTCOMES = {"deployed", "failed", "denied", "stale", "superseded", "cancelled"}
problems = []


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def git(repo, *words):
    return run("git", "-c", "safe.directory=*", "--git-dir=" + repo, *words)


def wrong(text):
    problems.append(text)


def refs(repo):
    lines = git(repo, "for-each-ref", "--format=%(refname) %(objecttype) %(*objectname) %(objectname)").split("\n")
    return {line.split()[0]: line.split()[-2:] for line in lines if line}


verify = json.loads(run("skep", "--json", "audit", "verify"))
if not verify["valid"]:
    wrong("the record is not whole: %s" % verify["problems"])

meta = STATE + "/meta/.git"
desired = json.loads(git(meta, "show", "main:agents.json"))["agents"]
rows = {row["name"]: row for row in json.loads(run("skep", "--json", "list"))}
if set(desired) != set(rows):
    wrong("agents.json has %s, the hive %s" % (sorted(desired), sorted(rows)))

numbers = {}
for repo in sorted(glob.glob(STATE + "/applied/*/.git")):
    agent = repo.split("/")[-2]
    names = refs(repo)
    states = {}
    for name in names:
        if name.startswith("refs/tags/"):
            family, number = name.split("/")[2:]
            states.setdefault(int(number), set()).add(family)
    for number, families in sorted(states.items()):
        if number == 0:
            continue
        if number in numbers:
            wrong("number %d is of %s and of %s" % (number, numbers[number], agent))
        numbers[number] = agent
        outcomes = families & OUTCOMES
        if "proposal" not in families:
            wrong("%s: number %d was never proposed: %s" % (agent, number, families))
        if len(outcomes) > 1:
            wrong("%s: number %d has two outcomes: %s" % (agent, number, outcomes))
        if families & {"approved", "building"} and not outcomes and agent in desired:
            wrong("%s: number %d is owed: %s" % (agent, number, families))
        if outcomes & {"deployed", "failed"} and "approved" not in families:
            wrong("%s: number %d was built without an approval: %s" % (agent, number, families))
    deployed = max((n for n, f in states.items() if "deployed" in f), default=-1)
    commit = git(repo, "rev-parse", "deployed/%d^{commit}" % deployed).strip() if deployed >= 0 else None
    if commit and git(repo, "rev-parse", "main").strip() != commit:
        wrong("%s: main is not deployed/%d" % (agent, deployed))
    git(repo, "fsck", "--no-dangling", "--no-progress")
    if agent not in desired:
        continue
    entry = desired[agent]
    if (entry["deployed"], entry["revision"]) != (deployed, commit):
        wrong("%s: agents.json says deployed/%s, the tags say %d" % (agent, entry["deployed"], deployed))
    shown = json.loads(run("skep", "--json", "show", agent))
    active = run("systemctl", "show", "skep-agent@%s.service" % agent, "-p", "ActiveState", "--value").strip()
    if (shown["state"] == "running") != (active == "active"):
        wrong("%s is shown as %s, its unit is %s" % (agent, shown["state"], active))
    if (entry["desired"] == "running") != (active == "active"):
        wrong("%s is wanted %s, its unit is %s" % (agent, entry["desired"], active))
    if active == "active" and shown.get("system_running") != git(repo, "rev-parse", commit + "^{tree}").strip():
        wrong("%s runs %s, which is not the tree of deployed/%d" % (agent, shown.get("system_running"), deployed))

for agent in desired:
    if not os.path.isdir("%s/applied/%s/.git" % (STATE, agent)):
        wrong("%s has no record" % agent)
git(meta, "fsck", "--no-dangling", "--no-progress")
for top in ("applied", "meta", "systems"):
    for path, _, files in os.walk("%s/%s" % (STATE, top)):
        if "/.staging" in path + "/":
            wrong("left over: %s" % path)
        for name in files:
            if name.endswith(".lock") or name.startswith(("tmp_", "pack_git2")):
                wrong("left over: %s/%s" % (path, name))

for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
