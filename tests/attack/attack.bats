#!/usr/bin/env bats
# It uses up what containers share, so that nothing else may run meanwhile.
# bats file_tags=alone
# The host attacked from inside its containers: each attempt of tests/attack/*.c in an agent's, in the manager's, and where
# nothing defends, to see that it bites; then what takes a host to watch. tests/attack/threats says where each threat is tried.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load ../host/lib/common
load ../host/lib/hive

setup_file() {
	hive_up proposals_per_hour=1000
	skep spawn hm1nd
	skep spawn alice --network private
	# shellcheck disable=SC2153 # of lib/common
	"$ROOT/tests/host/lib/mkskel" "${TESTHOST_DIR:-/var/tmp/testhost}/$HOST/disk/nix/bare"
	in_host sh -c 'printf skep-canary > /etc/skep-canary; chmod 600 /etc/skep-canary; mkdir -p /var/lib/skep/audit'
	background skep-canary python3 -c "$(< "$ROOT/tests/attack/canary.py")"
	wait_for 10 in_host test -e /run/skep-canary.ready
	for agent in hm1nd alice; do
		inside $agent sh -c 'cat > /state/attack; chmod 755 /state/attack' < "$BUILD/helpers/attack"
	done
	host_is_up
}

teardown_file() {
	host_down
}

setup() {
	CANARY=$(pid_of skep-canary.service)
}

teardown() {
	save_when_failed
}

# attempts NAME COMMAND...: what came of all of them, in $BATS_FILE_TMPDIR/NAME; each was made
attempts() {
	local to=$BATS_FILE_TMPDIR/$1
	shift
	"$@" > "$to"
	equal "$("$BUILD/helpers/attack" list | wc -l)" "$(grep -cE '^(worked|refused) ' "$to")"
}

worked() {
	sed -n 's/^worked //p' "$BATS_FILE_TMPDIR/$1" | sort
}

# nobody_else_noticed: the host is as it was
nobody_else_noticed() {
	equal "$CANARY" "$(pid_of skep-canary.service)"
	equal skep-canary "$(in_host cat /etc/skep-canary)"
	equal running "$(shown hm1nd state)"
}

@test "every threat is tried somewhere, and every place there is" {
	cd "$ROOT"
	for n in {1..24}; do
		grep -q "^T$n " tests/attack/threats || {
			echo "T$n is tried nowhere" >&2
			return 1
		}
	done
	while read -r threat place name; do
		case $place in
		attempt) "$BUILD/helpers/attack" list | grep -q "^$threat $name" ;;
		*.mjs) grep -qF -- "$name" "$place" ;;
		*) grep -qE -- "(@test \"|\b(TAKE|REFUSE)\(\"|\(|^static void |[ 	{&])$name\b" "$place" ;;
		esac || {
			echo "there is no '$name' in $place" >&2
			return 1
		}
	done < <(grep -v '^#' tests/attack/threats)
	# what a threat has attempts for, the table says
	while read -r threat; do
		grep -q "^$threat attempt " tests/attack/threats
	done < <("$BUILD/helpers/attack" list | cut -d' ' -f1 | sort -u)
}

@test "where nothing defends, it works" {
	attempts chroot in_host unshare -m bash -c "$(< "$ROOT/tests/attack/bare")" - chroot alice
	attempts nspawn in_host systemd-run -q --pipe --wait -p Delegate=yes bash -c "$(< "$ROOT/tests/attack/bare")" - nspawn alice
	{
		worked chroot
		worked nspawn
	} | sort -u > "$BATS_FILE_TMPDIR/bites"
	echo "$(wc -l < "$BATS_FILE_TMPDIR/bites") of $("$BUILD/helpers/attack" list | wc -l) work; these do not:"
	"$BUILD/helpers/attack" list | cut -d' ' -f2- | grep -vFf "$BATS_FILE_TMPDIR/bites" || true
	# each does, but for what the kernel may lack
	while read -r name; do
		grep -qxF -- "$name" "$BATS_FILE_TMPDIR/bites" || {
			echo "'$name' bites nowhere: $(grep -hF -- " $name " "$BATS_FILE_TMPDIR/chroot" "$BATS_FILE_TMPDIR/nspawn")" >&2
			return 1
		}
	done < <("$BUILD/helpers/attack" list | sed -n 's/^T[0-9]* \(.*\) -$/\1/p')
	[ "$(wc -l < "$BATS_FILE_TMPDIR/bites")" -ge 100 ]
	nobody_else_noticed
}

