#!/usr/bin/env bats
# The controller dies again while it recovers from its death, and at named points of an agent's life.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/crash

setup_file() {
	crash_hive_up
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

@test "dead once more while it comes back" {
	for pair in approved:building building:built built:switched switched:probed probed:deployed; do
		next "$pair"
		dies_at "${pair%:*}" approve
		# systemd waits before it starts it again
		arm "${pair#*:}"
		wait_for 60 has_crashed
		wait_for 120 is_state "$N" deployed
		is_true
		equal "$pair" "$(inside alice tail -n 1 /etc/lines)"
	done
}

@test "dead while an agent is spawned" {
	for point in first-tag seeded; do
		dies_at $point skep spawn carol
		is_true
		fails contains "$(skep list)" carol
		skep spawn carol
		is_true
		equal deployed/0 "$(tags carol)"
		skep destroy carol --purge --confirm carol
		is_true
	done
	# from here on it is an agent, whatever else happens
	dies_at entered skep spawn carol
	is_true
	equal running "$(shown carol state)"
	run -5 skep spawn carol
}

@test "dead while an agent is destroyed and purged" {
	propose carol 'echo x > rootfs/etc/x' 'undecided'
	dies_at container-gone skep destroy carol
	is_true
	equal running "$(shown carol state)"
	skep destroy carol
	is_true
	skep spawn carol
	dies_at record-kept skep destroy carol --purge --confirm carol
	is_true
	skep spawn carol || contains "$(skep list)" carol
	dies_at entry-gone skep destroy carol --purge --confirm carol
	is_true
	fails contains "$(skep list)" carol
	skep destroy carol --purge --confirm carol
	is_true
	for path in applied proposed agents roots; do
		fails in_host test -e /var/lib/skep/$path/carol
	done
	last=$(operator '{"cmd":"pending","status":"all"}' | python3 -c 'import json, sys; print(max(r["id"] for r in json.load(sys.stdin)["approvals"]))')
	skep spawn carol
	propose carol 'echo y > rootfs/etc/y' 'again'
	[ "$N" -gt "$last" ]
	is_true
}

@test "what a power cut leaves in a repository is cleared away" {
	in_host systemctl stop skepd.socket skepd-read.socket skep-exec.socket skepd.service skep-exec.service
	in_host runuser -u skep -- sh -ec '
		cd /var/lib/skep/applied/alice/.git
		touch refs/heads/main.lock refs/tags/proposal/900.lock packed-refs.lock HEAD.lock objects/pack/pack_git2_abc objects/tmp_object_git2_abc
		touch objects/pack/pack-0000000000000000000000000000000000000000.idx
		cd /var/lib/skep/meta/.git
		touch refs/heads/main.lock'
	in_host mkdir /var/lib/skep/systems/.staging-abcd
	in_host systemctl start skepd.socket skepd-read.socket skep-exec.socket
	next 'after the cut'
	approve
	is_true
	contains "$(operator '{"cmd":"status"}')" '"recovered":8'
}
