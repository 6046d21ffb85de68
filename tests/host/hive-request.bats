#!/usr/bin/env bats
# What is asked of the hive itself: new agents, by the manager from its own container, decided by the operator like any
# other proposal. Everything installed, nothing played.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up proposals_per_hour=1000
	skep spawn hm1nd
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# approve_request N: what it is bound to comes from the proposal itself
approve_request() {
	skep approve "$1" --commit "$(skep --json diff "$1" | field proposal.commit)"
}

@test "the manager asks for an agent from its container, and the operator's verdict makes it" {
	N=$(member hm1nd --quiet request-spawn bob --memory-max 512M --label team=red -m 'to write the weekly summary')
	contains "$(member hm1nd proposals)" 'spawn bob'
	run -0 skep diff "$N"
	contains "$output" 'to write the weekly summary'
	contains "$output" '"bob": {'
	contains "$output" 'driver nspawn'
	port=$(skep --json diff "$N" | field proposal.payload.settings.port)
	contains "$output" "port $port"
	fails skep show bob
	fails member hm1nd approve "$N" --commit "$(skep --json diff "$N" | field proposal.commit)"

	run -0 approve_request "$N"
	contains "$output" "proposal $N is deployed: spawn bob"
	equal running "$(shown bob state)"
	equal "$port" "$(shown bob port)"
	equal hm1nd "$(shown bob parent)"
	equal red "$(shown bob labels.team)"
	equal 'tag tag commit tag' "$(for t in proposal approved building deployed; do meta cat-file -t "$t/$N"; done | paste -sd' ')"
	equal deployed/0 "$(tags bob)"
	contains "$(skep log "$N")" 'done: spawn bob'
	inside hm1nd test -f /agents/bob/agent.json
	is_true
}

@test "a denied, a withdrawn and an overtaken request make nothing" {
	N=$(member hm1nd --quiet request-spawn carol)
	skep deny "$N" -m 'not now'
	contains "$(member hm1nd proposals --state all)" denied
	N=$(member hm1nd --quiet request-spawn carol)
	member hm1nd cancel "$N"
	is_state "$N" cancelled
	fails skep show carol
	N=$(member hm1nd --quiet request-spawn carol)
	skep spawn carol
	is_state "$N" stale
	run -5 skep approve "$N" --commit "$(skep --json diff "$N" | field proposal.commit)"
	run -5 member hm1nd request-spawn carol
	# an agent that is not the manager asks for nobody
	run -4 member bob request-spawn dave
	is_true
}