@test "from an agent's container nothing works" {
	attempts alice inside alice /state/attack run
	equal '' "$(worked alice)"
	nobody_else_noticed
}

@test "from the manager's, nothing works but what its network is for" {
	attempts hm1nd inside hm1nd /state/attack run
	equal "connect to the host's abstract socket
connect to the host's loopback
connect to the host's loopback, IPv6" "$(worked hm1nd)"
	nobody_else_noticed
}

@test "names and numbers of a container are its own" {
	host=$(in_host hostname)
	inside alice hostname "$host.of.another"
	inside alice sh -c 'echo of.another > /proc/sys/kernel/domainname' || true
	equal "$host" "$(in_host hostname)"
	equal '(none)' "$(in_host cat /proc/sys/kernel/domainname)"
	equal 3 "$({
		in_host cat /etc/machine-id
		inside alice cat /etc/machine-id
		inside hm1nd cat /etc/machine-id
	} | sort -u | wc -l)"
	fails inside alice sh -c 'cat /sys/class/dmi/id/product_uuid /sys/class/dmi/id/product_serial'
	# nothing of it is registered with the host
	equal '' "$(in_host machinectl --no-legend list)"
}

@test "what a container says of itself to its keeper is not believed" {
	before=$(in_host systemctl show skep-agent@alice.service -p MainPID -p ActiveState -p StatusText -p NFileDescriptorStore)
	inside alice python3 - <<-'PY'
	import array, fcntl, os, socket, struct, termios, time

	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect("/run/host/notify")
	for said in ("MAINPID=1", "STATUS=all is lost", "STOPPING=1", "ERRNO=5", "BUSERROR=x", "WATCHDOG=trigger", "X_NSPAWN_LEADER_PID=1",
	             "EXTEND_TIMEOUT_USEC=9999999999", "RELOADING=1", "READY=1\nMAINPID=1\nSTATUS=all is lost", "\n" * 4000, "x" * 100000):
	    try:
	        s.send(said.encode())
	    except OSError:
	        pass
	fd = os.open("/dev/null", os.O_RDONLY)
	for _ in range(100):
	    try:
	        s.sendmsg([b"FDSTORE=1\nFDNAME=x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd] * 100))], socket.MSG_DONTWAIT)
	    except OSError:
	        pass
	# until all of it was read
	while struct.unpack("i", fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)))[0]:
	    time.sleep(0.02)
	PY
	equal "$before" "$(in_host systemctl show skep-agent@alice.service -p MainPID -p ActiveState -p StatusText -p NFileDescriptorStore)"
	equal running "$(shown alice state)"
	nobody_else_noticed
}

@test "what it writes without end fills no log of the host" {
	before=$(in_host du -sk /var/log /run/log | awk '{ n += $1 } END { print n }')
	inside alice python3 - <<-'PY'
	import os

	line = b"a line of a flood\x1b]0;owned\x07\n" * 1000
	for path in "/dev/console", "/proc/1/fd/1", "/proc/1/fd/2", "/dev/kmsg", "/dev/tty":
	    try:
	        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
	    except OSError:
	        continue
	    for _ in range(1000):
	        try:
	            os.write(fd, line)
	        except OSError:
	            pass
	    os.close(fd)
	PY
	after=$(in_host du -sk /var/log /run/log | awk '{ n += $1 } END { print n }')
	[ $((after - before)) -lt 4096 ]
	equal '' "$(in_host journalctl --no-pager -o cat -g 'a line of a flood' || true)"
	equal 0 "$(dmesg | grep -c 'a line of a flood')"
	nobody_else_noticed
}

@test "what it uses up is its own: descriptors, namespaces, shared memory" {
	inside alice python3 - <<-'PY' 3>&- &
	import ctypes, os, resource, signal, time

	libc = ctypes.CDLL(None)
	most = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 4)
	resource.setrlimit(resource.RLIMIT_NOFILE, (most * 4,) * 2)
	# not inotify: the kernel counts it for all containers together, and other tests run beside this one
	for make in lambda: libc.eventfd(0, 0), lambda: libc.timerfd_create(1, 0):
	    for _ in range(most):
	        if make() < 0:
	            break
	held = []
	for key in range(64):
	    libc.shmget(key + 1000, 4096, 0o1600)
	    held.append(os.fork())
	    if held[-1] == 0:
	        libc.unshare(0x10000000 | 0x08000000 | 0x04000000)
	        signal.pause()
	os.mkdir("/state/full")
	for _ in range(600):
	    if os.path.exists("/state/enough"):
	        break
	    time.sleep(0.1)
	for pid in held:
	    os.kill(pid, signal.SIGKILL)
	PY
	flood=$!
	wait_for 30 inside alice test -e /state/full
	for where in in_host 'inside hm1nd'; do
		$where python3 -c '
