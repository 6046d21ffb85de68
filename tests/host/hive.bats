#!/usr/bin/env bats
# From a commit to a running system and to the record: the manager proposes from its own container, the operator
# decides, the container changes or does not, and the tags say so. Everything installed, nothing played.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up proposals_per_hour=1000
	skep spawn hm1nd
	skep spawn alice
	propose alice 'sed -i "s/\"soak\": 2/\"soak\": 0/" agent.json; mkdir -p rootfs/etc/hive; echo one > rootfs/etc/hive/what' 'first'
	approve
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# runs_what TEXT: alice is up with this content, says the container itself
runs_what() {
	equal running "$(shown alice state)"
	equal "$(shown alice system)" "$(shown alice system_running)"
	equal "$1" "$(inside alice cat /etc/hive/what)"
}

@test "a proposal is pinned, reviewed, approved, and runs" {
	# the manager's repository is a copy of the applied one, with a remote to compare with
	inside hm1nd git -C /agents/alice fetch -q applied
	contains "$(inside hm1nd git -C /agents/alice tag -l)" applied/deployed/1

	propose alice 'echo two > rootfs/etc/hive/what' 'say two'
	equal 2 "$N"
	equal "$N" "$(submit alice "${COMMIT:0:9}")"
	equal 'approved/1 building/1 deployed/0 deployed/1 proposal/1 proposal/2' "$(tags alice)"
	equal "$COMMIT" "$(applied alice rev-parse 'proposal/2^{commit}')"

	# what happens to the manager's repository afterwards does not matter
	commit alice 'git commit -q --amend -m other; git reflog expire --expire=now --all; git gc -q --prune=now' later
	fails inside hm1nd git -C /agents/alice cat-file -e "$COMMIT"

	run -0 skep --plain proposals
	equal "$N alice needs-review $COMMIT 0 say two" "$(cut -f 1-5,7 <<< "$output" | tr '\t' ' ')"
	run -0 skep diff "$N"
	contains "$output" '-one'
	contains "$output" '+two'
	run -0 skep diff "$N" --stat --against 0
	contains "$output" agent.json
	contains "$(member hm1nd proposals)" needs-review

	run -0 skep approve "$N" --commit "$COMMIT" -m 'looks right'
	contains "$output" "proposal $N is deployed"
	runs_what two
	equal 'approved/2 building/2 deployed/2 proposal/2' "$(tags alice '*/2')"
	for tag in proposal approved deployed; do
		equal tag "$(applied alice cat-file -t "$tag/2")"
	done
	equal "$COMMIT" "$(applied alice rev-parse main)"
	contains "$(applied alice cat-file tag approved/2)" 'looks right'
	contains "$(applied alice cat-file tag approved/2)" 'Skep-Actor: uid 0'
	contains "$(applied alice cat-file tag deployed/2)" "Skep-System: $(applied alice rev-parse "$COMMIT^{tree}")"
	equal "$(meta rev-parse main)" "$(applied alice cat-file tag deployed/2 | sed -n 's/^Skep-Meta: //p')"
	equal 2 "$(desired alice deployed)"
	equal "$COMMIT" "$(desired alice revision)"
	equal "deploy alice deployed/2 ${COMMIT:0:12}" "$(meta log -1 --format=%s main)"
	# one change, one readable difference
	equal '1	1	agents.json' "$(meta show --numstat --format= main)"
	contains "$(skep log "$N")" 'the container runs system'
	run -0 skep history alice
	contains "$output" "deploy alice deployed/2"

	# what is not built on what is deployed is flagged
	N=$(submit alice "$(inside hm1nd git -C /agents/alice rev-parse HEAD)")
	contains "$(skep proposals)" "$N"
	run -8 skep approve "$N" --commit "$(inside hm1nd git -C /agents/alice rev-parse HEAD)"
	contains "$output" '--ack history-rewritten'
	follow alice
	N=2

	# the same verdict again is the same answer, the opposite one is refused
	run -0 skep approve "$N" --commit "$COMMIT"
	run -5 skep deny "$N" -m 'too late'
}

@test "no file of git's or the user's configuration has a say" {
	in_host sh -c 'printf "[core]\n\tfsmonitor = touch /tmp/ran\n\thooksPath = /tmp\n[user]\n\tname = x\n" | tee /etc/gitconfig /root/.gitconfig'
	propose alice 'echo configured > rootfs/etc/hive/what' 'with configuration'
	approve
	runs_what configured
	contains "$(applied alice cat-file tag "deployed/$N")" 'tagger skep <skep@localhost>'
	contains "$(meta log -1 --format='%an %ae %cn' main)" skep
	fails in_host test -e /tmp/ran
	in_host rm /etc/gitconfig /root/.gitconfig
}

