#!/usr/bin/env bats
# skep-exec and containers without systemd as PID 1: every verb against real containers.
# shellcheck disable=SC2016,SC2086 # what is quoted is for the shell inside; ids are digits

load lib/common
load lib/exec

setup_file() {
	exec_programs
	exec_up
	system $S1 > /dev/null
	system $S2 > /dev/null
	system $S3 > /dev/null
}

teardown_file() {
	exec_down
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || cat "$HIVE/log" >&2
}

running() {
	[ "$(row "$1" .state)" = running ] || up "$1" > /dev/null
}

nothing_left_of() {
	local dir
	for dir in $(< "$HIVE/groups-$1"); do
		fails test -e "$dir"
	done
	fails test -e "$RUNTIME/exec/$1.json"
	fails grep -rqs "$STATE/roots/$1/" /proc/[0-9]*/cmdline
	fails grep -q "$STATE/roots/$1/\|$RUNTIME/exec/$1" /proc/self/mountinfo
	equal '' "$(find "$STATE/roots/$1" -maxdepth 1 -name '.#*' 2> /dev/null)"
}

@test "hello tells the mode and plainly which limits hold" {
	answer=$(ask hello)
	equal standalone "$(jq -r .mode <<< "$answer")"
	if [ "$(jq -r '.limits | .memory and .cpu and .tasks' <<< "$answer")" = false ]; then
		contains "$(jq -r .limits.reason <<< "$answer")" ' '
	fi
}

@test "every verb refuses bad arguments and names the field" {
	refused "no such verb" rm '{}'
	refused "no such verb" settle '{"agent":"alice","exit":"","clean":true}'
	refused "'extra'" hello '{"extra":1}'
	refused "'agent'" prepare '{"agent":"../x","role":"agent","uid_base":1310720}'
	refused "'role'" prepare '{"agent":"alice","role":"manager","uid_base":1310720}'
	refused "'uid_base'" prepare '{"agent":"alice","role":"agent","uid_base":0}'
	refused "'uid_base'" prepare '{"agent":"alice","role":"agent","uid_base":1310721}'
	refused "'uid_base'" agent-socket '{"agent":"alice","uid_base":1879048192}'
	refused "'agent'" agent-socket '{"agent":"a/b","uid_base":1310720}'
	refused "'owner'" seed '{"agent":"alice","owner":0,"files":[],"url":"/x"}'
	refused "'files'" seed '{"agent":"alice","owner":1310720,"files":{},"url":"/x"}'
	refused "'url'" seed '{"agent":"alice","owner":1310720,"files":[],"url":"a\nb"}'
	refused "'time'" seed '{"agent":"alice","owner":1310720,"files":[],"url":"/x","time":-1}'
	refused "'paused'" pause '{"agent":"alice","paused":"yes"}'
	refused "'owner'" remote '{"agent":"alice","url":"/x"}'
	refused "'owner'" export '{"agent":"alice","owner":1310721}'
	refused "'commit'" build '{"agent":"alice","commit":"HEAD","tree":"'$S1'"}'
	refused "'tree'" build '{"agent":"alice","commit":"'$S1'","tree":"../../etc"}'
	refused "'system'" start "$(spec alice '../../../../etc')"
	refused "'env'" start "$(spec alice $S1 '.env=["A=b\nDefaultEnvironment=C=d"]')"
	refused "'label'" start "$(spec alice $S1 '.label="a\nb"')"
	refused "'limits'" switch "$(spec alice $S1 'del(.limits)')"
	refused "'memory_max_bytes'" switch "$(spec alice $S1 '.limits.memory_max_bytes=1')"
	refused "'bind'" start "$(spec alice $S1 '.bind="/etc"')"
	refused "'timeout_s'" stop '{"agent":"alice","timeout_s":-1}'
	refused "'agent'" stop '{}'
	refused "'agent'" inspect '{"agent":"A"}'
	refused "'argv'" exec '{"agent":"alice","argv":[]}'
	refused "'argv'" exec '{"agent":"alice","argv":"id"}'
	refused "'argv'" exec '{"agent":"alice","argv":[1]}'
	refused "'rows'" shell '{"agent":"alice","term":"xterm","rows":0,"cols":80}'
	refused "'lines'" logs '{"agent":"alice","lines":-1,"follow":false}'
	refused "'signal'" signal '{"target":1,"signal":0}'
	refused "no request" signal '{"target":77,"signal":9}'
	refused "'target'" cancel '{}'
	refused "'limits'" limits '{"agent":"alice","limits":7}'
	refused "'what'" observe '{}'
	refused "'agent'" destroy '{"agent":"."}'
	refused "'agent'" purge '{"agent":""}'
	fails test -e "$RUNTIME/spec/alice.json"
}

