#!/usr/bin/env bats
# Processes of a hive that has work are killed at random; what it answered with yes is there afterwards.
# KILLS_SECONDS says how long, KILLS_SEED repeats what was drawn.

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up proposals_per_hour=100000
	hand_in kills.py talk.py truth.py ../../crash/oracle
	in_host systemctl start skepd.service
	in_host systemctl enable --now skep-web.socket
	for agent in hm1nd alice bob carol; do
		skep spawn "$agent"
	done
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

@test "whoever dies, nothing that was answered is lost and everybody comes back" {
	in_host python3 /run/tests/kills.py --seconds "${KILLS_SECONDS:-15}" ${KILLS_SEED:+--seed "$KILLS_SEED"} >&3
}
