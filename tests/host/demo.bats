# The first thing anybody runs: the demo, playing the operator as well.
# bats file_tags=alone

load lib/common

traces() {
	find /var/tmp /run /sys/fs/cgroup -maxdepth 3 -name 'skep-demo*' 2> /dev/null
	pgrep -af 'skep-demo\.' || true
	# a control group of a container that is gone (those of hives that run meanwhile have processes)
	grep -l '^populated 0' /sys/fs/cgroup/skep-*/cgroup.events /sys/fs/cgroup/unified/skep-*/cgroup.events 2> /dev/null || true
}

# what is there now and was not before: another run that was killed may have left traces of its own
left_behind() {
	traces | sort | comm -13 "$BATS_TEST_TMPDIR/before" -
}

setup() {
	traces | sort > "$BATS_TEST_TMPDIR/before"
}

@test "the demo shows a hive, decides three proposals, and leaves nothing behind" {
	local out private=$BATS_TEST_TMPDIR/private
	# where only root can walk to, as in root's home
	mkdir -m 700 "$private"
	cp "$BUILD"/skep* "$private/"
	cp -R "$ROOT/templates" "$private/"
	chmod -R go+rX "$private/templates"
	out=$(DEMO_ONCE=1 "$ROOT/share/demo/demo" "$private" 2>&1) || {
		echo "$out" >&2
		return 1
	}
	[[ $out =~ http://127\.0\.0\.1:77[0-9]+/login#[0-9a-f]{64} ]]
	contains "$out" 'proposal 1 is deployed'
	contains "$out" 'denied proposal 2'
	contains "$out" 'rolled back'
	contains "$out" 'tags of alice: approved/1 approved/3 building/1 building/3 deployed/0 deployed/1 failed/3 proposal/1 proposal/3'
	contains "$out" 'tags of bob: denied/2 deployed/0 proposal/2'
	contains "$out" 'the record is whole'
	equal '' "$(left_behind)"
}

@test "Ctrl-C ends the demo and leaves nothing behind" {
	local pid
	setsid "$ROOT/share/demo/demo" "$BUILD" > "$BATS_TEST_TMPDIR/out" 2>&1 &
	pid=$!
	wait_for 60 grep -q 'the hive is up' "$BATS_TEST_TMPDIR/out"
	# the dashboard's server answers (the demo has seen it) and has no network of its own to leave by
	web=$(pgrep -f "^skep-web .*skep-demo")
	[ "$(readlink "/proc/$web/ns/net")" != "$(readlink /proc/self/ns/net)" ]
	kill -INT -- "-$pid"
	wait "$pid" || true
	equal '' "$(left_behind)"
}
