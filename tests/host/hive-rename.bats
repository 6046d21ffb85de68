#!/usr/bin/env bats
# An agent gets another name: everything of it follows, and what fails or dies half-way ends in one of the two names,
# whole. Everything installed, nothing played.
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

# is_called NAME OTHER: the agent has this name everywhere, and nothing has the other one
is_called() {
	equal running "$(shown "$1" state)"
	equal 'kept' "$(inside "$1" cat /state/what)"
	fails skep show "$2"
	equal '' "$(in_host find /var/lib/skep/applied /var/lib/skep/proposed /var/lib/skep/agents /var/lib/skep/roots \
		/run/skep/agents /run/skep/spec -maxdepth 1 -name "$2*")"
	fails in_host systemctl is-active -q "skep-agent@$2.service"
	equal "/applied/$1/.git" "$(inside hm1nd git -C "/agents/$1" remote get-url applied)"
	contains "$(member "$1" whoami)" "$1"
	is_true
}

@test "everything of an agent follows its name" {
	inside alice sh -c 'echo kept > /state/what; echo mine > /etc/made-here'
	port=$(shown alice port) base=$(shown alice uid_base)
	skep set alice label.team=red
	COMMIT=$(commit alice 'echo undecided >> rootfs/etc/lines' 'undecided')
	undecided=$(submit alice "$COMMIT")
	run -0 skep rename alice mary
	contains "$output" 'alice is called mary now'
	is_called mary alice
	equal "$port $base red" "$(shown mary port) $(shown mary uid_base) $(shown mary labels.team)"
	equal h-mary "$(shown mary container)"
	equal h-mary "$(inside mary hostname)"
	# the root went along with what the container made of it
	equal mine "$(inside mary cat /etc/made-here)"
	skep approve "$undecided" --commit "$COMMIT"
	equal undecided "$(inside mary tail -n 1 /etc/lines)"
	propose mary 'echo afterwards >> rootfs/etc/lines' 'afterwards'
	approve
	skep rollback mary
	contains "$(skep history mary)" 'rename mary was alice'
	# the old name is free, and the record tells the two apart
	skep spawn alice
	skep destroy alice --purge --confirm alice
	skep rename mary alice
	is_called alice mary
}

@test "a name that cannot be had is refused, and nothing is touched" {
	before=$(pid_of skep-agent@alice.service)
	run -5 skep rename alice hm1nd
	run -2 skep rename alice Mary
	run -2 skep rename hm1nd mary
	run -3 skep rename nobody mary
	run -4 member hm1nd rename alice mary
	equal "$before" "$(pid_of skep-agent@alice.service)"
}

@test "what fails on the way is taken back" {
	# somebody put something where the repository would go
	in_host mkdir /var/lib/skep/proposed/mary
	run -7 skep rename alice mary
	contains "$output" 'runs as before'
	in_host rmdir /var/lib/skep/proposed/mary
	is_called alice mary
	# the container does not come up under the new name
	unit_setting skep-agent@mary.service broken 'ExecStartPre=/bin/false'
	run -7 skep rename alice mary
	contains "$output" 'runs as before'
	in_host rm -rf /run/systemd/system/skep-agent@mary.service.d
	in_host systemctl daemon-reload
	is_called alice mary
	equal failed "$(state_of "$(operator '{"cmd":"pending","status":"all","kind":["rename"]}' | field approvals.-1.id)")"
}

@test "the controller dies on the way: one name, all of it" {
	name=alice other=mary
	for point in approved moved applied-moved renamed recorded; do
		dies_at "$point" skep rename "$name" "$other"
		wait_for 60 is_shown "$other" state running
		is_called "$other" "$name"
		read -r name other <<< "$other $name"
	done
}
