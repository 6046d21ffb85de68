#!/usr/bin/env bats
# skepd as a unit: who may speak to it, and what outlives it.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

load lib/common

setup_file() {
	skep_host_up
	in_host useradd -M -G skep-admin olga
	in_host useradd -M -G skep-read rita
	in_host useradd -M mallory
	in_host systemctl enable skepd.service
	in_host systemctl start skepd.socket skepd-read.socket skep-exec.socket
	ask root operator '{"cmd":"spawn","name":"alice","wait":true}'
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# ask USER SOCKET REQUEST
ask() {
	in_host runuser -u "$1" -- python3 -c "$ASK" "/run/skep/$2.sock" "$3"
}

pid_of() {
	in_host systemctl show "$1" -p MainPID --value
}

# restarted UNIT OLD_PID: it runs again, as another process
restarted() {
	in_host systemctl is-active "$1" && [ "$(pid_of "$1")" != "$2" ] && [ "$(pid_of "$1")" != 0 ]
}

@test "a connection starts it" {
	in_host systemctl is-active skepd.service skep-exec.service
	in_host systemctl is-enabled skepd.service skepd.socket skepd-read.socket skep-exec.socket
	contains "$(ask root operator '{"cmd":"status"}')" '"mode":"systemd"'
}

status_of() {
	in_host grep "^$2:" "/proc/$1/status" | cut -f 2
}

@test "what systemd sees of the services' exposure is little" {
	# ten times the exposure that is allowed
	while read -r unit most; do
		in_host systemd-analyze security --no-pager --threshold="$most" "$unit.service" < /dev/null
		# one of these taken away is seen
		for setting in CapabilityBoundingSet RestrictAddressFamilies RestrictNamespaces SystemCallFilter; do
			mkdir -p "$BATS_TEST_TMPDIR/$setting"
			grep -v "^$setting=" "$STAGE/etc/systemd/system/$unit.service" > "$BATS_TEST_TMPDIR/$setting/$unit.service"
			fails systemd-analyze security --offline=yes --no-pager --threshold="$most" \
				"$BATS_TEST_TMPDIR/$setting/$unit.service" < /dev/null
		done
	done < <(printf '%s\n' 'skepd 8' 'skep-exec 25' 'skep-web 5')
}

@test "the services and the containers gain no privilege, and the services have few calls" {
	for unit in skepd skep-exec skep-web; do
		equal yes "$(in_host systemctl show "$unit.service" -p NoNewPrivileges --value)"
	done
	for unit in skepd skep-exec; do
		equal 1 "$(status_of "$(pid_of "$unit.service")" NoNewPrivs)"
		equal 2 "$(status_of "$(pid_of "$unit.service")" Seccomp)"
	done
	leader=$(ask root operator '{"cmd":"agent","name":"alice"}' | grep -o '"leader":[0-9]*')
	equal 1 "$(status_of "${leader#*:}" NoNewPrivs)"
}

@test "operators operate, readers read, others do neither" {
	contains "$(ask olga operator '{"cmd":"set_paused","name":"alice","paused":true}')" '"ok":true'
	contains "$(ask olga operator '{"cmd":"status"}')" '"paused":1'
	contains "$(ask rita read '{"cmd":"status"}')" '"total":1'
	fails contains "$(ask rita read '{"cmd":"set_paused","name":"alice","paused":false}')" '"ok":true'
	fails ask rita operator '{"cmd":"status"}'
	fails ask olga read '{"cmd":"status"}'
	fails ask mallory operator '{"cmd":"status"}'
	fails ask mallory read '{"cmd":"status"}'
	contains "$(in_host runuser -u mallory -- python3 -c 'import socket
socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect("/run/skep/exec.sock")' 2>&1)" PermissionError
}

@test "agents' sockets live on while it is killed" {
	before=$(pid_of skepd.service)
	socket=$(in_host stat -c %i /run/skep/agents/alice/agent.sock)
	leader=$(ask root operator '{"cmd":"agent","name":"alice"}' | grep -o '"leader":[0-9]*')
	in_host systemctl kill -s KILL skepd.service
	contains "$(in_host systemctl show skepd.service -p NFileDescriptorStore --value)" 1
	wait_for 10 restarted skepd.service "$before"
	equal "$socket" "$(in_host stat -c %i /run/skep/agents/alice/agent.sock)"
	equal "$leader" "$(ask root operator '{"cmd":"agent","name":"alice"}' | grep -o '"leader":[0-9]*')"
	contains "$(in_host nsenter -t "${leader#*:}" -a python3 -c "$ASK" /run/hive/agent.sock '{"cmd":"whoami"}')" '"ok":true'
}

@test "both come back when skep-exec is killed, and the container notices nothing" {
	before=$(pid_of skepd.service)
	container=$(pid_of skep-agent@alice.service)
	in_host systemctl kill -s KILL skep-exec.service
	wait_for 10 restarted skepd.service "$before"
	contains "$(ask root operator '{"cmd":"status"}')" '"running":1'
	equal "$container" "$(pid_of skep-agent@alice.service)"
}

sleeps() {
	in_host skep exec alice -- pgrep -xf "sleep $1"
}

sleeps_no_more() {
	local status=0
	sleeps "$1" || status=$?
	[ $status = 1 ]
}

no_verb_runs() {
	[ -z "$(in_host systemctl list-units --all --plain --no-legend 'skep-verb-*')" ]
}

@test "a command in a container ends with whoever asked for it" {
	equal hello "$(echo hello | in_host skep exec alice -- cat)"
	run in_host skep exec alice -- sh -c 'exit 7'
	equal 7 "$status"
	local n=4710 victim
	for victim in client skepd skep-exec; do
		n=$((n + 1))
		in_host skep exec alice -- sleep "$n" 2> "$BATS_TEST_TMPDIR/said" &
		wait_for 10 sleeps "$n"
		case $victim in
		client) in_host pkill -KILL -xf "skep exec alice -- sleep $n" ;;
		*) in_host systemctl kill -s KILL "$victim.service" ;;
		esac
		status=0
		wait $! || status=$?
		[ "$status" != 0 ]
		wait_for 20 sleeps_no_more "$n"
	done
	# a look at a container is a short unit as well, and may be under way
	wait_for 20 no_verb_runs
}

@test "one that hangs is killed by the watchdog and comes back" {
	in_host mkdir -p /run/systemd/system/skepd.service.d
	in_host sh -c 'printf "[Service]\nWatchdogSec=1\n" > /run/systemd/system/skepd.service.d/short.conf'
	in_host systemctl daemon-reload
	in_host systemctl restart skepd.service
	before=$(pid_of skepd.service)
	in_host kill -STOP "$before"
	wait_for 15 restarted skepd.service "$before"
	contains "$(ask root operator '{"cmd":"status"}')" '"running":1'
}

@test "a container that ends by itself is started again, and the journal explains it" {
	container=$(pid_of skep-agent@alice.service)
	leader=$(ask root operator '{"cmd":"agent","name":"alice"}' | grep -o '"leader":[0-9]*')
	in_host nsenter -t "${leader#*:}" -a systemctl poweroff --no-block
	wait_for 30 restarted skep-agent@alice.service "$container"
	in_host journalctl --update-catalog
	contains "$(in_host journalctl --no-pager -x -u skepd.service)" \
		'Subject: The container of agent alice ended by itself'
}

@test "what is to run is started again at boot, and what is stopped is not" {
	ask root operator '{"cmd":"spawn","name":"bob","wait":true}'
	ask root operator '{"cmd":"stop","name":"bob","wait":true}'
	in_host systemctl stop skepd.socket skepd-read.socket skep-exec.socket skepd.service skep-exec.service \
		skep-agent@alice.service
	in_host rm -rf /run/skep
	in_host systemd-tmpfiles --create /etc/tmpfiles.d/skep.conf
	in_host systemctl start skepd.socket skepd-read.socket skep-exec.socket
	ask root operator '{"cmd":"status"}'
	wait_for 20 in_host systemctl is-active skep-agent@alice.service
	equal inactive "$(in_host systemctl is-active skep-agent@bob.service || true)"
}

@test "uninstalling leaves the hive's data and nothing else" {
	make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$STAGE" uninstall
	equal '' "$(find "$STAGE" ! -type d)"
}
