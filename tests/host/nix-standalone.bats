#!/usr/bin/env bats
# Agents that Nix builds, under a hive without units: `skepd --standalone` starts the rest itself.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/nix

setup_file() {
	skep_host_up --bind-ro="$ROOT/tests/nix:/opt/nix-tests"
	nix_up
	in_host mkdir -p /nix/var/nix/gcroots
	standalone
	skep spawn hm1nd
	skep spawn alice --builder nix
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# standalone [UNIT]: as somebody starts it by hand, from root's shell
standalone() {
	python3 -c 'import json, sys; print(json.dumps({k: json.loads(v) for k, _, v in (a.partition("=") for a in sys.argv[1:])}))' \
		"${NIX_CONFIG_KEYS[@]}" 'proposals_per_hour=1000' 'dashboard=false' | in_host tee /etc/skep.json
	in_host systemd-run -q --unit="${1-hive}" -p KillMode=process -p Delegate=yes /usr/local/libexec/skep/skepd --standalone --config /etc/skep.json
	wait_for 30 skep list
}

@test "a spawn is built and runs" {
	equal standalone "$(skep --json status | field mode)"
	equal running "$(shown alice state)"
	equal "$(shown alice system)" "$(shown alice system_running)"
	contains "$(shown alice system)" /nix/store/
	nix_keeps_lock
}

@test "an approved commit is built and runs, and a rollback builds nothing" {
	propose_nix alice '{ environment.etc.what.text = "one"; }'
	approve
	equal one "$(inside alice cat /etc/what)"
	in_host test -n "$(roots alice | grep -F "$(shown alice system)")"
	without_nix skep rollback alice 0
	fails inside alice test -e /etc/what
}

@test "what fails to evaluate changes nothing" {
	follow alice
	leader=$(shown alice leader)
	propose_nix alice '{ environment.etc.what.text = throw "no such thing"; }'
	run -6 approve
	contains "$output" 'no such thing'
	equal "$leader" "$(shown alice leader)"
}

@test "it goes on after it was killed" {
	leader=$(shown alice leader)
	in_host systemctl kill -s KILL --kill-whom=main hive
	wait_for 30 fails skep list
	standalone hive-again
	equal "$leader" "$(shown alice leader)"
	propose_nix alice '{ environment.etc.what.text = "two"; }'
	approve
	equal two "$(inside alice cat /etc/what)"
}
