#!/usr/bin/env bats
# What daily operation asks of skep-exec, against real containers: what they use, holding them still, their journals, the
# machine's checks, and letting go of what was built for nobody any more.
# shellcheck disable=SC2016,SC2086 # what is quoted is for the shell inside; ids are digits

load lib/common
load lib/exec

setup_file() {
	exec_programs
	exec_up
	system $S1 > /dev/null
}

teardown_file() {
	exec_down
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || cat "$HIVE/log" >&2
}

running() {
	[ "$(row "$1" .state)" = running ] || up "$1" > /dev/null
}

@test "what containers use is counted by their own groups, one by one and all at once" {
	running alice
	usage=$(ask observe '{"what":"usage","agent":"alice"}')
	[ "$(jq .memory_bytes <<< "$usage")" -gt 1000000 ]
	[ "$(jq .tasks <<< "$usage")" -gt 3 ]
	[ "$(jq .cpu_usec <<< "$usage")" -gt 10000 ]
	[ "$(jq .pressure.cpu <<< "$usage")" != null ] || fails test -e /proc/pressure/cpu
	fails grep -q null <<< "$usage"
	equal "alice" "$(ask observe '{"what":"usage"}' | jq -r '.usage[] | select(.tasks > 3).agent' | grep alice)"
	ask stop '{"agent":"alice"}'
	fails grep -q alice <<< "$(ask observe '{"what":"usage"}')"
	refused wrong_state observe '{"what":"usage","agent":"alice"}'
}

# What the processes inside have used of the processors, in ticks.
ticks() {
	local stat
	stat=$(< "/proc/$1/stat")
	set -- ${stat##*) }
	echo $((${12} + ${13}))
}

# The pid, as this machine sees it, of a command that runs in alice.
busy_pid() {
	pgrep -f '^busy-in-alice'
}

@test "freeze holds everything in a container still, thaw and a stop let it go" {
	running alice
	run_in alice systemd-run --quiet bash -c 'exec -a busy-in-alice bash -c "while :; do :; done"'
	wait_for 10 busy_pid
	pid=$(busy_pid)
	equal true "$(ask freeze '{"agent":"alice","frozen":true}' | jq .frozen)"
	equal "running true" "$(row alice '"\(.state) \(.frozen)"')"
	before=$(ticks $pid)
	sleep 0.3
	equal "$before" "$(ticks $pid)"
	# Again is fine, and others go on.
	ask freeze '{"agent":"alice","frozen":true}'
	equal false "$(ask freeze '{"agent":"alice","frozen":false}' | jq .frozen)"
	equal "running null" "$(row alice '"\(.state) \(.frozen)"')"
	wait_for 10 eval '[ "$(ticks $pid)" -gt $before ]'
	# What is held still could not halt: a stop lets it go first, and needs no kill.
	ask freeze '{"agent":"alice","frozen":true}'
	begin=${EPOCHREALTIME/./}
	ask stop '{"agent":"alice","timeout_s":30}'
	[ $((${EPOCHREALTIME/./} - begin)) -lt 20000000 ]
	equal stopped "$(row alice .state)"
	refused wrong_state freeze '{"agent":"alice","frozen":true}'
}

# journal AGENT JSON: what the verb logs writes
journal() {
	ask logs "$2" | grep -v '^{"id"'
}

# says AGENT TEXT JSON: whether the journal holds it
says() {
	journal "$1" "$3" | grep -q "$2"
}

@test "a journal is read by priority and cursor, without its system's own lines, and after the end" {
	running alice
	run_in alice systemd-run --quiet --wait --description=lines sh -c 'echo "<4>line-one"; echo line-two; logger line-three; sleep 0.2'
	wait_for 10 says alice line-three '{"agent":"alice","lines":100}'
	wait_for 10 says alice line-two '{"agent":"alice","lines":100}'
	wait_for 10 says alice line-one '{"agent":"alice","lines":100}'
	contains "$(journal alice '{"agent":"alice","lines":1000}')" 'Startup finished'
	fails grep -q 'Startup finished' <<< "$(journal alice '{"agent":"alice","lines":1000,"mine":true}')"
	contains "$(journal alice '{"agent":"alice","mine":true}')" line-two
	fails grep -q line-two <<< "$(journal alice '{"agent":"alice","priority":"warning"}')"
	cursor=$(journal alice '{"agent":"alice","priority":"warning","output":"json"}' | jq -r 'select(.MESSAGE == "line-one").__CURSOR')
	after=$(journal alice "{\"agent\":\"alice\",\"after_cursor\":\"$cursor\"}")
	contains "$after" line-three
	fails grep -q line-one <<< "$after"
	ask stop '{"agent":"alice"}'
	# What it left is read as its own user: a journal that is none, and one that leads away, are nothing to root.
	contains "$(journal alice '{"agent":"alice","lines":1000,"mine":true}')" line-two
	refused wrong_state logs '{"agent":"alice","follow":true}'
	root=$STATE/roots/alice/$S1
	mv "$root/var/log/journal" "$root/var/log/away"
	ln -s /var/log "$root/var/log/journal"
	refused 'read safely' logs '{"agent":"alice"}'
	rm "$root/var/log/journal"
	mv "$root/var/log/away" "$root/var/log/journal"
	running alice
}

# check NAME FILTER: of the machine's checks
check() {
	ask observe '{"what":"host"}' | jq -r ".checks[] | select(.name == \"$1\") | $2"
}

@test "the checks say what is wrong with a machine, and the command that mends it" {
	ask observe '{"what":"host"}' | jq -e '.checks | all(.ok or (.fix | length > 10))'
	for dir in "$STATE"/roots/*; do
		mkdir -p "$STATE/applied/${dir##*/}"
	done
	equal true "$(check leftovers .ok)"
	chmod 0777 "$STATE/roots"
	equal false "$(check directories .ok)"
	contains "$(check directories .fix)" "chmod 0700 $STATE/roots"
	bash -c "$(check directories '.fix | split("; ") | map(select(test("roots"))) | join("; ")')"
	fails grep -q "$STATE/roots" <<< "$(check directories .detail)"
	mkdir -p "$STATE/systems/.staging-7" "$STATE/roots/ghost"
	touch -d '2 hours ago' "$STATE/systems/.staging-7"
	equal false "$(check leftovers .ok)"
	contains "$(check leftovers .detail)" .staging-7
	contains "$(check leftovers .fix)" "$STATE/roots/ghost"
	rm -r "$STATE/systems/.staging-7" "$STATE/roots/ghost"
	equal true "$(check leftovers .ok)"
}

@test "retain removes built systems that nobody names, never what is a root" {
	running alice
	old=4444444444444444444444444444444444444444
	new=5555555555555555555555555555555555555555
	named=6666666666666666666666666666666666666666
	for dir in $old $new $named; do
		mkdir -p "$STATE/systems/$dir/rootfs/etc"
	done
	used=$(row alice .system)
	touch -d '1 hour ago' "$STATE/systems/$old" "$STATE/systems/$named" "$STATE/systems/$used"
	equal 1 "$(ask retain "{\"systems\":[\"$named\"]}" | jq .removed)"
	fails test -e "$STATE/systems/$old"
	test -d "$STATE/systems/$new"
	test -d "$STATE/systems/$named"
	test -d "$STATE/systems/$used"
	equal 0 "$(ask retain "{\"systems\":[\"$named\"]}" | jq .removed)"
	refused "'systems'" retain '{"systems":[1]}'
	rm -r "$STATE/systems/$new" "$STATE/systems/$named"
}