@test "prepare makes what a container needs, with the right owners" {
	ask prepare "{\"agent\":\"alice\",\"role\":\"agent\",\"uid_base\":$BASE}"
	equal "755 0" "$(stat -c '%a %u' "$STATE/agents/alice")"
	equal "700 $BASE" "$(stat -c '%a %u' "$STATE/agents/alice/state")"
	equal "700 $BASE" "$(stat -c '%a %u' "$STATE/agents/alice/claude")"
	equal "755 0" "$(stat -c '%a %u' "$RUNTIME/agents/alice")"
	equal "700 0" "$(stat -c '%a %u' "$STATE/roots")"
	ask agent-socket "{\"agent\":\"alice\",\"uid_base\":$BASE}"
	equal "socket 600 $BASE" "$(stat -c '%F %a %u' "$RUNTIME/agents/alice/agent.sock")"
}

@test "start answers when the container is ready, and inspect reads back what runs" {
	answer=$(ask start "$(spec alice $S1)")
	leader=$(jq -r .leader <<< "$answer")
	equal "running $leader $S1" "$(row alice '"\(.state) \(.leader) \(.system)"')"
	equal 'running []' "$(row alice '"\(.boot_state) \(.failed_units)"')"
	equal alice "$(ask inspect | jq -r '.agents[].agent')"
	# The same again is fine; something else is not done behind anybody's back.
	equal "$leader" "$(ask start "$(spec alice $S1)" | jq -r .leader)"
	refused wrong_state start "$(spec alice $S1 '.port=8880')"
	refused wrong_state start "$(spec alice $S2)"
}

@test "services and commands see the hive's environment, word for word" {
	running alice
	env=$(run_in alice env)
	contains "$env" 'HIVE_PORT=8879'
	contains "$env" 'HIVE_LABEL=A "quoted" 50% $label'
	contains "$env" 'HIVE_DASHBOARD_PORT=7700'
	contains "$env" 'GREETING=hi %n \ there'
}

@test "user namespace on, capabilities dropped, no new privileges" {
	running alice
	leader=$(row alice .leader)
	equal "0 $BASE 65536" "$(awk '{print $1, $2, $3}' "/proc/$leader/uid_map")"
	equal "0 $BASE 65536" "$(awk '{print $1, $2, $3}' "/proc/$leader/gid_map")"
	status=$(< "/proc/$leader/status")
	contains "$status" "NoNewPrivs:	1"
	equal 1 "$(awk '/^NSpid/ {print $NF}' <<< "$status")"
	# CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP, SYS_CHROOT, SYS_ADMIN SYS_BOOT
	# SYS_NICE SYS_RESOURCE, SETFCAP: nothing else.
	equal 0000000081e401ff "$(awk '/^CapBnd/ {print $2}' <<< "$status")"
	fails run_in alice sh -c 'mount -t proc p /mnt && echo x > /mnt/sys/kernel/core_pattern'
	fails run_in alice mknod /tmp/sda b 8 0
	fails run_in alice python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'
	fails run_in alice python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 81))'
}

@test "/run/hive can be read and nothing else, the client runs" {
	running alice
	contains "$(run_in alice ls /run/hive)" agent.sock
	ask pause '{"agent":"alice","paused":true}'
	run_in alice test -e /run/hive/paused
	ask pause '{"agent":"alice","paused":false}'
	fails run_in alice test -e /run/hive/paused
	fails run_in alice touch /run/hive/x
	fails run_in alice rm -f /run/hive/agent.sock
	fails run_in alice mount -o remount,bind,rw /run/hive
	fails run_in alice sh -c 'echo x > /run/hive/bin/skep'
	run_in alice /run/hive/bin/skep --help
	fails run_in alice touch /usr/x
	fails run_in alice ls /agents
	fails run_in alice ls /applied
}

