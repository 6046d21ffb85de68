#!/usr/bin/env bats
# What a hive lives on goes away for a while: its disk is full at every step of a deploy or read-only, the system bus is
# not there, locks of somebody who died lie in its repositories, the date jumps, there are few descriptors. It says what
# is wrong, loses nothing, and goes on when that is mended.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/crash

STATE=/var/lib/skep

setup_file() {
	skep_host_up
	# a disk of its own, small enough to be filled in a moment
	in_host mount -t tmpfs -o size=256M,mode=755 state $STATE
	in_host systemd-tmpfiles --create /etc/tmpfiles.d/skep.conf
	hive_config proposals_per_hour=1000
	turn_clock 0
	unit_setting skepd.service faults "Environment=SKEP_CRASH_FILE=$CRASH LD_PRELOAD=/helpers/clock.so SKEP_CLOCK=/run/clock" \
		StartLimitBurst=1000
	unit_setting skep-web.service faults 'Environment=LD_PRELOAD=/helpers/clock.so SKEP_CLOCK=/run/clock'
	in_host systemctl enable --now skepd.socket skepd-read.socket skep-exec.socket skep-web.socket
	in_host systemctl start skepd.service
	skep spawn hm1nd
	skep spawn alice
	propose alice 'sed -i "s/\"soak\": 2/\"soak\": 0/" agent.json' 'first'
	approve
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

fill() {
	in_host sh -c "cat /dev/zero > $STATE/filler" 2> /dev/null || true
}

free() {
	in_host rm -f $STATE/filler
}

# hold_at POINT: the controller stops there, once
hold_at() {
	arm "$1 hold"
}

# holds: it has come to the point and stopped
holds() {
	in_host test ! -e "$CRASH" && contains "$(in_host cat "/proc/$(pid_of skepd.service)/stat")" ') T '
}

go_on() {
	in_host kill -CONT "$(pid_of skepd.service)"
}

# is_unready CHECK TEXT: it says itself that it is not well, and why
is_unready() {
	local said
	said=$(operator '{"cmd":"ready"}')
	contains "$said" "\"name\":\"$1\",\"ok\":false"
	contains "$said" "$2"
}

is_ready() {
	contains "$(operator '{"cmd":"ready"}')" '"ready":{"ok":true'
}

has_ended() {
	case $(state_of "$1") in
	deployed | failed) ;;
	*) return 1 ;;
	esac
}

# said TEXT: the controller told the operator of the machine
said() {
	in_host sh -c "journalctl -q --no-pager -o cat -u skepd -u skep-exec | grep -q '$1'"
}

# one more line in a file, so that every proposal is another
next() {
	propose alice "echo '$1' >> rootfs/etc/lines" "$1"
}

# turn_clock SECONDS: the date of the controller and of the dashboard's server is so far off
turn_clock() {
	python3 -c 'import struct, sys; sys.stdout.buffer.write(struct.pack("q", int(sys.argv[1])))' "$1" |
		in_host sh -c 'cat > /run/clock.new; [ -e /run/clock ] || cp /run/clock.new /run/clock; dd if=/run/clock.new of=/run/clock conv=notrunc status=none'
}

@test "the disk is full when a commit is submitted and when it is decided" {
	COMMIT=$(commit alice 'echo full >> rootfs/etc/lines' 'full')
	before=$(tags alice)
	fill
	run ! submit alice "$COMMIT"
	contains "$output" 'No space left on device'
	equal "$before" "$(tags alice)"
	# what needs no room is there
	skep status
	equal running "$(shown alice state)"
	is_unready room 'less than 64 MiB are free'
	free
	is_ready
	N=$(submit alice "$COMMIT")
	fill
	run ! approve
	contains "$output" 'No space left on device'
	equal needs-review "$(state_of "$N")"
	run ! skep set alice memory_max=3G
	contains "$output" 'No space left on device'
	run ! skep deny "$N" -m no
	contains "$output" 'No space left on device'
	free
	approve
	is_true
	equal full "$(inside alice tail -n 1 /etc/lines)"
}

@test "the disk becomes full at any step of a deploy" {
	pid=$(pid_of skepd.service)
	for point in approved building built switched probed deployed main-moved; do
		next "$point"
		hold_at $point
		background "approve-$point" skep approve "$N" --commit "$COMMIT"
		wait_for 60 holds
		fill
		go_on
		sleep 2
		# nobody is told that it was deployed before that is on disk, and the commit is not to blame
		case $(state_of "$N") in
		deployed) contains "$(tags alice "*/$N")" "deployed/$N" ;;
		failed) equal 'no verdict on the commit' "failed at $point" ;;
		esac
		is_unready room 'less than 64 MiB are free'
		free
		wait_for 60 is_state "$N" deployed
		# what follows from it is put off, and tried again every few seconds
		wait_for 30 is_true
		equal "$point" "$(inside alice tail -n 1 /etc/lines)"
	done
	said 'No space left on device'
	equal "$pid" "$(pid_of skepd.service)"
}

@test "a deploy that waits for room can be cancelled" {
	next waits
	hold_at built
	background approve-waits skep approve "$N" --commit "$COMMIT"
	wait_for 60 holds
	fill
	# enough for a tag, not for a deploy
	in_host truncate -s -30M $STATE/filler
	go_on
	wait_for 30 said 'less than 64 MiB are free for the record'
	# some attempts later the container is still said to be well
	sleep 8
	fails contains "$(operator '{"cmd":"drift"}')" 'in a row'
	skep cancel "$N"
	equal cancelled "$(state_of "$N")"
	free
	wait_for 30 is_true
}

