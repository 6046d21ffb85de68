# What the tests of sudden deaths share: the controller dies at a named point of whatever it does (src/base/crash.h),
# once, and systemd starts it again. After lib/hive.

CRASH=/var/lib/skep/logs/crash

# crash_hive_up: a hive that can be told where to die, with its manager and alice
crash_hive_up() {
	hive_up proposals_per_hour=1000
	crash_points
	skep spawn hm1nd
	skep spawn alice
	propose alice 'sed -i "s/\"soak\": 2/\"soak\": 0/" agent.json' 'first'
	approve
}

# crash_points: a hive that runs already can be told so from now on
crash_points() {
	# skepd itself removes the file; the pause leaves time to tell it where to die next
	unit_setting skepd.service crash "Environment=SKEP_CRASH_FILE=$CRASH" RestartSec=2
	in_host systemctl restart skepd.service
}

# arm POINT: where it dies next
arm() {
	echo "$1" | in_host tee "$CRASH" > /dev/null
	# many deaths in a row are what is tested here
	in_host systemctl reset-failed skepd.service skep-exec.service
}

has_crashed() {
	in_host test ! -e "$CRASH"
}

# dies_at POINT COMMAND...: the controller dies there, and the client is told that it is gone
dies_at() {
	local point=$1 before status
	shift
	before=$(pid_of skepd.service)
	arm "$point"
	run "$@"
	has_crashed || {
		echo "never came to '$point': $output" >&2
		return 1
	}
	equal "75 at $point" "$status at $point"
	wait_for 60 is_new_process "$before"
}

is_new_process() {
	local now
	now=$(pid_of skepd.service)
	[ "$now" != 0 ] && [ "$now" != "$1" ]
}

# one more line in a file, so that every proposal is another
next() {
	propose alice "echo '$1' >> rootfs/etc/lines" "$1"
}

# one that comes up and then fails its probe
next_bad() {
	propose alice "echo '$1' >> rootfs/etc/lines
		printf '{\"probe\": {\"kind\": \"command\", \"command\": [\"/bin/false\"], \"grace\": 0, \"soak\": 0}}\n' > agent.json" "$1"
}
