#!/usr/bin/env bats
# Agents that Nix builds get another name, or are forked: alice runs on a root of skep's own, dora is a container of
# nixos-container. The name is in the flake, the lock and the system, so that is built first; what fails or dies
# half-way ends in one of the two names, whole.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/crash
load lib/nix
load lib/nixos

setup_file() {
	nix_host_up
	in_host mkdir -p /nix/var/nix/gcroots
	in_host systemd-run -q --unit=nix-daemon nix-daemon
	wait_for 30 in_host test -S /nix/var/nix/daemon-socket/socket
	hive_config "${NIX_CONFIG_KEYS[@]}" proposals_per_hour=1000 reconcile_interval=5
	in_host systemctl enable --now skepd.socket skepd-read.socket skep-exec.socket
	crash_points
	skep spawn hm1nd
	skep spawn alice --builder nix
	skep spawn dora --builder nix --driver nixos-container
	for agent in alice dora; do
		skep set $agent probe.grace=3 probe.soak=0
		inside $agent sh -c 'echo kept > /state/what'
	done
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# unit_of AGENT DRIVER
unit_of() {
	case $2 in
	nspawn) echo "skep-agent@$1.service" ;;
	*) echo "container@h-$1.service" ;;
	esac
}

# left_of NAME: whatever still has this name
left_of() {
	in_host find /var/lib/skep/applied /var/lib/skep/proposed /var/lib/skep/agents /var/lib/skep/roots \
		/var/lib/skep/nixos-containers /run/skep/agents /run/skep/spec /etc/nixos-containers /var/lib/nixos-containers \
		/nix/var/nix/profiles/per-container /nix/var/nix/gcroots/per-container /nix/var/nix/gcroots/skep/var-lib-skep \
		-maxdepth 1 \( -name "$1" -o -name "h-$1" -o -name "$1.*" -o -name "h-$1.*" \)
}

nothing_differs() {
	[ "$(operator '{"cmd":"drift"}' | jq -c .drift)" = '[]' ]
}

# is_called NAME OTHER: the agent has this name everywhere, and nothing has the other one
is_called() {
	local driver system
	driver=$(shown "$1" driver) system=$(shown "$1" system)
	equal running "$(shown "$1" state)"
	equal "$system" "$(shown "$1" system_running)"
	contains "$system" "nixos-system-$1"
	in_host test -n "$(roots "$1" | grep -F "$system")"
	equal kept "$(inside "$1" cat /state/what)"
	equal "$1" "$(inside "$1" cat /run/current-system/etc/hostname)"
	in_host systemctl is-active -q "$(unit_of "$1" "$driver")"
	fails in_host systemctl is-active -q "$(unit_of "$2" "$driver")"
	fails skep show "$2"
	equal '' "$(left_of "$2")"
	equal '' "$(in_host find /var/lib/skep/applied -maxdepth 1 -type l)"
	contains "$(meta show main:flake.nix)" "agent-$1.url = \"git+file:///var/lib/skep/applied/$1?"
	fails grep -q "agent-$2\|\"$2\"" <<< "$(meta show main:flake.nix main:flake.lock main:agents.json)"
	equal "$(applied "$1" rev-parse main)" "$(meta show main:flake.lock | jq -r ".nodes.\"agent-$1\".locked.rev")"
	equal '' "$(meta for-each-ref refs/skep/candidate)"
	equal "/applied/$1/.git" "$(inside hm1nd git -C "/agents/$1" remote get-url applied)"
	contains "$(member "$1" whoami)" "$1"
	nix_keeps_lock
	wait_for 60 at_rest
	wait_for 30 nothing_differs
	equal true "$(operator '{"cmd":"audit_verify"}' | field audit_verify.valid)"
}

# follows NAME OTHER: a rename of one that has something deployed and something undecided
follows() {
	local before port base undecided first
	propose_nix "$1" '{ environment.etc.what.text = "one"; }'
	approve
	first=$N
	propose_nix "$1" '{ environment.etc.what.text = "two"; }'
	approve
	propose_nix "$1" '{ environment.etc.what.text = "undecided"; }'
	undecided=$N
	wait_for 90 is_ready "$undecided"
	port=$(shown "$1" port) base=$(shown "$1" uid_base) before=$(shown "$1" system)
	run -0 skep rename "$1" "$2"
	contains "$output" "$1 is called $2 now"
	is_called "$2" "$1"
	equal "$port $base two" "$(shown "$2" port) $(shown "$2" uid_base) $(inside "$2" cat /etc/what)"
	fails test "$before" = "$(shown "$2" system)"
	contains "$(skep history "$2")" "rename $2 was $1"
	# without Nix it starts as it is
	without_nix skep restart "$2"
	equal two "$(inside "$2" cat /etc/what)"
	in_host systemctl restart skepd
	is_called "$2" "$1"
	wait_for 90 is_ready "$undecided"
	skep approve "$undecided" --commit "$COMMIT"
	equal undecided "$(inside "$2" cat /etc/what)"
	skep rollback "$2" "$first"
	equal one "$(inside "$2" cat /etc/what)"
	is_called "$2" "$1"
	skep rename "$2" "$1"
	is_called "$1" "$2"
	equal one "$(inside "$1" cat /etc/what)"
	follow "$1"
}

@test "everything of an agent follows its name, its system too" {
	follows alice mary
}

