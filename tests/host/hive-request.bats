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

@test "a fork has what the other deployed and keeps, under ids of its own, and goes its own way" {
	skep spawn gina --memory-max 256M
	inside gina sh -c 'echo remembered > /state/notes.md; chown 1000:1000 /state/notes.md; echo key > /root/.claude/key; chmod 600 /root/.claude/key
		mkfifo /state/fifo; ln -s /etc/shadow /state/link; truncate -s 1G /state/hole'
	propose gina 'sed -i "s/\"soak\": 2/\"soak\": 0/" agent.json; mkdir -p rootfs/etc/hive; echo one > rootfs/etc/hive/what' 'first'
	approve
	first=$N
	propose gina 'echo two > rootfs/etc/hive/what' 'second'
	approve

	# the manager may ask for it, too
	N=$(member hm1nd --quiet fork gina hugo "$first" -m 'a second opinion')
	contains "$(skep diff "$N")" "fork gina deployed/$first as hugo"
	fails skep show hugo
	run -0 approve_request "$N"
	equal running "$(shown hugo state)"
	equal one "$(inside hugo cat /etc/hive/what)"
	equal "$(applied gina rev-parse "deployed/$first^{commit}")" "$(shown hugo commit)"
	equal 256M "$(shown hugo limits.memory_max)"
	fails test "$(shown gina port)" = "$(shown hugo port)"
	equal 'remembered 1000:1000' "$(inside hugo sh -c 'echo $(cat /state/notes.md) $(stat -c %u:%g /state/notes.md)')"
	equal 'key 600 0' "$(inside hugo sh -c 'echo $(cat /root/.claude/key) $(stat -c "%a %u" /root/.claude/key)')"
	equal '/etc/shadow' "$(inside hugo readlink /state/link)"
	fails inside hugo test -e /state/fifo
	equal 1073741824 "$(inside hugo stat -c %s /state/hole)"
	equal '' "$(in_host find /var/lib/skep/agents/hugo/state ! -uid "$(shown hugo uid_base)" ! -uid "$(($(shown hugo uid_base) + 1000))")"
	contains "$(skep log "$N")" "copied what 'gina' keeps"

	# the manager's repository of it is whole, and both go on apart
	equal '' "$(inside hm1nd git -C /agents/hugo status --porcelain)"
	inside hugo sh -c 'echo mine > /state/notes.md'
	equal remembered "$(inside gina cat /state/notes.md)"
	propose hugo 'echo three > rootfs/etc/hive/what' 'third'
	approve
	equal three "$(inside hugo cat /etc/hive/what)"
	equal two "$(inside gina cat /etc/hive/what)"
	skep destroy gina --purge --confirm gina
	skep rollback hugo
	equal one "$(inside hugo cat /etc/hive/what)"
	is_true
}

@test "a fork that cannot be made leaves no agent and says why" {
	skep spawn ivan
	skep spawn judy
	run -3 skep fork nobody frank
	run -3 skep fork ivan frank 999
	run -5 skep fork ivan judy
	run -2 skep fork hm1nd frank
	N=$(skep --quiet fork ivan frank)
	skep destroy ivan
	is_state "$N" stale
	fails skep show frank
	is_true
}
