#!/usr/bin/env bats
# Newer nixpkgs and base for a manager and five agents: proposed, built, rolled out in waves; or nothing at all.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/crash
load lib/nix

AGENTS=(alice bob carol dave erin)

setup_file() {
	nix_hive_up proposals_per_hour=1000
	unit_setting skepd.service crash "Environment=SKEP_CRASH_FILE=$CRASH" RestartSec=2
	in_host systemctl restart skepd.service
	skep spawn hm1nd --builder nix
	for agent in "${AGENTS[@]}"; do
		skep spawn "$agent" --builder nix
		skep set "$agent" probe.grace=3 probe.soak=0
	done
	skep spawn plain
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# newer LINE...: the next commit of base, whose modules have these lines instead of the earlier ones
newer() {
	in_host bash -euc 'cd /srv/base && sed -i "/# test$/d" agent.nix
		printf "%s # test\n" "$@" > /tmp/lines && sed -i "/skep-role/r /tmp/lines" agent.nix
		git -c user.name=t -c user.email=t@t commit -qam newer' newer "$@"
}

says() {
	echo "environment.etc.generation.text = \"$1\";"
}

# only AGENT CONFIG: a line for one agent alone
only() {
	echo "systemd.services.odd = lib.mkIf (id.name == \"$1\") { wantedBy = [ \"multi-user.target\" ]; script = \"$2\"; };"
}

head_of() {
	in_host git -C "/srv/$1" rev-parse main
}

# update: sets N and, for `approve`, COMMIT
update() {
	N=$(skep --quiet update-inputs)
	look_at "$N"
}

look_at() {
	N=$1 COMMIT=$(skep --json diff "$1" | jq -r .proposal.commit)
	export COMMIT
}

# running: what everybody runs, and since when
running() {
	for agent in hm1nd "${AGENTS[@]}" plain; do
		echo "$agent $(shown "$agent" system_running)"
	done
}

leaders() {
	for agent in hm1nd "${AGENTS[@]}" plain; do
		shown "$agent" leader
	done
}

@test "nothing newer is no proposal" {
	run -0 skep update-inputs
	contains "$output" 'nothing is newer'
	equal '' "$(meta tag -l)"
	run -2 skep update-inputs tools
	contains "$output" 'base and nixpkgs'
}

@test "newer inputs are proposed by name, and nothing moves before the verdict" {
	main=$(meta rev-parse main) old=$(head_of base)
	newer "$(says one)"
	run -0 skep update-inputs base -m 'the next one'
	contains "$output" 'update base'
	run -0 skep diff 1
	contains "$output" 'of the hive'
	contains "$output" "base ${old:0:7}"
	contains "$output" "→ $(head_of base | cut -c1-7)"
	contains "$output" flake.lock
	equal "$(head_of base)" "$(skep --json diff 1 --effect | jq -r '.inputs[0].to.rev')"
	contains "$(skep proposals)" 'update base'
	equal "$main" "$(meta rev-parse main)"
	nix_keeps_lock
}

@test "approved, all are built, then switched to, and meta says so" {
	skep stop erin
	before=$(shown plain leader)
	look_at 1
	approve
	equal deployed "$(state_of 1)"
	for agent in hm1nd alice bob carol dave; do
		equal one "$(inside "$agent" cat /etc/generation)"
		equal "$(shown "$agent" system)" "$(shown "$agent" system_running)"
	done
	equal stopped "$(shown erin state)"
	equal "$before" "$(shown plain leader)"
	contains "$(skep log 1)" 'all 6 are built, nothing is switched yet'
	equal 'update base' "$(meta log -1 --format=%s main | cut -d' ' -f1-2)"
	equal "$(head_of base)" "$(meta show main:flake.lock | jq -r .nodes.base.locked.rev)"
	equal '' "$(meta for-each-ref refs/skep/candidate)"
	nix_keeps_lock
	without_nix skep start erin
	equal one "$(inside erin cat /etc/generation)"
}

@test "one that cannot be built: nothing is switched" {
	main=$(meta rev-parse main) before=$(leaders)
	newer "$(says bad)" 'stub.failBuild = lib.mkIf (id.name == "carol") true;'
	update
	run -6 approve
	contains "$output" "'carol'"
	contains "$(meta cat-file tag "failed/$N")" 'told to fail'
	equal "$main" "$(meta rev-parse main)"
	equal "$before" "$(leaders)"
	nix_keeps_lock
}

@test "the third fails its probe: all go back" {
	main=$(meta rev-parse main) before=$(running)
	newer "$(says bad)" "$(only carol 'exit 1')"
	update
	run -7 approve
	contains "$output" "'carol': the probe failed"
	contains "$output" 'back on what they ran'
	equal "$main" "$(meta rev-parse main)"
	equal "$before" "$(running)"
	for agent in hm1nd "${AGENTS[@]}"; do
		equal one "$(inside "$agent" cat /etc/generation)"
	done
	nix_keeps_lock
}

@test "killed in the middle of it, it is done all the same" {
	newer "$(says two)"
	update
	dies_at switched approve
	wait_for 120 is_state "$N" deployed
	for agent in hm1nd "${AGENTS[@]}"; do
		equal two "$(inside "$agent" cat /etc/generation)"
		equal "$(shown "$agent" system)" "$(shown "$agent" system_running)"
	done
	equal true "$(operator '{"cmd":"audit_verify"}' | field audit_verify.valid)"
	nix_keeps_lock
}

@test "an agent's next deploy is made of the new ones, and can be rolled back" {
	propose_nix alice '{ environment.etc.what.text = "later"; }'
	approve
	equal later "$(inside alice cat /etc/what)"
	equal two "$(inside alice cat /etc/generation)"
	skep rollback alice
	equal two "$(inside alice cat /etc/generation)"
	nix_keeps_lock
}
