#!/usr/bin/env bats
# The agents of a hyperhive host come to this one: from state directories as that has them, of today, of the time before
# its meta flake, broken and hostile. What was there is the same afterwards, byte for byte.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/nix
load lib/crash

setup_file() {
	nix_hive_up proposals_per_hour=1000
	for kind in today old hostile managed broken; do
		in_host mkdir -p "/srv/hh/$kind"
		in_host /opt/nix-tests/hyperhive "/srv/hh/$kind/hive" "$kind"
	done
	in_host mkdir -p /srv/hh/outside/objects
	# whatever would be written there fails
	in_host mount --bind /srv/hh /srv/hh
	in_host mount -o remount,bind,ro /srv/hh
	skep spawn hm1nd
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# print_of DIR: everything in it and about it
print_of() {
	in_host bash -euc 'cd "$1"; { find . -printf "%p %y %m %U %G %s %T@ %l\n" | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; } |
		sha256sum' - "$1"
}

# world: what there is of the hive
world() {
	in_host bash -euc 'cd /var/lib/skep; ls -A . applied proposed agents; git -c safe.directory="*" --git-dir=meta/.git rev-parse main'
}

import() {
	skep import-hyperhive "/srv/hh/$1/hive" "${@:2}"
}

@test "a dry run says everything and changes nothing anywhere" {
	theirs=$(print_of /srv/hh) ours=$(world)
	run -0 --separate-stderr import today --dry-run --json
	equal 'alice bob' "$(field agents <<< "$output" | jq -r '[.[].name] | join(" ")')"
	equal '8879 8744' "$(field agents <<< "$output" | jq -r '[.[].port | tostring] | join(" ")')"
	equal '{"denied":1,"deployed":1,"failed":1}' "$(field agents.0.counts <<< "$output" | jq -cS .)"
	equal '[6]' "$(field agents.0.pending <<< "$output")"
	contains "$(field agents.0.warnings <<< "$output")" 'has changes that are not committed'
	contains "$(field agents.1.warnings <<< "$output")" 'is on no branch'
	equal gone "$(field ignored.0.name <<< "$output")"
	contains "$(field inputs.nixpkgs <<< "$output")" github:NixOS/nixpkgs/
	equal "$theirs" "$(print_of /srv/hh)"
	equal "$ours" "$(world)"
	equal hm1nd "$(skep list --plain | cut -f1)"
}

@test "all of it comes, and what was there is as it was" {
	theirs=$(print_of /srv/hh)
	run -0 import today
	contains "$output" 'took over 2 agents'
	equal "$theirs" "$(print_of /srv/hh)"
	fails in_host test -e /var/lib/skep/import
	equal 'alice bob hm1nd' "$(skep --json list | jq -r '[.[].name] | sort | join(" ")')"
	equal stopped "$(shown alice state)"
	equal 8879 "$(shown alice port)"
	equal nix "$(shown alice builder)"
	equal 1 "$(desired alice deployed)"
	equal 4 "$(desired bob deployed)"
	equal "$(in_host git -c safe.directory='*' -C /srv/hh/today/hive/applied/alice rev-parse deployed/1)" "$(shown alice commit)"
	equal "$(shown alice commit)" "$(applied alice rev-parse main)"
	in_host git -c safe.directory='*' -C /var/lib/skep/applied/alice/.git fsck --strict
	equal true "$(skep --json audit verify | field valid)"
	equal 'take over from hyperhive: alice bob' "$(meta log -1 --format=%s main)"
}

@test "numbers, verdicts and words are those they were" {
	equal deployed "$(state_of 1)"
	equal failed "$(state_of 2)"
	equal denied "$(state_of 3)"
	equal deployed "$(state_of 4)"
	equal needs-review "$(state_of 6)"
	contains "$(applied alice cat-file tag failed/2)" $'error: it does not build\n# a line that git would drop\n\n\nthe end'
	equal 'not today' "$(operator '{"cmd":"proposal","id":3}' | field proposal.note)"
	equal alice "$(operator '{"cmd":"proposal","id":6}' | field proposal.agent)"
	contains "$(skep diff 6)" 'echo six'
	run -0 skep history alice
}

@test "what agents keep comes along, under their own ids" {
	equal 'what alice knows' "$(in_host cat /var/lib/skep/agents/alice/state/notes.md)"
	base=$(shown alice uid_base)
	equal "$base 600" "$(in_host stat -c '%u %a' /var/lib/skep/agents/alice/claude/.credentials.json)"
	equal "$base 700" "$(in_host stat -c '%u %a' /var/lib/skep/agents/alice/claude)"
}

@test "what the manager edits comes along, with what was not committed" {
	equal ' M agent.nix' "$(inside hm1nd git -C /agents/alice status --porcelain)"
	inside hm1nd git -C /agents/alice fetch -q applied
	equal "$(shown alice commit)" "$(inside hm1nd git -C /agents/alice rev-parse 'applied/deployed/1^{commit}')"
}

@test "an agent that came lives on" {
	skep start alice
	equal running "$(shown alice state)"
	equal one "$(inside alice cat /run/says)"
	equal 'what alice knows' "$(inside alice cat /state/notes.md)"
	skep approve 6 --commit "$(operator '{"cmd":"proposal","id":6}' | field proposal.commit_ref)"
	equal six "$(inside alice cat /run/says)"
	inside hm1nd git -C /agents/alice checkout -q agent.nix
	follow alice
	propose alice 'sed -i "s/echo [a-z]*/echo seven/" agent.nix'
	equal 7 "$N"
	approve
	equal seven "$(inside alice cat /run/says)"
	nix_keeps_lock
	skep rollback alice 1
	equal one "$(inside alice cat /run/says)"
}

@test "what is there already is not taken over again" {
	ours=$(world)
	run -5 import today
	contains "$output" "there is an agent 'alice' already"
	equal "$ours" "$(world)"
	run -5 import today gone bob
	contains "$output" "there is an agent 'bob' already"
	equal "$ours" "$(world)"
}

@test "one that was destroyed there comes when it is named" {
	run -0 import today gone --no-state
	equal 0 "$(desired gone deployed)"
	equal '' "$(in_host ls /var/lib/skep/agents/gone/state)"
	skep destroy gone --purge --confirm gone
	equal true "$(skep --json audit verify | field valid)"
}

@test "a repository of the time before the meta flake gets today's form" {
	run -0 import old --start
	wait_for 60 is_shown carol state running
	equal 0 "$(desired carol deployed)"
	equal "$(in_host git -c safe.directory='*' -C /srv/hh/old/hive/applied/carol rev-parse main)" \
		"$(applied carol rev-parse 'main^')"
	contains "$(applied carol show main:flake.nix)" nixosModules.default
	equal first "$(inside carol cat /run/says)"
}

@test "nothing in a hostile one leads anywhere" {
	theirs=$(print_of /srv/hh)
	run -0 import hostile
	equal "$theirs" "$(print_of /srv/hh)"
	fails in_host test -e /srv/hh/hostile/pwned
	contains "$output" 'the commit of number 11 is left out'
	contains "$output" 'approved there but never deployed'
	equal cancelled "$(state_of 11)"
	equal needs-review "$(state_of 12)"
	fails in_host test -e /var/lib/skep/agents/mallory/state/fifo
	equal 'symbolic link' "$(in_host stat -c %F /var/lib/skep/agents/mallory/state/shadow)"
	equal "$(shown mallory uid_base)" "$(in_host stat -c %u /var/lib/skep/agents/mallory/state/root-me)"
	fails in_host grep -rq secret /var/lib/skep/applied/mallory /var/lib/skep/proposed/mallory /var/lib/skep/agents/mallory/state/notes.md
	equal true "$(skep --json audit verify | field valid)"
}

@test "a broken one is refused whole, and says why" {
	ours=$(world)
	run -2 import broken
	contains "$output" Bad_Name
	run -2 import broken erin
	contains "$output" 'leads elsewhere'
	run -2 import broken dave
	contains "$output" 'no applied repository'
	run -3 import broken nobody
	run -3 skep import-hyperhive /srv/hh/none
	equal "$ours" "$(world)"
}

@test "root alone may say so" {
	in_host groupadd -f skep-admin
	in_host useradd -m -g operator -G skep-admin operator
	run -4 in_host runuser -u operator -- skep import-hyperhive /srv/hh/today/hive gone
	contains "$output" 'only root'
}

@test "a crash leaves all of it or nothing" {
	unit_setting skepd.service crash "Environment=SKEP_CRASH_FILE=$CRASH" RestartSec=2
	in_host systemctl restart skepd.service
	for point in takeover-entered takeover-recorded; do
		dies_at $point import today gone
		wait_for 30 skep list
		fails in_host test -e /var/lib/skep/import
		equal '' "$(in_host find /var/lib/skep/applied -name '.import-*')"
		equal true "$(skep --json audit verify | field valid)"
		if [ $point = takeover-entered ]; then
			fails skep show gone
			fails in_host test -e /var/lib/skep/applied/gone
			fails in_host test -e /var/lib/skep/agents/gone
		else
			equal 0 "$(desired gone deployed)"
			equal 'what gone knows' "$(in_host cat /var/lib/skep/agents/gone/state/notes.md)"
			in_host test -d /var/lib/skep/proposed/gone/.git
		fi
	done
}

@test "a manager comes as the manager" {
	for agent in alice bob carol eve gone mallory hm1nd; do
		skep destroy $agent --purge --confirm $agent
	done
	run -0 import managed --start
	wait_for 90 is_shown hm1nd state running
	wait_for 90 is_shown frank state running
	equal manager "$(shown hm1nd role)"
	equal hm1nd "$(shown frank parent)"
	equal first "$(inside hm1nd cat /run/says)"
	equal 'first state of frank' "$(inside hm1nd git -C /agents/frank log -1 --format=%s)"
	propose frank 'sed -i s/first/second/ agent.nix'
	approve
	equal second "$(inside frank cat /run/says)"
}
