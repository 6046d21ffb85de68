#!/usr/bin/env bats
# A whole hive whose agents are containers of nixos-container, built by Nix: from a commit to another system by reload,
# and back again when the build, the activation or the probe fails.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/nixos

UNIT=container@h-alice.service

setup_file() {
	nix_host_up
	in_host mkdir -p /nix/var/nix/gcroots
	in_host systemd-run -q --unit=nix-daemon nix-daemon
	wait_for 30 in_host test -S /nix/var/nix/daemon-socket/socket
	hive_config 'nixpkgs="git+file:///srv/nixpkgs?ref=refs/heads/main"' 'base="git+file:///srv/base?ref=refs/heads/main"' \
		proposals_per_hour=1000
	in_host systemctl enable --now skepd.socket skepd-read.socket skep-exec.socket
	skep spawn hm1nd
	skep spawn alice --driver nixos-container --builder nix
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# module TEXT [MORE]: proposes an agent.nix with a service that says TEXT
module() {
	propose alice "cat > agent.nix <<'NIX'
$(service "$@")
NIX" "say $1"
}

main_pid() {
	in_host systemctl show $UNIT -p MainPID --value
}

conf_system() {
	in_host sed -n 's/^SYSTEM_PATH=//p' /etc/nixos-containers/h-alice.conf
}

runs_as_other_than() {
	[ "$(in_host systemctl is-active $UNIT)" = active ] && [ "$(main_pid)" != "$1" ]
}

# whole: container, profile, conf and record agree
whole() {
	local system
	system=$(shown alice system_running)
	equal "$system" "$(conf_system)"
	equal "$system" "$(in_host readlink -f /nix/var/nix/profiles/per-container/h-alice/system)"
	contains "$(applied alice cat-file tag "deployed/$(desired alice deployed)")" "Skep-System: $system"
}

@test "a spawn makes a container, from a system that Nix built" {
	equal nixos-container "$(shown alice driver)"
	equal running "$(shown alice state)"
	in_host systemctl is-active $UNIT
	equal '"nixos-container"' "$(meta show main:agents.json | jq .agents.alice.driver)"
	whole
}

@test "an approved commit comes by reload" {
	before=$(main_pid)
	module one
	approve
	equal "$before" "$(main_pid)"
	equal one "$(inside alice cat /run/says)"
	whole
}

@test "a failing build touches nothing" {
	before=$(main_pid)
	module two 'stub.failBuild = true;'
	run -6 approve
	contains "$(applied alice cat-file tag "failed/$N")" 'told to fail'
	equal "$before" "$(main_pid)"
	equal one "$(inside alice cat /run/says)"
	whole
	follow alice
}

@test "a failing activation is put back, and the record says why" {
	before=$(main_pid)
	module three 'stub.failActivation = true;'
	run -7 approve
	contains "$(applied alice cat-file tag "failed/$N")" 'this activation was told to fail'
	equal "$before" "$(main_pid)"
	equal one "$(inside alice cat /run/says)"
	whole
	follow alice
}

@test "all that a failing activation said is in the log and in the record" {
	module three 'system.activationScripts.loud = "seq 1001 1400; exit 1";'
	run -7 approve
	contains "$output" 1400
	for n in 1001 1200 1400; do
		grep -qx $n <<< "$(skep log "$N")"
		grep -qx $n <<< "$(applied alice cat-file tag "failed/$N")"
	done
	equal one "$(inside alice cat /run/says)"
	whole
	follow alice
}

@test "a failing probe is put back" {
	module four 'systemd.services.bad = { wantedBy = [ "multi-user.target" ]; script = "exit 1"; };'
	run -7 approve
	contains "$output" 'probe failed'
	equal one "$(inside alice cat /run/says)"
	fails inside alice systemctl is-active bad
	whole
	follow alice
}

@test "a change of the network is a restart" {
	before=$(main_pid)
	skep set alice network=private
	wait_for 40 runs_as_other_than "$before"
	wait_for 20 at_rest
	equal one "$(inside alice cat /run/says)"
	contains "$(in_host cat /etc/nixos-containers/h-alice.conf)" PRIVATE_NETWORK=1
	whole
}

@test "a rollback goes back to what was deployed before" {
	module five
	approve
	equal five "$(inside alice cat /run/says)"
	skep rollback alice
	equal one "$(inside alice cat /run/says)"
	whole
}

@test "what is stopped starts with what was deployed last" {
	skep stop alice
	fails in_host systemctl is-active $UNIT
	skep start alice
	wait_for 10 inside alice test -e /run/says
	equal one "$(inside alice cat /run/says)"
	whole
}

@test "after the machine was restarted it runs again, with its limits" {
	skep set alice memory_max=384M
	in_host systemctl stop skepd.socket skepd-read.socket skep-exec.socket skepd.service skep-exec.service $UNIT
	in_host rm -rf /run/skep /run/systemd/system/$UNIT.d /run/systemd/system.control
	in_host systemctl daemon-reload
	in_host systemd-tmpfiles --create /etc/tmpfiles.d/skep.conf
	in_host systemctl start skepd.socket skepd-read.socket skep-exec.socket
	wait_for 60 at_rest
	equal one "$(inside alice cat /run/says)"
	equal 402653184 "$(in_host systemctl show $UNIT -p MemoryMax --value)"
	whole
}

@test "a container made by hand becomes an agent when that is asked for" {
	in_host /run/current-system/sw/bin/nixos-container create h-bob --system-path "$(conf_system)"
	in_host systemctl start container@h-bob
	run ! skep spawn bob --driver nixos-container --builder nix
	contains "$output" 'that skep did not make'
	in_host systemctl is-active container@h-bob
	skep adopt bob
	equal running "$(shown bob state)"
	equal nixos-container "$(shown bob driver)"
	contains "$(in_host cat /etc/nixos-containers/h-bob.conf)" PRIVATE_USERS=
	skep destroy bob
	fails in_host test -e /etc/nixos-containers/h-bob.conf
}

@test "destroy takes the container and keeps the record" {
	skep destroy alice
	fails in_host test -e /etc/nixos-containers/h-alice.conf
	fails in_host test -e /var/lib/nixos-containers/h-alice
	in_host test -d /var/lib/skep/agents/alice/state
	contains "$(tags alice)" deployed/0
	run -0 skep audit verify
}
