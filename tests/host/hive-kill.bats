#!/usr/bin/env bats
# Any process of a hive is killed while it is at work: the controller, its hands, a child of either, a container's
# keeper or its init. The hive comes back, and into a true state.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up proposals_per_hour=1000 import_timeout=60
	skep spawn hm1nd
	skep spawn alice
	propose alice 'sed -i "s/\"soak\": 2/\"soak\": 0/" agent.json' 'first'
	approve
	host_is_up
}

teardown_file() {
	host_down
}

setup() {
	in_host systemctl reset-failed
}

teardown() {
	save_when_failed
}

# kill_unit UNIT: its main process, at once, and waits for the next one
kill_unit() {
	local before
	before=$(pid_of "$1")
	in_host systemctl kill -s KILL --kill-who=main "$1"
	wait_for 60 is_new_process "$1" "$before"
}

is_new_process() {
	local now
	now=$(pid_of "$1")
	[ "$now" != 0 ] && [ "$now" != "$2" ]
}

# kill_first NAME [ARGUMENT]: waits for such a process of the host and kills it
kill_first() {
	wait_for 60 in_host pgrep -f "$1"
	in_host pkill -KILL -f "$1"
}

# is_gone NAME: no such process
is_gone() {
	fails in_host pgrep -f "$1"
}

# confined NAME: such a process has given up what it does not need
confined() {
	local pid
	pid=$(in_host pgrep -f "$1")
	equal $'CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2' \
		"$(in_host grep -E '^(CapPrm|CapEff|NoNewPrivs|Seccomp):' "/proc/$pid/status")"
}

# A commit whose only new file is a FIFO in the manager's repository: its import waits for ever. Prints the commit.
hanging_commit() {
	commit alice 'echo hang-$RANDOM > rootfs/etc/hang; git add -A; git commit -qm hang; blob=$(git rev-parse HEAD:rootfs/etc/hang)
		rm -f ".git/objects/${blob:0:2}/${blob:2}"; mkfifo ".git/objects/${blob:0:2}/${blob:2}"' hanging
}

# A commit of many small files, which takes a while to build.
big() {
	propose alice "mkdir -p rootfs/etc/big; for i in \$(seq 1000); do echo $1 \$i > rootfs/etc/big/\$i; done" "$1"
}

@test "the controller, while it imports" {
	COMMIT=$(hanging_commit)
	background submit skep exec hm1nd -- /run/hive/bin/skep submit alice "$COMMIT"
	wait_for 60 in_host pgrep -f 'skep-export serve'
	wait_for 10 confined 'skep-export serve'
	wait_for 10 confined import-worker
	before=$(tags alice)
	kill_unit skepd.service
	wait_for 90 is_gone 'skep-export serve'
	is_gone import-worker
	is_true
	equal "$before" "$(tags alice)"
	follow alice
	# the way is free again
	propose alice 'echo after > rootfs/etc/after' 'after'
	approve
	is_true
}

@test "a worker and a reader, while they import" {
	for victim in import-worker 'skep-export serve'; do
		COMMIT=$(hanging_commit)
		before=$(tags alice)
		background "submit-${victim:0:4}" skep exec hm1nd -- /run/hive/bin/skep submit alice "$COMMIT"
		# as if it had come to writing
		in_host runuser -u skep -- touch /var/lib/skep/applied/alice/.git/objects/pack/tmp_pack-dead.idx
		kill_first "$victim"
		wait_for 60 in_host sh -c "! systemctl is-active -q submit-${victim:0:4}"
		in_host grep 'was not taken' "/tmp/submit-${victim:0:4}"
		wait_for 90 is_gone 'skep-export serve'
		equal "$before" "$(tags alice)"
		is_true
		follow alice
	done
}

@test "the controller and the builder, while they build" {
	big 'first big one'
	background approve skep approve "$N" --commit "$COMMIT" --ack large-diff
	wait_for 60 in_host pgrep -f 'skep-build overlay'
	kill_unit skepd.service
	wait_for 120 is_state "$N" deployed
	equal "approved/$N building/$N deployed/$N proposal/$N" "$(tags alice "*/$N")"
	is_true
	equal 'first big one 1000' "$(inside alice cat /etc/big/1000)"

	big 'second big one'
	background approve-again skep approve "$N" --commit "$COMMIT" --ack large-diff
	kill_first 'skep-build overlay'
	wait_for 60 in_host sh -c '! systemctl is-active -q approve-again'
	equal 6 "$(in_host systemctl show approve-again -p ExecMainStatus --value)"
	equal "approved/$N building/$N failed/$N proposal/$N" "$(tags alice "*/$N")"
	is_true
	equal 'first big one 1000' "$(inside alice cat /etc/big/1000)"
	follow alice
}

