#!/usr/bin/env bats
# Commands and terminals inside a container with its own ids, on whatever this machine's PID 1 is.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

load lib/common

setup_file() {
	testhost box "$HOST"
	host_is_up
}

teardown_file() {
	host_down
}

setup() {
	LEADER=$(testhost leader "$HOST")
}

teardown() {
	save_when_failed
}

inside() {
	"$BUILD/helpers/inside" "$LEADER" "$@"
}

units_of_ours() {
	in_host systemctl list-units --all --plain --no-legend 'skep-exec-*'
}

@test "boot state waits for the end of the boot and names failed units" {
	equal 'running []' "$(inside boot)"
	in_host systemd-run -q --unit=broken-one -p Type=oneshot /bin/false || true
	equal 'degraded ["broken-one.service"]' "$(inside boot)"
	in_host systemctl reset-failed
	equal 'running []' "$(inside boot)"
}

@test "exit statuses and signals come back as they are" {
	inside run true
	for wanted in 1 2 126 203 255; do
		run inside run -e "S=$wanted" sh -c 'sleep 0.05; exit $S'
		equal "$wanted" "$status"
	done
	run inside run sh -c 'exit 3'
	equal 3 "$status"
	run inside run sh -c 'kill -9 $$'
	equal 137 "$status"
	run inside run sh -c 'kill -TERM $$'
	equal 143 "$status"
}

@test "standard input, output and error are the caller's" {
	equal 'in:hello' "$(echo hello | inside run sh -c 'read x; echo in:$x')"
	equal 'err' "$(inside run sh -c 'echo out; echo err >&2' 2>&1 > /dev/null)"
	size=$(head -c 3000000 /dev/zero | inside run cat | wc -c)
	equal 3000000 "$size"
}

@test "arguments are passed untouched" {
	equal '<$HOME> <${HOME}> <$$> <%i> <a b> <> <*>' \
		"$(inside run printf '<%s> <%s> <%s> <%s> <%s> <%s> <%s>' '$HOME' '${HOME}' '$$' '%i' 'a b' '' '*')"
}

@test "user, directory and environment" {
	equal '0 /root root' "$(inside run sh -c 'echo $(id -u) $HOME $USER')"
	equal nobody "$(inside run -u nobody id -un)"
	equal '/tmp v w' "$(inside run -c /tmp -e 'A=v w' sh -c 'echo $(pwd) $A')"
}

@test "the client is found by its name" {
	inside run sh -c 'mkdir -p /run/hive/bin && cp /bin/echo /run/hive/bin/skep'
	equal 'list --json' "$(inside run skep list --json)"
}

@test "what is missing is named" {
	run inside run no-such-program
	equal 125 "$status"
	contains "$output" "the container has no program 'no-such-program'"
	run inside run -c /no/such true
	contains "$output" "the container has no directory '/no/such'"
	run inside run -u no-such true
	contains "$output" "the container has no user 'no-such'"
}

@test "a command is a service of the container, in its control group" {
	contains "$(inside run cat /proc/self/cgroup)" /system.slice/skep-exec-
	equal '' "$(units_of_ours)"
}

@test "a byte on the stop descriptor is a signal" {
	coproc RUN { exec 9<&0; inside run sh -c 'trap "echo got; exit 4" USR1; echo up; while :; do sleep 0.05; done'; }
	# bash forgets its own words for it as soon as it has ended
	local pid=$RUN_PID
	read -r line <&"${RUN[0]}"
	equal up "$line"
	printf '\012' >&"${RUN[1]}"
	read -r line <&"${RUN[0]}"
	equal got "$line"
	status=0
	wait "$pid" || status=$?
	equal 4 "$status"
}

@test "the end of the stop descriptor ends the command" {
	run bash -c '"$@" 9< <(sleep 0.3)' - "$BUILD/helpers/inside" "$LEADER" run sleep 100
	equal 143 "$status"
	equal '' "$(units_of_ours)"
}

@test "a command that ignores its end is killed" {
	run bash -c '"$@" 9< <(sleep 0.3)' - "$BUILD/helpers/inside" "$LEADER" run sh -c 'trap "" TERM; while :; do sleep 0.1; done'
	equal 137 "$status"
}

@test "a time limit is kept" {
	run inside run -t 300 sleep 100
	equal 125 "$status"
	contains "$output" "'sleep' ran longer than 0.3 s"
	equal '' "$(units_of_ours)"
}

@test "a terminal is the container's own, with size and job control" {
	status=0
	out=$(echo 'tty; stty size; ps -o stat= -p $$; : > /dev/tty && echo ctty"-"works; exit 5' | inside pty /bin/bash) || status=$?
	equal 5 "$status"
	contains "$out" /dev/pts/
	contains "$out" '33 77'
	contains "$out" Ss
	contains "$out" ctty-works
}

@test "a terminal is not opened through what the container put in its place" {
	in_host mount -t tmpfs none /dev/pts
	in_host ln -s /dev/tty /dev/pts/ptmx
	run inside pty /bin/true
	in_host umount /dev/pts
	equal 125 "$status"
	contains "$output" ptmx
	in_host mount --bind /dev/null /dev/pts/ptmx
	run inside pty /bin/true
	in_host umount /dev/pts/ptmx
	equal 125 "$status"
	contains "$output" 'is not a terminal device'
	inside pty /bin/true < /dev/null
}

@test "a bus that says nothing is given up" {
	in_host sh -c 'systemctl stop dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket'
	in_host systemd-run -q --unit=mute python3 -c "import socket, time; s = socket.socket(socket.AF_UNIX); \
s.bind('/run/dbus/system_bus_socket'); s.listen(5); time.sleep(100)"
	wait_for 5 unix_socket /run/dbus/system_bus_socket 01
	run timeout 30 "$BUILD/helpers/inside" "$LEADER" boot
	in_host systemctl --no-block stop mute
	in_host systemctl --no-block start dbus.socket
	equal 125 "$status"
	contains "$output" 'cannot connect to the system bus of the container: Connection timed out'
}

@test "a container that goes away ends what runs in it" {
	"$BUILD/helpers/inside" "$LEADER" run sleep 100 > /dev/null 2> "$BATS_TEST_TMPDIR/said" &
	wait_for 5 bash -c '[ -n "$("$1" exec "$2" systemctl list-units --plain --no-legend "skep-exec-*")" ]' - \
		"$ROOT/tests/host/lib/testhost" "$HOST"
	kill -KILL "$LEADER"
	status=0
	wait $! || status=$?
	equal 125 "$status"
	contains "$(< "$BATS_TEST_TMPDIR/said")" error:
}
