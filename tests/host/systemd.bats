#!/usr/bin/env bats
# skep-exec as a unit of a real systemd: containers as units, their limits, and verbs that leave its sandbox. Nothing
# but skep-exec is asked here; who asks is played by a helper with skepd's uid.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

load lib/common

BASE=1310720
UNIT=skep-agent@alice.service

setup_file() {
	skep_host_up
	in_host systemctl start skep-exec.socket
	make_system alice > "$BATS_FILE_TMPDIR/system"
	call prepare "{\"agent\":\"alice\",\"role\":\"agent\",\"uid_base\":$BASE}"
	start alice
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# call VERB [ARGUMENTS]: what skep-exec answers, and how it ends
call() {
	local uid
	uid=$(in_host id -u skep)
	in_host /helpers/exec-call -u "$uid" /run/skep/exec.sock "$@"
}

# field NAME: the value of a field of the last answer on standard input
field() {
	tail -n 1 | python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1]))' "$1"
}

property() {
	in_host systemctl show "$UNIT" -p "$1" --value
}

spec() {
	printf '{"agent":"%s","role":"agent","uid_base":%d,"system":"%s","network":"private","port":8879,"label":"%s",
		"dashboard_port":7700,"env":[],"limits":{"memory_max_bytes":%d,"cpu_quota_percent":50,"tasks_max":100}}' \
		"$1" $BASE "$(< "$BATS_FILE_TMPDIR/system")" "$1" "${2:-268435456}"
}

start() {
	call start "$(spec "$@")"
}

# exec_in WORDS...: runs them in alice
exec_in() {
	call exec "$(python3 -c 'import json, sys; print(json.dumps({"agent": "alice", "argv": sys.argv[1:]}))' "$@")"
}

# A repository with one commit of an agent whose service answers on a port, built; prints the system.
make_system() {
	in_host bash -e <<-'SETUP' >&2
	git=/var/lib/skep/applied/alice/.git
	setpriv --reuid=skep --regid=skep --init-groups git init -q --bare "$git"
	work=$(mktemp -d)
	mkdir -p "$work/rootfs/etc/systemd/system/multi-user.target.wants"
	cat > "$work/rootfs/etc/systemd/system/answer.service" <<-'UNIT'
	[Service]
	ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 8879
	UNIT
	ln -s ../answer.service "$work/rootfs/etc/systemd/system/multi-user.target.wants/"
	echo '{}' > "$work/agent.json"
	chmod -R go+rX "$work"
	chmod 0755 "$work"
	cd "$work"
	export GIT_DIR="$git" GIT_INDEX_FILE=/tmp/index-alice
	setpriv --reuid=skep --regid=skep --init-groups git --work-tree=. add .
	tree=$(setpriv --reuid=skep --regid=skep --init-groups git write-tree)
	commit=$(GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t \
		setpriv --reuid=skep --regid=skep --init-groups git commit-tree -m first "$tree")
	echo "$tree" > /tmp/tree
	echo "$commit" > /tmp/commit
	SETUP
	call build "{\"agent\":\"alice\",\"commit\":\"$(in_host cat /tmp/commit)\",\"tree\":\"$(in_host cat /tmp/tree)\"}" |
		field system
}

@test "the units are right and hardened" {
	in_host systemd-analyze verify --man=no skepd.service skep-exec.service skep-web.service skepd.socket skepd-read.socket \
		skepd-web.socket skep-exec.socket skep-web.socket skep-agent@alice.service
	in_host systemd-analyze security --no-pager --threshold=8 skepd.service
	in_host systemd-analyze security --no-pager --threshold=25 skep-exec.service
	in_host systemd-analyze security --no-pager --threshold=5 skep-web.service
}

@test "it says that limits are enforced" {
	answer=$(call hello)
	equal systemd "$(field mode <<< "$answer")"
	equal "{'memory': True, 'cpu': True, 'tasks': True}" "$(field limits <<< "$answer")"
}

@test "a container is a unit with its limits" {
	equal active "$(property ActiveState)"
	equal 268435456 "$(property MemoryMax)"
	equal 500ms "$(property CPUQuotaPerSecUSec)"
	equal 100 "$(property TasksMax)"
	equal /machine.slice/skep-agent@alice.service "$(property ControlGroup)"
	contains "$(property DropInPaths)" /run/systemd/system/skep-agent@alice.service.d/50-limits.conf
	answer=$(call inspect '{"agent":"alice"}')
	contains "$answer" '"state": "running"'
	contains "$answer" "\"system\": \"$(< "$BATS_FILE_TMPDIR/system")\""
}

