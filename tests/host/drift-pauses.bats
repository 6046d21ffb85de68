#!/usr/bin/env bats
# A difference that cannot be put right, on a real host.

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up reconcile_interval=5
	for agent in hm1nd alice bob; do
		skep spawn $agent
	done
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# drift AGENT: "FIELD|WANTED|FOUND" of what differs, a line each
drift() {
	skep --plain drift "$1" | awk -F'\t' '{ print $2 "|" $3 "|" $4 }'
}

# told AGENT PATTERN: one of them is like this
told() {
	drift "$1" | grep -qx "$2"
}

# and it was looked at
nothing_differs() {
	case $(operator '{"cmd":"drift"}') in
	'{"version":1,"ok":true,"drift":[],"looked_at":"'*'"}') ;;
	*) operator '{"cmd":"drift"}' >&2 && false ;;
	esac
}

boots() {
	shown "$1" leader
}

# healed TEXT: how often it was tried, by the journal
healed() {
	in_host journalctl --no-pager -o cat -u skepd.service | grep -cF "'bob' is put right: $1" || true
}

healed_again() {
	[ "$(healed paused)" -gt "$1" ]
}

@test "what cannot be put right is told, tried less and less often, and nothing else is done for it" {
	local alice bob before
	wait_for 20 nothing_differs
	alice=$(boots alice) bob=$(boots bob) before=$(healed paused)
	in_host mkdir -p /run/skep/agents/bob/paused/full
	wait_for 20 healed_again "$before"
	sleep 20
	# after 2, 4 and 8 seconds at the soonest
	[ "$(healed paused)" -le $((before + 4)) ]
	told bob 'paused|no marker|a marker'
	contains "$(in_host journalctl --no-pager -o cat -u skepd.service)" paused
	equal "$alice $bob" "$(boots alice) $(boots bob)"
	equal running "$(shown bob state)"
	in_host rm -r /run/skep/agents/bob/paused
	wait_for 20 nothing_differs
}