@test "no account, key or name of the machine is inside" {
	running alice
	for file in /etc/shadow /etc/passwd; do
		fails cmp -s "$file" "$STATE/roots/alice/$S1$file"
	done
	equal '' "$(find "$STATE/roots/alice/$S1" ! -uid $BASE -uid 0 ! -name 10-skep.conf ! -name ld.so.cache)"
	equal '' "$(find "$STATE/roots/alice/$S1" -perm /6000 -type f)"
	equal h-alice "$(run_in alice hostname)"
}

@test "switch swaps the root, keeps state and the old root, and drops the one before" {
	running alice
	id=$(run_in alice cat /etc/machine-id)
	run_in alice sh -c 'echo kept > /state/note; echo gone > /home/note; echo login > /root/.claude/x'
	equal $BASE "$(stat -c %u "$STATE/agents/alice/state/note")"
	answer=$(up alice $S2)
	equal running "$(row alice .boot_state)"
	[ "$(jq -r .downtime_ms <<< "$answer")" -gt 0 ]
	equal $S2 "$(row alice .system)"
	equal $S2 "$(run_in alice cat /etc/system)"
	equal kept "$(run_in alice cat /state/note)"
	equal login "$(run_in alice cat /root/.claude/x)"
	equal "$id" "$(run_in alice cat /etc/machine-id)"
	fails run_in alice cat /home/note
	test -d "$STATE/roots/alice/$S1"
	up alice $S1 > /dev/null
	equal gone "$(run_in alice cat /home/note)"
	up alice $S2 > /dev/null
	up alice $S3 > /dev/null
	test -d "$STATE/roots/alice/$S2"
	fails test -e "$STATE/roots/alice/$S1"
}

@test "an agent's own /usr is stacked over the machine's, owners as they should be" {
	local root
	root=$(system 5555555555555555555555555555555555555555)
	mkdir -p "$root/usr/local/bin" "$root/usr/share"
	printf '#!/bin/sh\necho from the agent\n' > "$root/usr/local/bin/tool"
	chmod 555 "$root/usr/local/bin/tool"
	up alice 5555555555555555555555555555555555555555 > /dev/null
	equal "from the agent" "$(run_in alice tool)"
	equal "0 0" "$(run_in alice stat -c '%u %g' /usr/local/bin/tool | xargs)"
	equal "0 0" "$(run_in alice stat -c '%u %g' /usr/bin/env | xargs)"
	fails run_in alice touch /usr/local/bin/x
	up alice $S1 > /dev/null
	fails run_in alice tool
}

@test "exec passes arguments, status, signals; cancel and signals reach what runs" {
	running alice
	equal '1:a b|2:$HOME|3:' "$(run_in alice sh -c 'printf "1:%s|2:%s|3:%s" "$1" "$2" "$3"' - 'a b' '$HOME' '')"
	status=0
	run_in alice sh -c 'exit 7' || status=$?
	equal 7 "$status"
	status=0
	run_in alice sh -c 'kill -TERM $$' > /dev/null || status=$?
	equal 143 "$status"
	status=0
	mkfifo "$HIVE/control"
	ask exec '{"agent":"alice","argv":["sh","-c","trap \"echo got it; exit 5\" USR1; echo on; while :; do sleep 0.1; done"]}' \
		9< "$HIVE/control" > "$HIVE/out" &
	job=$!
	exec 8> "$HIVE/control"
	wait_for 10 grep -q '^on' "$HIVE/out"
	echo "signal 10" >&8
	wait $job || status=$?
	exec 8>&-
	equal 5 "$status"
	contains "$(< "$HIVE/out")" "got it"
	status=0
	ask exec '{"agent":"alice","argv":["sleep","infinity"]}' 9< /dev/null > "$HIVE/out" || status=$?
	[ $status -ge 125 ]
	fails run_in alice pgrep -x sleep
	refused "longer than" exec '{"agent":"alice","argv":["sleep","infinity"],"timeout_s":1}'
	fails run_in alice pgrep -x sleep
	rm "$HIVE/control"
}