@test "starting what runs is fine and restarts nothing" {
	before=$(property MainPID)
	start alice
	equal "$before" "$(property MainPID)"
}

@test "exec passes descriptors, exit statuses and signals" {
	equal hello "$(exec_in cat <<< hello | head -n 1)"
	run exec_in sh -c 'echo out; exit 7'
	equal 7 "$status"
	contains "$output" out
	run exec_in sh -c 'kill -9 $$'
	equal 137 "$status"
	run exec_in no-such-program
	equal 125 "$status"
	contains "$output" "no program 'no-such-program'"
	equal '' "$(in_host systemctl list-units --all --plain --no-legend 'skep-verb-*')"
}

@test "exec is told to end and passes signals on" {
	run bash -c '"$@" 9< <(sleep 0.5)' - "$ROOT/tests/host/lib/testhost" exec "$HOST" /helpers/exec-call -u \
		"$(in_host id -u skep)" /run/skep/exec.sock exec '{"agent":"alice","argv":["sleep","100"]}'
	equal 143 "$status"
	run bash -c '"$@" 9< <(sleep 0.5; echo signal 2; sleep 5)' - "$ROOT/tests/host/lib/testhost" exec "$HOST" \
		/helpers/exec-call -u "$(in_host id -u skep)" /run/skep/exec.sock exec '{"agent":"alice","argv":["sleep","100"]}'
	equal 130 "$status"
}

@test "a shell is a terminal of the container" {
	run call shell '{"agent":"alice","term":"vt100","rows":20,"cols":70}' <<< 'stty size; tty; echo $TERM-$HOME; exit 3'
	equal 3 "$status"
	contains "$output" '20 70'
	contains "$output" /dev/pts/
	contains "$output" vt100-/root
}

@test "logs come from the container's own journal" {
	exec_in logger -t probe a-line-of-ours
	wait_for 5 bash -c 'case $("$@") in *a-line-of-ours*) ;; *) false ;; esac' - "$ROOT/tests/host/lib/testhost" exec "$HOST" \
		/helpers/exec-call -u "$(in_host id -u skep)" /run/skep/exec.sock logs '{"agent":"alice","lines":100,"follow":false}'
	fails grep -E 'Start(ing|ed) skep-exec-|status=7' <<< "$(call logs '{"agent":"alice","lines":1000,"follow":false}')"
	fails grep skep-verb-.*service <<< "$(in_host journalctl --no-pager)"
}

@test "it sees ports, connections and use" {
	wait_for 5 bash -c 'case $("$@") in *\"open\":\ true*) ;; *) false ;; esac' - "$ROOT/tests/host/lib/testhost" exec "$HOST" \
		/helpers/exec-call -u "$(in_host id -u skep)" /run/skep/exec.sock observe '{"what":"tcp","agent":"alice","port":8879}'
	equal False "$(call observe '{"what":"tcp","agent":"alice","port":8880}' | field open)"
	equal None "$(call observe '{"what":"port","port":8879}' | field listener)"
	in_host systemd-run -q --unit=foreign python3 -m http.server --bind 127.0.0.1 8879
	wait_for 5 in_host python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8879))'
	contains "$(call observe '{"what":"port","port":8879}' | field listener)" "'name': 'python3'"
	in_host systemctl stop foreign
	usage=$(call observe '{"what":"usage","agent":"alice"}')
	[ "$(field memory_bytes <<< "$usage")" -gt 1000000 ]
	[ "$(field tasks <<< "$usage")" -gt 3 ]
	equal "$(property MemoryMax)" "$(field memory_max_bytes <<< "$usage")"
	equal "$(property TasksMax)" "$(field tasks_max <<< "$usage")"
	contains "$(call observe '{"what":"usage"}')" '"agent": "alice"'
	contains "$(call observe '{"what":"host"}')" '"name": "idmapped-usr", "ok": true'
}

@test "memory and tasks are limited, and the container outlives it" {
	run exec_in python3 -c 'bytearray(400 << 20)'
	equal 137 "$status"
	equal active "$(property ActiveState)"
	run exec_in bash -c 'for i in {1..150}; do sleep 1 & done; wait'
	contains "$output" 'Resource temporarily unavailable'
	equal 50000 "$(in_host cat "/sys/fs/cgroup/cpu$(property ControlGroup)/cpu.cfs_quota_us")"
}