@test "the disk becomes full while a deploy fails" {
	deployed=$(desired alice deployed)
	before=$(inside alice cat /etc/lines)
	for point in rolling-back failing; do
		next_bad "$point"
		hold_at $point
		approve --no-wait
		wait_for 60 holds
		fill
		go_on
		sleep 2
		free
		wait_for 60 is_state "$N" failed
		wait_for 30 is_true
		equal "$deployed" "$(desired alice deployed)"
		equal "$before" "$(inside alice cat /etc/lines)"
		follow alice
	done
}

# write_nothing ro|rw: what the controller and its hands see of the state directory, but for the log that is open
write_nothing() {
	local pid
	for pid in $(pid_of skepd.service) $(pid_of skep-exec.service); do
		in_host nsenter -t "$pid" -m sh -c "grep -o ' ${STATE}[^ ]* ' /proc/self/mountinfo | sort -u | grep -v audit | while read -r d; do mount -o remount,bind,$1 \$d; done"
	done
}

@test "the state directory is read-only for a while" {
	COMMIT=$(commit alice 'echo ro >> rootfs/etc/lines' 'read-only')
	pid=$(pid_of skepd.service)
	write_nothing ro
	run ! submit alice "$COMMIT"
	contains "$output" 'Read-only file system'
	run ! skep set alice memory_max=3G
	contains "$output" 'Read-only file system'
	skep list
	equal running "$(shown alice state)"
	is_unready room 'read-only file system'
	write_nothing rw
	is_ready
	N=$(submit alice "$COMMIT")
	approve
	is_true
	equal ro "$(inside alice tail -n 1 /etc/lines)"
	equal "$pid" "$(pid_of skepd.service)"
}

@test "it does not start on what is read-only, and says why" {
	in_host systemctl stop skepd.socket skepd-read.socket skepd-web.socket skepd.service
	in_host sh -c "mount --bind $STATE/meta $STATE/meta && mount -o remount,bind,ro $STATE/meta"
	in_host systemctl start skepd.socket
	run ! in_host timeout 5 systemctl start skepd.service
	said 'Read-only file system'
	in_host umount $STATE/meta
	in_host systemctl stop skepd.service
	in_host systemctl reset-failed skepd.service skepd.socket
	in_host systemctl start skepd.socket skepd-read.socket skepd-web.socket
	is_true
}

@test "locks of somebody who died lie in every repository" {
	for file in refs/tags/proposal/99.lock refs/heads/main.lock HEAD.lock packed-refs.lock config.lock index.lock; do
		in_host runuser -u skep -- sh -c "for d in $STATE/applied/alice $STATE/meta; do mkdir -p \$d/.git/refs/tags/proposal; : > \$d/.git/$file; done"
	done
	# what one is in the way of says so, and what helps
	run ! skep set alice memory_max=4G
	contains "$output" "heads/main.lock' is in the way"
	contains "$output" 'a restart of the controller removes what is stale'
	in_host systemctl restart skepd
	skep set alice memory_max=4G
	in_host sh -c "! find $STATE/applied $STATE/meta -name '*.lock' | grep ."
	# an agent's own are its own: nothing reads them but git, and its commit is taken as ever
	COMMIT=$(commit alice 'echo locks >> rootfs/etc/lines' 'locks')
	for file in refs/heads/main.lock HEAD.lock packed-refs.lock index.lock; do
		inside hm1nd touch "/agents/alice/.git/$file"
	done
	N=$(submit alice "$COMMIT")
	inside hm1nd sh -c 'find /agents/alice/.git -name "*.lock" -delete'
	approve
	is_true
}

@test "the system bus goes and comes back" {
	pid=$(pid_of skepd.service)
	next bus
	in_host sh -c 'systemctl stop dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket'
	# what needs systemd fails in its words; what does not need it is there
	run ! skep restart alice
	contains "$output" 'bus'
	skep status
	in_host systemctl start dbus.socket
	wait_for 90 skep restart alice
	approve
	is_true
	equal bus "$(inside alice tail -n 1 /etc/lines)"
	equal "$pid" "$(pid_of skepd.service)"
}

@test "the date jumps by years, forward and back" {
	next clock
	propose alice 'sed -i "s/\"soak\": 0/\"soak\": 3/" agent.json' 'soaks'
	approve --no-wait
	wait_for 60 in_host grep -q 'came good' "$STATE/logs/$N.log"
	turn_clock $((3 * 365 * 86400))
	wait_for 60 is_state "$N" deployed
	contains "$(skep --json audit | head -c 400)" '"at":"20'
	is_true
	# whoever is logged in stays it for so many hours, of whatever date
	turn_clock $((-2 * 365 * 86400))
	propose alice 'sed -i "s/\"soak\": 3/\"soak\": 0/" agent.json' 'back'
	approve
	is_true
	in_host systemctl restart skepd.service
	turn_clock 0
	next 'clock again'
	approve
	is_true
	# what was decided in which order is not told by the date
	skep audit verify
}

@test "there are few descriptors" {
	unit_setting skepd.service few LimitNOFILE=44
	in_host systemctl restart skepd.service
	pid=$(pid_of skepd.service)
	next descriptors
	# more people than there is room for: the operator of the machine is told
	background crowd python3 -c '
import socket, time
those = []
for _ in range(60):
    those.append(socket.socket(socket.AF_UNIX))
    those[-1].connect("/run/skep/operator.sock")
time.sleep(600)'
	wait_for 30 said 'who connects has to wait: Too many open files'
	# it hangs no more than it hears: systemd, which ends who is not heard of for half a minute, leaves it alone
	sleep 32
	equal "$pid" "$(pid_of skepd.service)"
	ended crowd
	wait_for 30 skep status
	approve
	is_true
	equal descriptors "$(inside alice tail -n 1 /etc/lines)"
	equal "$pid" "$(pid_of skepd.service)"
}