@test "limits: asked for while it runs, and what holds is told" {
	running alice
	answer=$(ask limits '{"agent":"alice","limits":{"memory_max_bytes":536870912,"cpu_quota_percent":100,"tasks_max":512}}')
	equal "$(ask hello | jq -c '.limits | {memory, cpu, tasks}')" "$(jq -c .limits <<< "$answer")"
	equal 512 "$(jq .limits.tasks_max "$RUNTIME/spec/alice.json")"
	# A start with the new limits is the same specification.
	ask start "$(spec alice "$(row alice .system)" '.limits={memory_max_bytes: 536870912, cpu_quota_percent: 100, tasks_max: 512}')"
}

@test "stop leaves no process, control group or mount, and may be repeated" {
	running alice
	groups_of alice > "$HIVE/groups-alice"
	[ -s "$HIVE/groups-alice" ]
	leader=$(row alice .leader)
	ask stop '{"agent":"alice"}'
	fails test -d "/proc/$leader"
	nothing_left_of alice
	equal stopped "$(row alice .state)"
	ask stop '{"agent":"alice"}'
	refused wrong_state exec '{"agent":"alice","argv":["id"]}'
}

@test "a container that will not halt is killed at the deadline" {
	running alice
	groups_of alice > "$HIVE/groups-alice"
	leader=$(row alice .leader)
	kill -STOP "$leader"
	ask stop '{"agent":"alice","timeout_s":1}'
	fails test -d "/proc/$leader"
	nothing_left_of alice
}

@test "kill -9 of skep-exec: containers run on and its successor adopts them" {
	running alice
	leader=$(row alice .leader)
	since=$(row alice .since_ms)
	kill -KILL "$(< "$HIVE/pid")"
	wait "$(< "$HIVE/pid")" || true
	test -d "/proc/$leader"
	exec_up
	equal "running $leader" "$(row alice '"\(.state) \(.leader)"')"
	[ "$(row alice .since_ms)" -gt "$since" ]
	run_in alice true
	# It is watched by the new one, too.
	listen
	kill -KILL "$(record alice .nspawn.pid)"
	wait_for 20 grep -q '"state": "failed"' "$HIVE/events"
	unlisten
	equal failed "$(row alice .state)"
}

@test "SIGTERM ends skep-exec, not the containers" {
	running alice
	leader=$(row alice .leader)
	exec_stop
	test -d "/proc/$leader"
	exec_up
	equal "running $leader" "$(row alice '"\(.state) \(.leader)"')"
}

@test "kill -9 of nspawn is noticed, reported, and nothing of the container stays" {
	up alice > /dev/null
	groups_of alice > "$HIVE/groups-alice"
	leader=$(row alice .leader)
	listen
	kill -KILL "$(record alice .nspawn.pid)"
	wait_for 20 grep -q '"event": "container"' "$HIVE/events"
	unlisten
	contains "$(< "$HIVE/events")" '"agent": "alice"'
	contains "$(< "$HIVE/events")" '"state": "failed"'
	contains "$(< "$HIVE/events")" 'killed by signal 9'
	fails test -d "/proc/$leader"
	for dir in $(< "$HIVE/groups-alice"); do
		fails test -e "$dir"
	done
	equal "failed was killed by signal 9 (Killed)" "$(row alice '"\(.state) \(.exit)"')"
	up alice > /dev/null
}

@test "a power-off inside is a clean end, a reboot inside comes back" {
	running alice
	listen
	nsenter -t "$(record alice .leader.pid)" -a systemctl --no-block poweroff
	wait_for 20 grep -q '"state": "stopped"' "$HIVE/events"
	unlisten
	equal stopped "$(row alice .state)"
	up alice > /dev/null
	leader=$(row alice .leader)
	listen
	nsenter -t "$leader" -a systemctl --no-block reboot
	wait_for 30 grep -q '"state": "running"' "$HIVE/events"
	unlisten
	equal running "$(row alice .state)"
	[ "$(row alice .leader)" != "$leader" ]
}