# What the command that is busy in the container has used of the processors, in ticks.
used() {
	in_host sh -c 'set -- $(sed "s/.*) //" "/proc/$(pgrep -f ^busy-in-alice)/stat") && echo $((${12} + ${13}))'
}

uses_more_than() {
	[ "$(used)" -gt "$1" ]
}

@test "a frozen container stands still until it is thawed" {
	exec_in systemd-run --quiet --unit=busy bash -c 'exec -a busy-in-alice bash -c "while :; do :; done"'
	wait_for 10 used
	equal True "$(call freeze '{"agent":"alice","frozen":true}' | field frozen)"
	contains "$(call inspect '{"agent":"alice"}')" '"frozen": true'
	before=$(used)
	sleep 0.5
	equal "$before" "$(used)"
	equal False "$(call freeze '{"agent":"alice","frozen":false}' | field frozen)"
	wait_for 10 uses_more_than "$before"
	exec_in systemctl stop busy
}

@test "limits change while it runs, and the change outlives a restart" {
	before=$(property MainPID)
	answer=$(call limits '{"agent":"alice","limits":{"memory_max_bytes":134217728,"cpu_quota_percent":80,"tasks_max":90}}')
	equal "{'memory': True, 'cpu': True, 'tasks': True}" "$(field limits <<< "$answer")"
	equal "$before" "$(property MainPID)"
	equal 134217728 "$(property MemoryMax)"
	equal 800ms "$(property CPUQuotaPerSecUSec)"
	equal 134217728 "$(in_host cat "/sys/fs/cgroup/memory$(property ControlGroup)/memory.limit_in_bytes")"
	equal 90 "$(in_host cat "/sys/fs/cgroup/pids$(property ControlGroup)/pids.max")"
	in_host systemctl daemon-reload
	equal 134217728 "$(property MemoryMax)"
	call stop '{"agent":"alice","timeout_s":20}'
	equal inactive "$(property ActiveState)"
	start alice 201326592
	equal 201326592 "$(property MemoryMax)"
	equal 500ms "$(property CPUQuotaPerSecUSec)"
}

@test "a killed nspawn is news, and is started again" {
	before=$(property MainPID)
	call watch 1 > "$BATS_TEST_TMPDIR/news" &
	wait_for 5 unix_socket /run/skep/exec.sock 03
	in_host kill -KILL "$before"
	wait $!
	contains "$(< "$BATS_TEST_TMPDIR/news")" '"event": "container"'
	contains "$(< "$BATS_TEST_TMPDIR/news")" '"agent": "alice"'
	wait_for 10 bash -c '[ "$("$1" exec "$2" systemctl show "$3" -p ActiveState --value)" = active ] &&
		[ "$("$1" exec "$2" systemctl show "$3" -p MainPID --value)" != "$4" ]' - \
		"$ROOT/tests/host/lib/testhost" "$HOST" "$UNIT" "$before"
	exec_in true
}

@test "containers run on while skep-exec is killed and comes back" {
	before=$(property MainPID)
	in_host systemctl kill -s KILL skep-exec.service
	wait_for 10 in_host systemctl is-active skep-exec.service
	equal "$before" "$(property MainPID)"
	exec_in true
}

# reloads: how often systemd has read all its units
reloads() {
	in_host journalctl --no-pager -o cat _PID=1 | grep -c '^Reload'
}

@test "other limits come with a start, and no other unit is read again for them" {
	call stop '{"agent":"alice"}'
	before=$(reloads)
	start alice 301989888
	equal 301989888 "$(property MemoryMax)"
	equal "$before" "$(reloads)"
	# One that another unit names is not read again by itself.
	call stop '{"agent":"alice"}'
	in_host systemd-run -q --unit=holder -p After="$UNIT" sleep 600
	start alice 335544320
	equal 335544320 "$(property MemoryMax)"
	[ "$(reloads)" -gt "$before" ]
	in_host systemctl stop holder
}

@test "what is destroyed leaves no unit and no file behind" {
	call destroy '{"agent":"alice"}'
	equal inactive "$(property ActiveState)"
	fails in_host test -e /run/systemd/system/skep-agent@alice.service.d
	fails in_host test -e /run/systemd/system.control/skep-agent@alice.service.d
	fails in_host test -e /run/skep/agents/alice
	equal '' "$(in_host bash -c 'ls /var/lib/skep/roots')"
	call destroy '{"agent":"alice"}'
}
