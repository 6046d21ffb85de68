#!/usr/bin/env bats
# What differs from the record in containers of nixos-container: alice's differences are told and left
# (reconcile=report), bob's are put right (apply). Each is made by root behind skep's back.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/nixos

CONFS=/etc/nixos-containers
PROFILES=/nix/var/nix/profiles/per-container

setup_file() {
	nix_host_up
	in_host mkdir -p /nix/var/nix/gcroots
	in_host systemd-run -q --unit=nix-daemon nix-daemon
	wait_for 30 in_host test -S /nix/var/nix/daemon-socket/socket
	hive_config 'nixpkgs="git+file:///srv/nixpkgs?ref=refs/heads/main"' 'base="git+file:///srv/base?ref=refs/heads/main"' \
		reconcile_interval=5
	in_host systemctl enable --now skepd.socket skepd-read.socket skep-exec.socket
	skep spawn hm1nd
	skep spawn alice --driver nixos-container --builder nix
	skep spawn bob --driver nixos-container --builder nix
	skep set alice reconcile=report
	host_is_up
}

teardown_file() {
	host_down
}

setup() {
	wait_for 20 nothing_differs
	ALICE=$(shown alice leader) BOB=$(shown bob leader)
}

teardown() {
	save_when_failed
}

# drift AGENT: "FIELD|WANTED|FOUND" of what differs, a line each
drift() {
	skep --plain drift "$1" | awk -F'\t' '{ print $2 "|" $3 "|" $4 }'
}

# told PATTERN: one of alice's is like this
told() {
	drift alice | grep -qx "$1"
}

# and it was looked at
nothing_differs() {
	case $(operator '{"cmd":"drift"}') in
	'{"version":1,"ok":true,"drift":[],"looked_at":"'*'"}') ;;
	*) operator '{"cmd":"drift"}' >&2 && false ;;
	esac
}

# both COMMAND: by root, with h-alice and with h-bob as $1
both() {
	in_host sh -ec "$1" - h-alice
	in_host sh -ec "$1" - h-bob
}

conf() {
	in_host cat "$CONFS/h-$1.conf"
}

is_conf() {
	[ "$(conf "$1")" = "$2" ]
}

# leads_back AGENT: its profile is what runs
leads_back() {
	[ "$(in_host readlink -f "$PROFILES/h-$1/system")" = "$(shown "$1" system_running)" ]
}

# settled: alice's are put right as well, and neither was restarted
settled() {
	skep set alice reconcile=
	wait_for 20 nothing_differs
	skep set alice reconcile=report
	equal "$ALICE $BOB" "$(shown alice leader) $(shown bob leader)"
}

@test "nothing differs in containers that were left alone" {
	# one look by the clock more
	sleep 6
	nothing_differs
}

@test "a conf file that was edited: our lines are put back, others stay" {
	local before
	before=$(conf bob)
	both 'sed -i -e "s|^EXTRA_NSPAWN_FLAGS=\"|&--capability=all |" -e s/^PRIVATE_NETWORK=.*/PRIVATE_NETWORK=1/ \
		-e "1i # mine\nKEEP=1" -e "\$a FLAKE=git+file:///srv/none" '$CONFS'/$1.conf'
	wait_for 20 told 'conf EXTRA_NSPAWN_FLAGS|nothing|--capability=all'
	told 'conf PRIVATE_NETWORK|0|1'
	told 'conf FLAKE|nothing|git+file:///srv/none'
	wait_for 20 is_conf bob $'# mine\nKEEP=1\n'"$before"
	contains "$(conf alice)" --capability=all
	settled
	equal $'# mine\nKEEP=1' "$(conf alice | head -n 2)"
	fails grep -q FLAKE <<< "$(conf alice)"
}

@test "a conf file that was removed, and a profile that leads elsewhere" {
	local before system
	before=$(conf bob | grep -v -e mine -e KEEP) system=$(shown alice system_running)
	both 'rm '$CONFS'/$1.conf'
	wait_for 20 told 'conf|the lines of the record|nothing'
	wait_for 20 is_conf bob "$before"
	fails in_host test -e $CONFS/h-alice.conf
	settled
	# to a store path, and to none
	for target in "$(in_host readlink -f "$(in_host sh -c 'command -v nix')")" /srv; do
		both 'ln -sfn '"$target $PROFILES"'/$1/system'
		wait_for 20 told "profile|$system|.*"
		wait_for 20 leads_back bob
		settled
	done
	equal "$system" "$(in_host readlink -f $PROFILES/h-alice/system)"
}

@test "a drop-in that is gone, and a mount that leads elsewhere" {
	both 'rm /run/systemd/system/container@$1.service.d/50-limits.conf'
	wait_for 20 told 'drop-in|.*|nothing'
	wait_for 20 in_host test -e /run/systemd/system/container@h-bob.service.d/50-limits.conf
	settled
	in_host sh -ec 'cd /var/lib/skep/agents/alice; mv state state.old; mkdir -m 0700 state; chown --reference=state.old state'
	wait_for 20 told 'bind /state|/var/lib/skep/agents/alice/state|.*/state.old'
	in_host sh -ec 'cd /var/lib/skep/agents/alice; rmdir state; mv state.old state'
	settled
}

@test "what a container was started with takes a restart" {
	in_host systemctl stop container@h-alice
	in_host sed -i 's|^EXTRA_NSPAWN_FLAGS="|&--setenv=FROM=elsewhere |' $CONFS/h-alice.conf
	in_host systemctl start container@h-alice
	wait_for 20 told 'flags|nothing|--setenv=FROM=elsewhere'
	skep set alice reconcile=
	wait_for 30 nothing_differs
	fails grep -q elsewhere <<< "$(conf alice)"
	fails in_host grep -qz elsewhere /proc/"$(in_host systemctl show container@h-alice -p MainPID --value)"/cmdline
	equal running "$(shown alice state)"
	equal "$BOB" "$(shown bob leader)"
}