@test "a system that does not come up is an error, and nothing of it stays" {
	local root
	running alice
	root=$(system 6666666666666666666666666666666666666666)
	mkdir -p "$root/usr/lib/systemd"
	printf '#!/bin/false\n' > "$root/usr/lib/systemd/systemd"
	chmod 555 "$root/usr/lib/systemd/systemd"
	groups_of alice > "$HIVE/groups-alice"
	refused 'alice' switch "$(spec alice 6666666666666666666666666666666666666666)"
	nothing_left_of alice
	up alice $S1 > /dev/null
	equal $S1 "$(row alice .system)"
}

@test "what cannot be laid over the base is refused while the old system runs on" {
	local root kind n=0
	up alice $S1 > /dev/null
	leader=$(row alice .leader)
	for kind in bin state claude proc lib; do
		rm -rf "$STATE/systems/7777777777777777777777777777777777777777"
		root=$(system 7777777777777777777777777777777777777777)
		case $kind in
		bin) mkdir "$root/bin" && echo evil > "$root/bin/sh" ;;
		state) ln -s /etc "$root/state" ;;
		claude) mkdir "$root/root" && ln -s / "$root/root/.claude" ;;
		proc) echo x > "$root/proc" ;;
		lib) ln -s /tmp "$root/lib" ;;
		esac
		refused "rootfs/" switch "$(spec alice 7777777777777777777777777777777777777777)"
		equal "$leader" "$(row alice .leader)"
		fails test -e "$STATE/roots/alice/7777777777777777777777777777777777777777"
		n=$((n + 1))
	done
	equal 5 $n
	refused "has not been built" switch "$(spec alice 8888888888888888888888888888888888888888)"
	ln -s "$S1" "$STATE/systems/8888888888888888888888888888888888888888"
	refused "cannot open" switch "$(spec alice 8888888888888888888888888888888888888888)"
	rm "$STATE/systems/8888888888888888888888888888888888888888"
}

@test "a root that its container changed is not trusted at the next start" {
	up alice $S1 > /dev/null
	mkdir -p "$HIVE/victim"
	run_in alice sh -c "mv /etc/systemd/system.conf.d /etc/old; ln -s /../../../../..$HIVE/victim /etc/systemd/system.conf.d"
	up alice $S1 > /dev/null
	equal '' "$(ls "$HIVE/victim")"
	contains "$(run_in alice env)" HIVE_PORT=8879
	# One that looks like another system's root is none.
	run_in alice sh -c "mkdir -p /x/roots/alice/$S2"
	equal $S1 "$(row alice .system)"
}

@test "where the machine's /usr cannot show shifted owners it is bound as it is" {
	local root
	ask stop '{"agent":"alice"}'
	exec_stop
	mkdir -p "$HIVE/empty"
	exec_up unshare -m sh -c "mount -t overlay -o lowerdir='$HIVE/empty':/usr none /usr && exec \"\$@\"" -
	up alice $S1 > /dev/null
	contains "$(run_in alice grep ' /usr ' /proc/mounts)" overlay
	equal 65534 "$(run_in alice stat --format=%u /usr/bin/env)"
	# An agent's own is stacked over it all the same.
	root=$(system 4444444444444444444444444444444444444444)
	mkdir -p "$root/usr/local/bin"
	printf '#!/bin/sh\necho from the agent\n' > "$root/usr/local/bin/tool"
	chmod 555 "$root/usr/local/bin/tool"
	up alice 4444444444444444444444444444444444444444 > /dev/null
	equal "from the agent" "$(run_in alice tool)"
	ask stop '{"agent":"alice"}'
	exec_stop
	exec_up
}

@test "a private network has loopback alone" {
	ask stop '{"agent":"alice"}'
	ask start "$(spec alice $S1 '.network="private"')"
	equal lo "$(run_in alice ls /sys/class/net | xargs)"
	run_in alice python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 81)); s.listen(); socket.create_connection(("127.0.0.1", 81))'
	up alice > /dev/null
}

@test "an id range belongs to one agent" {
	running alice
	refused alice start "$(spec bob $S1)"
	fails test -e "$RUNTIME/spec/bob.json"
	fails test -e "$STATE/roots/bob"
}

