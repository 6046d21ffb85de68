#!/usr/bin/env bats
# The lock that skep writes is the one Nix keeps: after every step of a random walk, and with 1, 10 and 100 agents.

bats_require_minimum_version 1.5.0
load lib/common

setup_file() {
	testhost up "$HOST" --bind-ro="$ROOT/tests/nix:/opt/nix-tests" --bind-ro="$ROOT/templates:/opt/templates" \
		--bind-ro="$BUILD/helpers:/helpers"
	in_host mkdir -p /etc/nix
	printf '%s\n' 'sandbox = false' 'build-users-group =' 'substituters =' 'experimental-features = nix-command flakes' |
		in_host tee /etc/nix/nix.conf
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

@test "Nix changes nothing in what skep writes, and warns of nothing" {
	run in_host /opt/nix-tests/lock-walk /helpers/nix-lock /opt/templates/nix/meta/flake.nix
	echo "$output"
	equal 0 "$status"
	[[ $output == *'all as Nix keeps it' ]]
}