@test "the same of a container of nixos-container, and what it made of its root" {
	inside dora sh -c 'echo mine > /var/made-here'
	in_host sh -c 'echo "# a line of mine" >> /etc/nixos-containers/h-dora.conf'
	follows dora doris
	equal mine "$(inside dora cat /var/made-here)"
	in_host grep -qx '# a line of mine' /etc/nixos-containers/h-dora.conf
}

@test "a name that cannot be had, or a build that fails, touches nothing" {
	local leaders main
	leaders="$(shown alice leader) $(shown dora leader)"
	run -5 skep rename alice dora
	run -2 skep rename alice Mary
	run -4 member hm1nd rename alice mary
	equal "$leaders" "$(shown alice leader) $(shown dora leader)"
	# the module does not like the new name, which no deploy could tell
	propose_nix alice '{ config, ... }: { stub.failBuild = config.skep.identity.name == "mary"; environment.etc.what.text = "fine"; }'
	approve
	leaders="$(shown alice leader) $(shown dora leader)" main=$(meta rev-parse main)
	run -6 skep rename alice mary
	contains "$output" 'told to fail'
	N=$(operator '{"cmd":"pending","status":"all","kind":["rename"]}' | field approvals.-1.id)
	equal failed "$(state_of "$N")"
	contains "$(meta cat-file tag "failed/$N")" 'told to fail'
	equal "$main" "$(meta rev-parse main)"
	equal "$leaders" "$(shown alice leader) $(shown dora leader)"
	is_called alice mary
	# one that takes too long is cancelled
	propose_nix alice '{ config, ... }: { stub.buildSeconds = if config.skep.identity.name == "mary" then 297 else 0; }'
	approve
	leader=$(shown alice leader)
	skep rename alice mary --no-wait
	wait_for 60 in_host pgrep -f 'sleep 297'
	run -5 skep spawn mary
	N=$(operator '{"cmd":"pending","status":"all","kind":["rename"]}' | field approvals.-1.id)
	skep cancel "$N"
	wait_for 60 fails in_host pgrep -f 'sleep 297'
	equal cancelled "$(state_of "$N")"
	equal "$leader" "$(shown alice leader)"
	is_called alice mary
	propose_nix alice '{ environment.etc.what.text = "fine"; }'
	approve
}

@test "what does not come up under the new name is taken back" {
	local system
	for pair in 'alice mary nspawn' 'dora doris nixos-container'; do
		read -r name other driver <<< "$pair"
		system=$(shown "$name" system)
		unit_setting "$(unit_of "$other" "$driver")" broken 'ExecStartPre=/bin/false'
		run -7 skep rename "$name" "$other"
		contains "$output" 'runs as before'
		in_host rm -rf "/run/systemd/system/$(unit_of "$other" "$driver").d"
		in_host systemctl daemon-reload
		equal "$system" "$(shown "$name" system)"
		is_called "$name" "$other"
	done
	# somebody else's container has the place: nothing is stopped
	leader=$(shown dora leader)
	in_host touch /etc/nixos-containers/h-doris.conf
	run -7 skep rename dora doris
	contains "$output" 'that skep did not make'
	in_host rm /etc/nixos-containers/h-doris.conf
	equal "$leader" "$(shown dora leader)"
	is_called dora doris
}

@test "the controller dies on the way: one name, all of it" {
	for line in 'alice mary name-lent built applied-moved recorded' 'dora doris moved renamed'; do
		read -r name other points <<< "$line"
		for point in $points; do
			dies_at "$point" skep rename "$name" "$other"
			wait_for 60 is_shown "$other" state running
			is_called "$other" "$name"
			read -r name other <<< "$other $name"
		done
	done
}

fork_approved() {
	skep approve "$N" --commit "$(skep --json diff "$N" | jq -r .proposal.commit)"
}

@test "a fork is a system of its own, of the same commit" {
	local from to driver first deployed
	for pair in 'alice fay nspawn' 'dora dave nixos-container'; do
		read -r from to driver <<< "$pair"
		first=$(desired "$from" deployed)
		deployed=$(applied "$from" rev-parse "deployed/$first^{commit}")
		propose_nix "$from" '{ environment.etc.what.text = "later"; }'
		approve
		N=$(skep --quiet fork "$from" "$to" "$first")
		fork_approved
		equal "$driver nix $deployed" "$(shown "$to" driver) $(shown "$to" builder) $(shown "$to" commit)"
		is_called "$to" nobody
		contains "$(applied "$to" cat-file tag deployed/0)" "Skep-System: $(shown "$to" system)"
		fails test "$(shown "$to" port)" = "$(shown "$from" port)"
		equal running "$(shown "$from" state)"
		# each goes its own way
		propose_nix "$to" '{ environment.etc.what.text = "mine"; }'
		approve
		equal 'mine later' "$(inside "$to" cat /etc/what) $(inside "$from" cat /etc/what)"
		skep rollback "$to"
		is_called "$to" nobody
	done
	# one that cannot be built leaves no agent
	propose_nix alice '{ config, ... }: { stub.failBuild = config.skep.identity.name == "gus"; }'
	approve
	N=$(skep --quiet fork alice gus)
	run -6 fork_approved
	contains "$output" 'told to fail'
	equal failed "$(state_of "$N")"
	fails skep show gus
	nix_keeps_lock
}
