#!/usr/bin/env bats
# Agents that Nix builds: from a commit to a running system, with a Nix of the machine's own, its daemon, and a stub of
# nixpkgs. What fails while it is evaluated or built changes nothing.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/nix

setup_file() {
	nix_hive_up proposals_per_hour=1000 keep_systems=2
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

@test "a spawn is one commit of meta, with a lock that Nix accepts as it is" {
	equal running "$(shown alice state)"
	equal nix "$(shown alice builder)"
	contains "$(shown alice system)" /nix/store/
	equal "$(shown alice system)" "$(shown alice system_running)"
	equal 'spawn alice deployed/0' "$(meta log -1 --format=%s main | cut -d' ' -f1-3)"
	equal 'README.md agents.json flake.lock flake.nix' "$(meta ls-tree --name-only main | paste -sd' ')"
	equal 'agents.json flake.lock flake.nix' "$(meta show --name-only --format= main | paste -sd' ')"
	contains "$(meta show main:flake.nix)" 'agent-alice.url = "git+file:///var/lib/skep/applied/alice?ref=refs/heads/main&shallow=1";'
	fails grep -q narHash <<< "$(meta show main:flake.lock | jq '.nodes."agent-alice"')"
	contains "$(applied alice cat-file tag deployed/0)" "Skep-System: $(shown alice system)"
	nix_keeps_lock
	contains "$(inside alice cat /etc/skep-role)" agent
}

@test "an approved commit is built and runs" {
	propose_nix alice '{ environment.etc.what.text = "one"; }'
	approve
	equal one "$(inside alice cat /etc/what)"
	system=$(shown alice system)
	contains "$(applied alice cat-file tag "deployed/$N")" "Skep-System: $system"
	equal "$COMMIT" "$(meta show main:flake.lock | jq -r '.nodes."agent-alice".locked.rev')"
	equal "$(meta rev-parse main)" "$(applied alice cat-file tag "deployed/$N" | sed -n 's/^Skep-Meta: //p')"
	equal '1	1	agents.json 2	2	flake.lock' "$(meta show --numstat --format= main | paste -sd' ')"
	equal '' "$(meta for-each-ref refs/skep/candidate)"
	contains "$(skep log "$N")" 'building the system of alice'
	nix_keeps_lock
	in_host test -n "$(roots alice | grep -F "$system")"
}

@test "programs of the system are found by their name" {
	equal 'a program of alice' "$(inside alice own-program)"
	equal 'a program of alice' "$(inside alice sh -c own-program)"
	equal /run/hive/bin/skep "$(inside alice sh -c 'command -v skep')"
}

@test "what fails to evaluate or to build changes nothing" {
	main=$(meta rev-parse main) leader=$(shown alice leader)
	propose_nix alice '{ environment.etc.what.text = throw "no such thing"; }'
	run -6 approve
	contains "$output" 'no such thing'
	contains "$(applied alice cat-file tag "failed/$N")" 'no such thing'
	propose_nix alice '{ stub.failBuild = true; }'
	run -6 approve
	contains "$(applied alice cat-file tag "failed/$N")" 'told to fail'
	propose_nix alice '{ ]'
	run -6 approve
	contains "$output" 'syntax error'
	equal "$main" "$(meta rev-parse main)"
	equal '' "$(meta for-each-ref refs/skep/candidate)"
	equal "$leader" "$(shown alice leader)"
	equal one "$(inside alice cat /etc/what)"
	equal '' "$(in_host find /var/lib/skep/systems -name '.staging*')"
	follow alice
}

@test "what a proposal changes is known before it is approved, and an approval finds it built" {
	propose_nix alice '{ environment.etc.what.text = "seen"; systemd.services.beat = { wantedBy = [ "multi-user.target" ]; script = "exec sleep infinity"; }; }'
	wait_for 90 is_ready "$N"
	run -0 skep diff "$N" --effect
	contains "$output" 'added beat.service'
	contains "$output" 'closure'
	contains "$(skep --json diff "$N" --effect | jq -c '.closure.changed[].name')" nixos-system-alice
	equal '' "$(meta for-each-ref refs/skep/preview)"
	without_nix approve
	equal active "$(inside alice systemctl is-active beat.service)"
	propose_nix alice '{ environment.etc.what.text = throw "never"; }'
	wait_for 90 is_effect "$N" failed
	contains "$(skep diff "$N" --effect)" never
	skep deny "$N" -m no
	# what was built for one that is turned down is let go
	propose_nix alice '{ environment.etc.what.text = "unwanted"; }'
	wait_for 90 is_ready "$N"
	system=$(skep --json diff "$N" --effect | jq -r .system)
	contains "$(roots alice)" "$system"
	skep deny "$N" -m no
	wait_for 30 fails is_rooted alice "$system"
	follow alice
}

@test "nothing is built twice" {
	propose_nix alice '{ environment.etc.what.text = "two"; }'
	approve
	two=$(shown alice system)
	propose_nix alice '{ environment.etc.what.text = "three"; }'
	approve
	equal three "$(inside alice cat /etc/what)"
	# without Nix: the system of that tree is still there
	without_nix skep rollback alice
	equal "$two" "$(shown alice system)"
	equal two "$(inside alice cat /etc/what)"
	without_nix skep stop alice
	without_nix skep start alice
	equal "$two" "$(shown alice system_running)"
	# only as many are kept as the configuration says
	equal 2 "$(roots alice | wc -l)"
	follow alice
}

@test "an operator cancels what is being built" {
	running=$(shown alice system_running) main=$(meta rev-parse main) leader=$(shown alice leader)
	propose_nix alice '{ stub.buildSeconds = 299; }'
	approve --no-wait
	wait_for 60 in_host pgrep -f 'sleep 299'
	fails member hm1nd cancel "$N"
	skep cancel "$N"
	wait_for 60 fails in_host pgrep -f 'sleep 299'
	equal "approved/$N building/$N cancelled/$N proposal/$N" "$(tags alice "*/$N")"
	equal "$running" "$(shown alice system_running)"
	equal "$leader" "$(shown alice leader)"
	equal "$main" "$(meta rev-parse main)"
	equal '' "$(meta for-each-ref refs/skep/candidate)"
	contains "$(skep log "$N")" 'was cancelled'
	run -5 skep cancel "$N"
	follow alice
	propose_nix alice '{ environment.etc.what.text = "after"; }'
	approve
	equal after "$(inside alice cat /etc/what)"
	skep rollback alice
	follow alice
}

@test "a build is cut short and begun again, and one that takes too long is ended" {
	propose_nix alice '{ stub.buildSeconds = 300; }'
	approve --no-wait
	wait_for 60 in_host pgrep -f 'sleep 300'
	in_host systemctl restart skepd
	wait_for 60 fails in_host pgrep -f 'sleep 300'
	# it is owed, so it is begun again
	wait_for 60 in_host pgrep -f 'sleep 300'
	hive_config "${NIX_CONFIG_KEYS[@]}" proposals_per_hour=1000 keep_systems=2 build_timeout=5
	in_host systemctl restart skepd
	wait_for 90 is_state "$N" failed
	contains "$(applied alice cat-file tag "failed/$N")" '5 s'
	hive_config "${NIX_CONFIG_KEYS[@]}" proposals_per_hour=1000 keep_systems=2
	in_host systemctl restart skepd
	equal '' "$(in_host pgrep -f 'sleep 300')"
	follow alice
}

@test "a destroyed agent leaves the flake in one commit" {
	skep spawn bob --builder nix
	nix_keeps_lock
	skep destroy bob --confirm bob
	equal 'destroy bob' "$(meta log -1 --format=%s main)"
	equal 'agents.json flake.lock flake.nix' "$(meta show --name-only --format= main | paste -sd' ')"
	fails grep -q agent-bob <<< "$(meta show main:flake.nix main:flake.lock)"
	nix_keeps_lock
	equal '' "$(roots bob)"
	skep spawn bob --builder nix
	equal running "$(shown bob state)"
}
