"""hostile.py WHICH: puts hostile repositories in the place of alice's, one after the other, and has each submitted.

WHICH is "quick", or "hanging" for those that a hive only gets rid of when the time for an import is over. Prints a line for
each whose answer, or what it left in the state directory, is not what it should be; ends with 1 when there was one."""
import json
import os
import shutil
import subprocess
import sys

STATE = "/var/lib/skep"
PLACE = STATE + "/proposed/alice"
SECRET = STATE + "/proposed/secret"  # some lead there relative to their own place
MAKE = "/helpers/corpus-make"


def run(*words):
    return subprocess.run(words, capture_output=True, text=True)


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def snapshot():
    """Every name below the record, and what would change with a file's content."""
    found = {}
    for top in ("applied", "meta"):
        for path, directories, files in os.walk("%s/%s" % (STATE, top)):
            for name in directories:
                found["%s/%s/" % (path, name)] = ()
            for name in files:
                s = os.lstat("%s/%s" % (path, name))
                found["%s/%s" % (path, name)] = (s.st_ino, s.st_mode, s.st_uid, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
    return found


def plant(case, owner):
    shutil.rmtree(PLACE)
    shutil.rmtree(SECRET, ignore_errors=True)
    made = run(MAKE, case["name"], PLACE, SECRET, owner)
    if made.returncode:
        sys.exit("cannot make '%s': %s" % (case["name"], made.stderr))
    return lines(made)[0]


def refused(case, answer, before):
    if answer.returncode == 0:
        return "was taken"
    error = json.loads(answer.stderr)
    if case["says"] not in error["error"] or not error["error"].startswith("commit "):
        return "'%s' does not say '%s'" % (error["error"], case["says"])
    if error["code"] not in (case["code"] or error["code"], ):
        return "is called %s, not %s: %s" % (error["code"], case["code"], error["error"])
    if error["code"] == "internal" and "took too long" not in error["error"]:
        return "is a fault of skep's: %s" % error["error"]
    after = snapshot()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return "changed %s" % changed if changed else None


def taken(case, answer, made):
    if answer.returncode:
        return "was refused: " + answer.stderr
    row = json.loads(answer.stdout)
    if (row["commit_ref"], row["state"]) != (made["commit"], "needs-review"):
        return "is %s, %s" % (row["commit_ref"], row["state"])
    # none of them descends from what was deployed
    wanted = sorted(case["flags"].split() + ["history-rewritten"])
    flags = sorted({flag["name"] if isinstance(flag, dict) else flag for flag in row["flags"]})
    return "has the flags %s, not %s" % (flags, wanted) if flags != wanted else None


def judge(case, owner):
    made = plant(case, owner)
    before = snapshot()
    answer = run("skep", "--json", "submit", "alice", made["commit"])
    wrong = taken(case, answer, made) if case["taken"] else refused(case, answer, before)
    if os.path.lexists(PLACE + "/ran"):
        wrong = "ran a program"
    if wrong:
        print("%s: %s" % (case["name"], wrong), flush=True)
    return not wrong


owner = str(os.stat(PLACE).st_uid)
cases = [case for case in lines(run(MAKE, "list")) if case["hangs"] == (sys.argv[1] == "hanging")]
# what is in the record already is not read again: those that are refused come first, and find it empty
cases.sort(key=lambda case: case["taken"])
good = sum([judge(case, owner) for case in cases])
print("%d of %d" % (good, len(cases)))
sys.exit(0 if good == len(cases) > 0 else 1)