@test "its hands, while a deploy is under way" {
	propose alice 'echo hands > rootfs/etc/what; sed -i "s/\"soak\": 0/\"soak\": 5/" agent.json' 'hands'
	approve --no-wait
	wait_for 60 in_host sh -c "journalctl -q --no-pager -o cat -u skepd | grep -q 'building $N'"
	for _ in 1 2; do
		before=$(pid_of skepd.service)
		kill_unit skep-exec.service
		# who has no hands starts over
		wait_for 60 is_new_process skepd.service "$before"
		skep status
	done
	wait_for 120 is_state "$N" deployed
	is_true
	equal hands "$(inside alice cat /etc/what)"
	propose alice 'sed -i "s/\"soak\": 5/\"soak\": 0/" agent.json' 'quick again'
	approve
}

@test "its hands, while an agent is spawned" {
	background spawn skep spawn carol
	wait_for 60 in_host test -e /var/lib/skep/applied/carol/.git
	kill_unit skep-exec.service
	wait_for 60 in_host sh -c '! systemctl is-active -q spawn'
	is_true
	skep list | grep -q carol || skep spawn carol
	is_true
	equal running "$(shown carol state)"
}

@test "a verb, while it runs" {
	background verb skep exec alice -- sleep 1234
	wait_for 60 inside alice pgrep -fx 'sleep 1234'
	in_host pkill -KILL -f 'skep-exec.* exec' || in_host pkill -KILL -f 'skep-exec.*verb'
	wait_for 60 in_host sh -c '! systemctl is-active -q verb'
	is_true
	inside alice true
}

@test "the client, while its deploy is under way" {
	propose alice 'echo client > rootfs/etc/what' 'client'
	background client skep approve "$N" --commit "$COMMIT"
	wait_for 60 in_host sh -c "journalctl -q --no-pager -o cat -u skepd | grep -q 'building $N'"
	in_host systemctl kill -s KILL client
	wait_for 120 is_state "$N" deployed
	is_true
}

@test "a container's keeper" {
	before=$(shown alice leader)
	kill_unit skep-agent@alice.service
	is_true
	fails equal "$before" "$(shown alice leader)"
	inside alice systemctl is-active agent.service
}

@test "a container's init" {
	before=$(shown alice leader)
	in_host kill -KILL "$before"
	wait_for 90 is_other_leader "$before"
	is_true
	inside alice systemctl is-active agent.service
}

is_other_leader() {
	local leader
	leader=$(shown alice leader)
	[ "$leader" != null ] && [ "$leader" != "$1" ]
}

@test "a container's init, while its deploy is being probed" {
	propose alice 'echo init > rootfs/etc/what; sed -i "s/\"soak\": 0/\"soak\": 6/" agent.json' 'init'
	background probed skep approve "$N" --commit "$COMMIT"
	wait_for 90 in_host grep -q 'came good' "/var/lib/skep/logs/$N.log"
	in_host kill -KILL "$(shown alice leader)"
	wait_for 120 in_host sh -c '! systemctl is-active -q probed'
	# the system may come back in time or not: what counts is that it is told as it was
	case $(state_of "$N") in
	deployed) equal init "$(inside alice cat /etc/what)" ;;
	failed) equal client "$(inside alice cat /etc/what)" ;;
	*) equal 'deployed or failed' "$(state_of "$N")" ;;
	esac
	is_true
}

@test "all of them at once" {
	in_host sh -c 'kill -KILL $(systemctl show -p MainPID --value skepd skep-exec "skep-agent@hm1nd" "skep-agent@alice" "skep-agent@carol" | grep .)'
	wait_for 120 at_rest
	is_true
	inside alice systemctl is-active agent.service
	propose alice 'echo all > rootfs/etc/what' 'all'
	approve
	is_true
}