@test "killed in the middle of a start, the next start is as good as any" {
	local delay job
	for delay in 0.02 0.1 0.3 0.8; do
		ask stop '{"agent":"alice"}'
		rm -rf "$STATE/roots/alice"
		ask start "$(spec alice $S1)" > "$HIVE/out" 2>&1 &
		job=$!
		sleep $delay # where it is then does not matter
		kill -KILL "$(< "$HIVE/pid")"
		wait $job || true
		exec_up
		ask stop '{"agent":"alice"}'
		fails grep -rqs "$STATE/roots/alice/" /proc/[0-9]*/cmdline
		ask start "$(spec alice $S1)"
		equal "running running $S1" "$(row alice '"\(.state) \(.boot_state) \(.system)"')"
	done
	equal '' "$(find "$STATE/roots/alice" -maxdepth 1 -name '.new-*')"
}

@test "standalone: at the end of its connection skep-exec ends, containers stay" {
	running alice
	leader=$(row alice .leader)
	exec_stop
	# shellcheck disable=SC2046 # the options are words
	answer=$("$BUILD/helpers/exec-own" inspect '{}' "$HIVE/bin/skep-exec" --channel-fd 3 $(exec_options))
	contains "$answer" "\"leader\": $leader"
	contains "$answer" "it exited with status 0"
	test -d "/proc/$leader"
	exec_up
	equal "running $leader" "$(row alice '"\(.state) \(.leader)"')"
}

@test "one skep-exec at a time: a successor waits until its predecessor has ended" {
	# shellcheck disable=SC2046 # the options are words
	"$BUILD/helpers/exec-own" hello '{}' "$HIVE/bin/skep-exec" --channel-fd 3 $(exec_options) > "$HIVE/second" &
	second=$!
	wait_for 10 pgrep -P $second -f channel-fd
	equal '' "$(< "$HIVE/second")"
	exec_stop
	wait $second
	contains "$(< "$HIVE/second")" '"mode": "standalone"'
	exec_up
}

@test "only skepd's uid is served, and one of it" {
	status=0
	chmod 666 "$SOCKET"
	"$BUILD/helpers/exec-call" -u 65534 "$SOCKET" hello || status=$?
	equal 125 "$status"
	listen
	wait_for 10 fails ask hello
	unlisten
	wait_for 10 ask hello
}

@test "a new connection does not get what the one before it asked for" {
	running alice
	"$BUILD/helpers/exec-call" -u $SKEP_UID "$SOCKET" switch "$(spec alice $S2)" > /dev/null 3>&- &
	caller=$!
	wait_for 10 pgrep -f "skep-exec verb switch --standalone --state $STATE"
	kill -KILL $caller
	wait $caller || true
	# Both number their requests from 1.
	for _ in 1 2 3 4 5 6 7 8; do
		equal standalone "$(ask hello | jq -r .mode)"
	done
	wait_for 20 fails pgrep -f "skep-exec verb switch --standalone --state $STATE"
	equal "running $S2" "$(row alice '"\(.state) \(.system)"')"
}

@test "destroy takes the container and keeps the agent's own; purge takes all" {
	running alice
	install -d -m 700 -o $MANAGER_BASE -g $MANAGER_BASE "$STATE/proposed/alice"
	groups_of alice > "$HIVE/groups-alice"
	run_in alice sh -c 'mkdir -p /home/d && cd /home/d && for i in $(seq 1500); do mkdir d && cd d || exit 1; done'
	run_in alice sh -c 'echo kept > /state/note'
	ask destroy '{"agent":"alice"}'
	nothing_left_of alice
	fails test -e "$STATE/roots/alice"
	fails test -e "$RUNTIME/agents/alice"
	fails test -e "$RUNTIME/spec/alice.json"
	equal kept "$(< "$STATE/agents/alice/state/note")"
	test -d "$STATE/proposed/alice"
	equal stopped "$(row alice .state)"
	ask start "$(spec alice $S1)"
	equal kept "$(run_in alice cat /state/note)"
	ask purge '{"agent":"alice"}'
	fails test -e "$STATE/agents/alice"
	fails test -e "$STATE/proposed/alice"
	ask purge '{"agent":"alice"}'
}