@test "a denial is recorded with its note" {
	propose alice 'echo three > rootfs/etc/hive/what' 'say three'
	run -2 skep deny "$N"
	run -0 skep deny "$N" -m $'not like this\n# nor like that'
	equal "denied/$N proposal/$N" "$(tags alice "*/$N")"
	contains "$(applied alice cat-file tag "denied/$N")" $'not like this\n# nor like that'
	contains "$(member hm1nd proposals --state all)" denied
	run -0 skep deny "$N" -m 'again'
	run -5 approve
	contains "$output" 'is denied'
	runs_what configured
}

@test "a newer proposal replaces an undecided one" {
	propose alice 'echo four > rootfs/etc/hive/what' 'say four'
	first=$N first_commit=$COMMIT
	propose alice 'echo five > rootfs/etc/hive/what' 'say five'
	equal $((first + 1)) "$N"
	equal "proposal/$first superseded/$first" "$(tags alice "*/$first")"
	run -5 skep approve "$first" --commit "$first_commit"
	contains "$output" superseded
	# its own maker takes the newer one back
	member hm1nd cancel "$N"
	equal "cancelled/$N proposal/$N" "$(tags alice "*/$N")"
	run -5 approve
	runs_what configured
}

@test "an approval is of what was looked at, and of what it was proposed on" {
	propose alice 'echo six > rootfs/etc/hive/what; sed -i "s/\"soak\": 0/\"soak\": 8/" agent.json' 'say six, slowly'
	run -5 skep approve "$N" --commit "$(desired alice revision)"
	contains "$output" 'nothing is approved'
	run -2 skep approve "$N"
	contains "$(operator "{\"cmd\":\"approve\",\"id\":$N,\"comit\":\"$COMMIT\"}")" '"code":"bad_request"'
	contains "$(operator "{\"cmd\":\"approve\",\"id\":$N,\"tree\":\"$COMMIT\"}")" '"code":"stale"'
	equal "proposal/$N" "$(tags alice "*/$N")"

	# while it is being deployed, another one is made on the base that is about to move
	slow=$N
	approve --no-wait
	wait_for 60 is_state "$slow" deploying
	propose alice 'echo seven > rootfs/etc/hive/what; sed -i "s/\"soak\": 8/\"soak\": 0/" agent.json' 'say seven'
	wait_for 90 is_state "$slow" deployed
	runs_what six
	equal "proposal/$N stale/$N" "$(tags alice "*/$N")"
	run -5 approve
	contains "$output" 'the base moved'
	# on the new base it is a new proposal
	N=$(submit alice "$COMMIT")
	approve
	runs_what seven
}

@test "flags must be named, and some cannot be approved at all" {
	propose alice 'head -c 2000 /dev/urandom > rootfs/etc/hive/data; chmod +x rootfs/etc/hive/what; echo eight > rootfs/etc/hive/what' 'with data'
	run -8 approve
	contains "$output" 'binary-file: a file that is not text is new or changed: rootfs/etc/hive/data'
	contains "$output" 'mode-changed'
	run -8 approve --ack mode-changed
	contains "$output" '--ack binary-file'
	run -2 approve --ack no-such-flag
	equal "proposal/$N" "$(tags alice "*/$N")"
	run -0 approve --ack mode-changed --ack binary-file
	contains "$(applied alice cat-file tag "approved/$N")" $'Skep-Ack: mode-changed\nSkep-Ack: binary-file'
	runs_what eight

	propose alice 'ln -s ../../../etc/shadow rootfs/etc/hive/secret' 'a link'
	run -8 approve --ack symlink-escape
	contains "$output" 'rootfs/etc/hive/secret'
	equal "proposal/$N" "$(tags alice "*/$N")"
	skep deny "$N" -m 'no'
	follow alice
}

@test "a build that fails changes nothing" {
	before=$(shown alice leader)
	in_host mount -t tmpfs -o size=4k full /var/lib/skep/systems
	propose alice 'echo nine > rootfs/etc/hive/what' 'say nine'
	run approve
	in_host umount /var/lib/skep/systems
	equal 6 "$status"
	contains "$output" 'No space left'
	equal "approved/$N building/$N failed/$N proposal/$N" "$(tags alice "*/$N")"
	contains "$(applied alice cat-file tag "failed/$N")" 'No space left'
	equal "$before" "$(shown alice leader)"
	runs_what eight
	equal '' "$(in_host find /var/lib/skep/systems -name '.staging*')"
	# a verdict is used up; the same commit is a new proposal
	run -0 approve
	equal failed "$(state_of "$N")"
	again=$(submit alice "$COMMIT")
	equal $((N + 1)) "$again"
	N=$again
	approve
	runs_what nine
}