import ctypes
libc = ctypes.CDLL(None)
assert libc.eventfd(0, 0) >= 0 and libc.timerfd_create(1, 0) >= 0
assert libc.shmget(1, 4096, 0o1600) >= 0'
		$where unshare -U -r true
	done
	equal ok "$(member hm1nd --json whoami > /dev/null && echo ok)"
	inside alice touch /state/enough
	wait "$flood"
	nobody_else_noticed
}

@test "a file with another's rights is nobody's on the host" {
	inside alice sh -c 'cp /usr/bin/id /state/setuid && chmod 6755 /state/setuid && chmod 777 /state || true'
	equal "$(shown alice uid_base) 6755" "$(in_host stat -c '%u %a' /var/lib/skep/agents/alice/state/setuid)"
	fails in_host setpriv --reuid=1000 --regid=1000 --clear-groups ls /var/lib/skep/roots/alice
	# it runs with the rights of an id that is the container's alone, not of root
	equal 0 "$(in_host setpriv --reuid=1000 --regid=1000 --clear-groups /var/lib/skep/agents/alice/state/setuid -u 2> /dev/null | grep -cx 0)"
	inside alice sh -c 'chmod 700 /state; rm /state/setuid'
}

# race DIRECTORY: the manager renames it and a link to the host's own over each other, until the race is `over`
race() {
	inside hm1nd python3 - "$1" <<-'PY'
	import os, sys, time

	at, aside, link = sys.argv[1], sys.argv[1] + ".aside", sys.argv[1] + ".link"
	os.makedirs(at, exist_ok=True)
	if not os.path.islink(link):
	    os.symlink("/var/lib/skep/victim", link)
	end = time.monotonic() + 120
	while time.monotonic() < end and not os.path.exists("/state/over"):
	    try:
	        os.rename(at, aside); os.rename(link, at)
	        os.rename(at, link); os.rename(aside, at)
	    except OSError:
	        if not os.path.isdir(os.path.dirname(at)):
	            break
	PY
}

over() {
	inside hm1nd touch /state/over
	wait "$1" || true
	inside hm1nd rm /state/over
}

@test "links that come and go under its readers lead nowhere" {
	in_host sh -c 'mkdir -p /var/lib/skep/victim/pack; echo kept > /var/lib/skep/victim/kept; chmod -R go-rwx /var/lib/skep/victim'
	COMMIT=$(commit alice 'echo raced > rootfs/etc/raced')
	race /agents/alice/.git/objects 3>&- &
	racing=$!
	for _ in 1 2 3 4 5 6; do
		member hm1nd --quiet submit alice "$COMMIT" > /dev/null 2>&1 || true
	done
	over $racing
	equal kept "$(in_host cat /var/lib/skep/victim/kept)"
	equal 'kept pack' "$(in_host ls /var/lib/skep/victim | xargs)"
	applied alice fsck --strict --no-dangling --no-progress
	equal '' "$(in_host journalctl --no-pager -o cat -g 'dumped core|killed, status=(6|11)' || true)"
	nobody_else_noticed
}

@test "a container that kills and stops all it sees kills itself alone" {
	inside alice sh -c 'kill -STOP -1; kill -KILL -1' || true
	inside alice sh -c 'kill -RTMIN+4 1' || true
	nobody_else_noticed
	wait_for 60 is_shown alice state running
}

@test "purging what is renamed meanwhile removes nothing else" {
	race /agents/alice/rootfs 3>&- &
	racing=$!
	inside hm1nd sh -c 'for n in $(seq 200); do mkdir -p /agents/alice/d/$n/e; ln -s /var/lib/skep/victim /agents/alice/d/$n/l; mkfifo /agents/alice/d/$n/f; done; chmod 0 /agents/alice/d/7'
	skep destroy alice --purge --confirm alice || true
	over $racing
	skep destroy alice --purge --confirm alice || true
	equal kept "$(in_host cat /var/lib/skep/victim/kept)"
	equal 'kept pack' "$(in_host ls /var/lib/skep/victim | xargs)"
	wait_for 30 fails in_host test -e /var/lib/skep/agents/alice
	fails in_host test -e /var/lib/skep/proposed/alice
	nobody_else_noticed
}
