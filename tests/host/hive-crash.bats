#!/usr/bin/env bats
# The controller dies at a named point of a proposal's way. Whatever was under way ends in one outcome, the record is
# whole, and what should run runs.
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

@test "while a commit is submitted" {
	COMMIT=$(commit alice 'echo submitted >> rootfs/etc/lines' 'submitted')
	before=$(tags alice)
	dies_at imported submit alice "$COMMIT"
	is_true
	equal "$before" "$(tags alice)"
	dies_at proposed submit alice "$COMMIT"
	is_true
	# the answer was lost, not the proposal
	equal "$before proposal/2" "$(tags alice)"
	equal 2 "$(submit alice "$COMMIT")"
	next 'replaces it'
	equal 'proposal/2 superseded/2' "$(tags alice '*/2')"
	is_true
}

@test "while a proposal replaces another" {
	next 'to be replaced'
	old=$N
	COMMIT=$(commit alice 'echo replacing >> rootfs/etc/lines' 'replacing')
	dies_at proposed submit alice "$COMMIT"
	is_true
	equal "proposal/$old superseded/$old" "$(tags alice "*/$old")"
	equal needs-review "$(state_of $((old + 1)))"
}

@test "while it is denied" {
	next 'to be denied'
	dies_at denied skep deny "$N" -m 'no'
	is_true
	equal "denied/$N proposal/$N" "$(tags alice "*/$N")"
	skep deny "$N" -m 'no'
	run -5 approve
}

@test "while it is deployed: every point leads to the same end" {
	for point in approved building built switched probed deployed main-moved; do
		next "$point"
		dies_at $point approve
		wait_for 120 is_state "$N" deployed
		equal "$point: approved/$N building/$N deployed/$N proposal/$N" "$point: $(tags alice "*/$N")"
		is_true
		equal "$point" "$(inside alice tail -n 1 /etc/lines)"
		# the same verdict is still the same answer
		approve
	done
}

@test "while a deploy fails and is rolled back" {
	deployed=$(desired alice deployed)
	for point in rolling-back failing; do
		next_bad "$point"
		dies_at $point approve
		wait_for 120 is_state "$N" failed
		equal "$point: approved/$N building/$N failed/$N proposal/$N" "$point: $(tags alice "*/$N")"
		is_true
		equal "$deployed" "$(desired alice deployed)"
		equal main-moved "$(inside alice tail -n 1 /etc/lines)"
		follow alice
	done
}

@test "while a rollback is on its way" {
	next 'to roll back from'
	approve
	dies_at built skep rollback alice
	N=$(operator '{"cmd":"pending","status":"all","limit":1}' | field approvals.0.id)
	wait_for 120 is_state "$N" deployed
	is_true
	equal main-moved "$(inside alice tail -n 1 /etc/lines)"
	follow alice
}
