#!/usr/bin/env bats
# Hostile repositories in the place of an agent's, submitted to the installed hive: each is refused with its reason and
# leaves nothing, or is taken with its warnings; and the hive works on.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up proposals_per_hour=1000
	skep spawn hm1nd
	skep spawn alice
	in_host mv /var/lib/skep/proposed/alice /var/lib/skep/alice.good
	in_host mkdir -m 0700 /var/lib/skep/proposed/alice
	in_host chown --reference=/var/lib/skep/alice.good /var/lib/skep/proposed/alice
	pid_of skepd.service > "$BATS_FILE_TMPDIR/skepd"
	pid_of skep-exec.service > "$BATS_FILE_TMPDIR/skep-exec"
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# hostile WHICH
hostile() {
	in_host python3 -c "$(< "$ROOT/tests/host/lib/hostile.py")" "$1"
}

@test "a hostile repository is refused with its reason, or taken with its warnings" {
	run hostile quick
	echo "$output"
	equal 0 "$status"
	equal "$(< "$BATS_FILE_TMPDIR/skepd")" "$(pid_of skepd.service)"
}

@test "one that keeps its reader waiting is given up" {
	hive_config proposals_per_hour=1000 import_timeout=2
	in_host systemctl restart skepd.service
	run hostile hanging
	echo "$output"
	equal 0 "$status"
	wait_for 10 fails in_host pgrep -x skep-export
}

@test "nothing of what lies beside a repository is in the record" {
	in_host sh -ec '
		for repo in /var/lib/skep/applied/*/.git /var/lib/skep/meta/.git; do
			git="git -c safe.directory=* --git-dir=$repo"
			$git fsck --strict --no-dangling --no-progress
			! $git cat-file --batch-all-objects --batch | grep -aq "the secret of another repository"
		done
		# it would have been found where it is
		git -c safe.directory=* --git-dir=/var/lib/skep/proposed/secret/.git cat-file --batch-all-objects --batch |
			grep -aq "the secret of another repository"'
	# they stay in one line, and the last one taken is the only one that waits for a verdict
	equal 1 "$(skep --json proposals | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')"
}

@test "the hive works on: a good commit is submitted, approved and deployed" {
	in_host sh -ec 'rm -rf /var/lib/skep/proposed/alice /var/lib/skep/proposed/secret
		mv /var/lib/skep/alice.good /var/lib/skep/proposed/alice'
	propose alice 'printf "fast\n" > rootfs/etc/mode' 'run fast'
	approve
	is_state "$N" deployed
	equal fast "$(inside alice cat /etc/mode)"
	equal "$(< "$BATS_FILE_TMPDIR/skep-exec")" "$(pid_of skep-exec.service)"
	equal '' "$(in_host journalctl --no-pager -o cat -g 'dumped core|killed, status=(6|11)')"
	is_true
}