@test "a service that does not come up brings the old system back" {
	deployed=$(desired alice deployed) main=$(applied alice rev-parse main)
	propose alice 'echo ten > rootfs/etc/hive/what
		sed -i "s/\"grace\": 20/\"grace\": 1/" agent.json
		sed -i -e "s|^ExecStart=.*|ExecStart=/bin/false|" -e /^Restart=/d rootfs/etc/systemd/system/agent.service' 'cannot work'
	run -7 approve
	contains "$output" "unit 'agent.service' failed"
	contains "$output" 'rolled back'
	equal "approved/$N building/$N failed/$N proposal/$N" "$(tags alice "*/$N")"
	contains "$(applied alice cat-file tag "failed/$N")" "unit 'agent.service' failed"
	runs_what nine
	equal active "$(inside alice systemctl is-active agent.service)"
	equal "$deployed" "$(desired alice deployed)"
	equal "$main" "$(applied alice rev-parse main)"
	follow alice
}

@test "a system that does not even boot brings the old one back" {
	propose alice 'mkdir -p rootfs/usr/lib/systemd; ln -s /bin/false rootfs/usr/lib/systemd/systemd' 'no init'
	run -7 approve
	contains "$output" 'the switch failed'
	contains "$output" 'rolled back'
	runs_what nine
	follow alice
}

@test "a rollback is a new proposal of an old tree" {
	head=$(applied alice rev-parse main)
	# what the agent plants in its own root does not come back with it
	inside alice touch /etc/planted
	run -0 skep --json rollback alice 0
	N=$(field id <<< "$output")
	equal "approved/$N building/$N deployed/$N proposal/$N" "$(tags alice "*/$N")"
	equal "$(applied alice rev-parse 'deployed/0^{tree}')" "$(applied alice rev-parse 'main^{tree}')"
	equal "$head" "$(applied alice rev-parse main~1)"
	fails inside alice test -e /etc/hive/what
	equal "$N" "$(desired alice deployed)"
	# and back to where it was before
	run -0 skep rollback alice
	runs_what nine
	fails inside alice test -e /etc/planted
	run -3 skep rollback alice 999
	run -5 skep rollback alice "$(desired alice deployed)"
}

@test "a rebuild restarts nothing that is right, and makes what is missing" {
	before=$(shown alice leader) record=$(tags alice)
	skep rebuild alice
	equal "$before" "$(shown alice leader)"
	in_host rm -rf "/var/lib/skep/systems/$(shown alice system)"
	skep stop alice
	skep rebuild alice
	in_host test -d "/var/lib/skep/systems/$(applied alice rev-parse 'main^{tree}')"
	equal "$record" "$(tags alice)"
	# it was seen to come up, and is stopped as before
	equal stopped "$(shown alice state)"
	skep start alice
	runs_what nine
}

# with_flipped FILE OFFSET COMMAND...: while one byte of the file in the host is another
with_flipped() {
	local file=$1 offset=$2 status=0
	shift 2
	in_host cp -a "$file" /tmp/kept
	in_host python3 -c '
import os, sys
path, offset = sys.argv[1], int(sys.argv[2])
data = bytearray(open(path, "rb").read())
data[offset] ^= 1
mode = os.stat(path).st_mode
os.chmod(path, 0o600)
with open(path, "r+b") as f: f.write(data)
os.chmod(path, mode)' "$file" "$offset"
	"$@" || status=$?
	in_host sh -c 'cat /tmp/kept > "$1"' - "$file"
	return $status
}

@test "the record verifies, and no byte of it can change unnoticed" {
	run -0 skep audit verify
	contains "$output" 'the record is whole'
	denied=$(tags alice 'denied/*' | cut -d' ' -f1)
	for tag in proposal/2 deployed/0 "$denied"; do
		id=$(applied alice rev-parse "$tag")
		file=/var/lib/skep/applied/alice/.git/objects/${id:0:2}/${id:2}
		size=$(in_host stat -c %s "$file")
		for offset in 3 $((size / 2)) $((size - 1)); do
			run -1 with_flipped "$file" "$offset" skep audit verify
			contains "$output" 'NOT whole'
		done
	done
	log=/var/lib/skep/audit/log.jsonl
	for offset in 12 200 $(($(in_host stat -c %s $log) - 5)); do
		run -1 with_flipped $log "$offset" skep audit verify
		contains "$output" 'log line'
	done
	# a verdict taken away
	in_host mv "/var/lib/skep/applied/alice/.git/refs/tags/$denied" /tmp/kept-ref
	run -1 skep audit verify
	in_host mv /tmp/kept-ref "/var/lib/skep/applied/alice/.git/refs/tags/$denied"
	run -0 skep audit verify
}
