# What the tests of a whole hive share: `load lib/common` and `load lib/hive`. The hive is the installed one, its
# manager hm1nd works in its own container, and the operator is root with the command line client.

# hive_up [KEY=JSON...]: a host with skep's sockets enabled and the keys in its configuration
hive_up() {
	skep_host_up
	if [ $# -gt 0 ]; then
		hive_config "$@"
	fi
	in_host systemctl enable --now skepd.socket skepd-read.socket skep-exec.socket
}

# hive_config KEY=JSON...: what skepd is started with from then on
hive_config() {
	python3 -c 'import json, sys; print(json.dumps({k: json.loads(v) for k, _, v in (a.partition("=") for a in sys.argv[1:])}))' \
		"$@" | in_host tee /etc/skep.json
	unit_setting skepd.service config 'ExecStart=' 'ExecStart=/usr/local/libexec/skep/skepd --config /etc/skep.json'
}

# hand_in FILE...: programs of tests/host/lib, to run in the host from /run/tests
hand_in() {
	local file
	in_host mkdir -p /run/tests
	for file in "$@"; do
		in_host tee "/run/tests/${file##*/}" < "$ROOT/tests/host/lib/$file" > /dev/null
	done
}

# unit_setting UNIT NAME LINE...: a drop-in of its [Service]
unit_setting() {
	local unit=$1 name=$2
	shift 2
	in_host mkdir -p "/run/systemd/system/$unit.d"
	printf '%s\n' '[Service]' "$@" | in_host tee "/run/systemd/system/$unit.d/$name.conf"
	in_host systemctl daemon-reload
}

# skep WORDS...: the operator
skep() {
	in_host skep "$@"
}

# inside AGENT COMMAND...: in its container
inside() {
	local agent=$1
	shift
	skep exec "$agent" -- "$@"
}

# member AGENT WORDS...: the client in its container, on its own socket
member() {
	local agent=$1
	shift
	inside "$agent" /run/hive/bin/skep "$@"
}

# field PATH: of a JSON object on standard input, as text; a.b.0.c
field() {
	python3 -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    value = value[int(key)] if isinstance(value, list) else value.get(key) if value is not None else None
print(value if isinstance(value, str) else json.dumps(value))' "$1"
}

# ask SOCKET REQUEST: one request as it is, and its answer
ask() {
	in_host bash -c 'printf "%s\n" "$2" | socat -t 90 - "UNIX-CONNECT:$1"' - "$1" "$2"
}

operator() {
	ask /run/skep/operator.sock "$1"
}

# commit AGENT SCRIPT [TITLE]: the manager changes the agent's repository and commits; prints the commit
commit() {
	# shellcheck disable=SC2016 # for the shell inside
	skep exec --cwd "/agents/$1" --env "SCRIPT=$2" --env "TITLE=${3-a change}" --env HOME=/root \
		--env GIT_AUTHOR_NAME=hm1nd --env GIT_AUTHOR_EMAIL=hm1nd@hive \
		--env GIT_COMMITTER_NAME=hm1nd --env GIT_COMMITTER_EMAIL=hm1nd@hive hm1nd -- \
		bash -ec 'eval "$SCRIPT"; git add -A; git commit -q --allow-empty -m "$TITLE"; git rev-parse HEAD'
}

# follow AGENT: the manager's repository stands at what is deployed
follow() {
	inside hm1nd git -C "/agents/$1" fetch -q applied
	inside hm1nd git -C "/agents/$1" reset -q --hard "applied/deployed/$(desired "$1" deployed)"
}

# submit AGENT COMMIT [OPTION...]: the manager, on its own socket; prints the number
submit() {
	member hm1nd --quiet submit "$@"
}

# propose AGENT SCRIPT [TITLE]: both; leaves COMMIT and prints nothing, N is the number
propose() {
	COMMIT=$(commit "$@")
	N=$(submit "$1" "$COMMIT")
}

# approve: the proposal of the last propose
approve() {
	skep approve "$N" --commit "$COMMIT" "$@"
}

# state_of N
state_of() {
	operator "{\"cmd\":\"proposal\",\"id\":$1}" | field proposal.state
}

is_state() {
	[ "$(state_of "$1")" = "$2" ]
}

# shown AGENT PATH: what `show` knows of it
shown() {
	skep --json show "$1" | field "$2"
}

is_shown() {
	[ "$(shown "$1" "$2")" = "$3" ]
}

# tags AGENT [PATTERN]: of the applied repository, in one line
tags() {
	in_host git -C "/var/lib/skep/applied/$1/.git" -c safe.directory='*' tag -l "${2-*}" | paste -sd' '
}

# applied AGENT GIT-WORDS..., meta GIT-WORDS...: git in skep's own repositories
applied() {
	local agent=$1
	shift
	in_host git -c safe.directory='*' --git-dir="/var/lib/skep/applied/$agent/.git" "$@"
}

meta() {
	in_host git -c safe.directory='*' --git-dir=/var/lib/skep/meta/.git "$@"
}

# desired AGENT PATH: what meta's agents.json says of it
desired() {
	meta show main:agents.json | field "agents.$1.$2"
}

pid_of() {
	in_host systemctl show "$1" -p MainPID --value
}

property() {
	in_host systemctl show "skep-agent@$1.service" -p "$2" --value
}

# background NAME COMMAND...: runs it in the host until the end of the host or `ended NAME`; its output is /tmp/NAME
background() {
	local name=$1
	shift
	in_host systemd-run -q --unit="$name" -p "StandardOutput=file:/tmp/$name" -p "StandardError=file:/tmp/$name" "$@"
}

ended() {
	in_host systemctl stop "$1"
}

# at_rest: nothing is being built or decided by the controller, and what is wanted running runs
at_rest() {
	in_host python3 -c '
import json, subprocess, sys
def skep(*words): return json.loads(subprocess.run(["skep", "--json", *words], capture_output=True, check=True, text=True).stdout)
ok = skep("status")["proposals"]["building"] == 0
for row in skep("list"):
    agent = skep("show", row["name"])
    ok = ok and agent["state"] == agent["desired"]
sys.exit(not ok)'
}

# is_true: once the hive is at rest, all of it fits together
is_true() {
	wait_for 120 at_rest
	in_host python3 -c "$(< "$ROOT/tests/host/lib/truth.py")" || {
		echo 'the hive is not in a true state' >&2
		return 1
	}
}
