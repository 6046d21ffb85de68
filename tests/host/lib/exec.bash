# A skep-exec of its own for a test file, standalone, asked over an activated socket: `load lib/exec`.
# shellcheck disable=SC2034 # used by the tests

HIVE=$BATS_FILE_TMPDIR/h
STATE=$HIVE/state
RUNTIME=$HIVE/run
SOCKET=$HIVE/exec.sock
SKEP_UID=64001
BUILD_UID=64002
BASE=1310720
MANAGER_BASE=1376256
S1=1111111111111111111111111111111111111111
S2=2222222222222222222222222222222222222222
S3=3333333333333333333333333333333333333333

exec_options() {
	echo "--standalone --state $STATE --runtime $RUNTIME --skep-uid $SKEP_UID --build-uid $BUILD_UID"
}

# The programs as they are installed together, with a client of the test's own: any static program will do.
exec_programs() {
	mkdir -p "$HIVE/bin"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$HIVE"
	cp "$BUILD"/skep-exec "$BUILD"/skep-export "$BUILD"/skep-build "$BUILD"/skep "$HIVE/bin/"
}

# exec_up [WRAPPER...]: starts it; it lives until exec_down, whatever happens to those who ask
exec_up() {
	rm -f "$SOCKET"
	# shellcheck disable=SC2046 # the options are words
	setsid "$@" systemd-socket-activate --seqpacket -l "$SOCKET" -- "$HIVE/bin/skep-exec" $(exec_options) \
		< /dev/null >> "$HIVE/log" 2>&1 3>&- &
	echo $! > "$HIVE/pid"
	wait_for 10 test -S "$SOCKET"
	chown $SKEP_UID "$SOCKET"
	ask hello > /dev/null
}

# exec_stop: ends it as systemd would; containers stay
exec_stop() {
	local pid
	pid=$(< "$HIVE/pid")
	kill -TERM "$pid"
	wait_for 10 fails kill -0 "$pid"
}

# ask VERB [JSON]: one line per answer; fails when the last says so
ask() {
	"$BUILD/helpers/exec-call" -u $SKEP_UID "$SOCKET" "$@"
}

# listen: once it is served, what comes by itself goes to $HIVE/events, until unlisten; meanwhile nobody else can ask
listen() {
	rm -f "$HIVE/events" # an earlier listener's
	"$BUILD/helpers/exec-call" -u $SKEP_UID "$SOCKET" listen > "$HIVE/events" 3>&- &
	LISTENER=$!
	wait_for 10 test -s "$HIVE/events"
}

unlisten() {
	kill "$LISTENER"
	wait "$LISTENER" 2> /dev/null || true
}

# refused PART VERB [JSON]: it is refused, and the answer says PART
refused() {
	local part=$1 answer
	shift
	if answer=$(ask "$@"); then
		printf 'not refused: %s\n%s\n' "$*" "$answer" >&2
		return 1
	fi
	contains "$answer" '"ok": false'
	contains "$answer" "$part"
}

# spec AGENT SYSTEM [jq filter]: a container specification
spec() {
	local role=agent base=$BASE
	[ "$1" != hm1nd ] || role=manager base=$MANAGER_BASE
	jq -nc --arg agent "$1" --arg system "$2" --arg role $role --argjson base "$base" '{agent: $agent, role: $role,
		uid_base: $base, system: $system, network: "host", port: 8879, label: "A \"quoted\" 50% $label",
		dashboard_port: 7700, env: ["GREETING=hi %n \\ there"], limits: {memory_max_bytes: 1073741824,
		cpu_quota_percent: 200, tasks_max: 1024}} | '"${3:-.}"
}

# system NAME: an empty system, as a build would leave it; prints its rootfs
system() {
	mkdir -p "$STATE/systems/$1/rootfs/etc"
	echo "$1" > "$STATE/systems/$1/rootfs/etc/system"
	echo "$STATE/systems/$1/rootfs"
}

# run_in AGENT COMMAND...: through the container's own systemd; its output, its exit status
run_in() {
	local agent=$1 status=0 output
	shift
	output=$(ask exec "$(jq -nc --arg agent "$agent" '{agent: $agent, argv: $ARGS.positional}' --args -- "$@")" 2>&1) ||
		status=$?
	printf '%s' "${output%'{"id": 1, "ok": true, "exit_status": 0}'}"
	return $status
}

# row AGENT [jq filter]: what inspect says of one
row() {
	ask inspect "{\"agent\":\"$1\"}" | jq -r ".agents[0] | ${2:-.}"
}

# up AGENT [SYSTEM]: it runs, whatever happened before
up() {
	local answer
	answer=$(ask switch "$(spec "$1" "${2:-$S1}")") || { echo "$answer" >&2; return 1; }
	echo "$answer"
}

record() {
	jq -r "$2" "$RUNTIME/exec/$1.json"
}

groups_of() {
	record "$1" '.cgroups[].dir'
}

# Whatever a test left: containers are killed by their records, then everything is removed.
exec_down() {
	local file pid dir
	if [ -e "$HIVE/pid" ]; then
		kill -KILL "$(< "$HIVE/pid")" 2> /dev/null || true
	fi
	for file in "$RUNTIME"/exec/*.json; do
		[ -e "$file" ] || continue
		for pid in $(jq -r '.nspawn.pid, .leader.pid | numbers' "$file"); do
			grep -q "$HIVE\|/lib/systemd/systemd" "/proc/$pid/cmdline" 2> /dev/null && kill -KILL "$pid"
		done
		for dir in $(jq -r '.cgroups[].dir' "$file"); do
			wait_for 10 remove_group "$dir"
		done
	done
	rm -rf --one-file-system "$HIVE"
}

remove_group() {
	[ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2> /dev/null
	[ ! -d "$1" ]
}

# up AGENT [SYSTEM]: it runs, whatever happened before
up() {
	local answer
	answer=$(ask switch "$(spec "$1" "${2:-$S1}")") || { echo "$answer" >&2; return 1; }
	echo "$answer"
}
