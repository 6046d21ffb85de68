#!/usr/bin/env bats
# What an operator does with an agent between proposals: power, limits, pause, settings, commands and terminals inside,
# journals and events, and the end of it: destroy, revive, purge.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up proposals_per_hour=1000
	skep spawn hm1nd
	skep spawn alice
	skep spawn bob --memory-max 128M --cpu-quota 30% --tasks-max 80 --label team=red --network private
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

@test "an agent is spawned as it was asked for" {
	equal 1 "$(meta log --format=%s main | grep -c '^spawn bob deployed/0')"
	equal '"128M" "30%" 80' "$(desired bob limits | python3 -c 'import json, sys; l = json.load(sys.stdin); print(json.dumps(l["memory_max"]), json.dumps(l["cpu_quota"]), l["tasks_max"])')"
	equal private "$(desired bob network)"
	equal red "$(desired bob labels.team)"
	equal '["bob"]' "$(operator '{"cmd":"agent_status","labels":["team=red"]}' | python3 -c 'import json, sys; print(json.dumps([r["name"] for r in json.load(sys.stdin)["agent_statuses"]]))')"
	equal "$((8100 + 0x$(python3 -c '
h = 0x811c9dc5
for b in b"bob": h = (h ^ b) * 0x01000193 & 0xffffffff
print("%x" % h)') % 900))" "$(shown bob port)"
	equal 8000 "$(shown hm1nd port)"
	equal "$(shown bob port) bob 7700" "$(inside bob sh -c 'echo $HIVE_PORT $HIVE_LABEL $HIVE_DASHBOARD_PORT')"
	run -5 skep spawn bob
	contains "$output" "there is an agent 'bob' already"
	run -2 skep spawn carol --driver other
	run -2 skep spawn carol --memory-max lots
	run -2 skep spawn carol --network elsewhere
	run -3 skep show carol
}

@test "its services see their environment, its port and its own network" {
	contains "$(skep log bob -n 200)" "bob is up, its port is $(shown bob port)"
	equal lo: "$(inside bob sh -c "awk 'NR > 2 { print \$1 }' /proc/net/dev")"
	fails equal "$(inside bob readlink /proc/self/ns/net)" "$(inside alice readlink /proc/self/ns/net)"
	equal "$(in_host readlink /proc/self/ns/net)" "$(inside alice readlink /proc/self/ns/net)"
}

@test "limits are systemd's, and they hold" {
	equal $((128 << 20)) "$(property bob MemoryMax)"
	equal 300ms "$(property bob CPUQuotaPerSecUSec)"
	equal 80 "$(property bob TasksMax)"
	equal $((2 << 30)) "$(property alice MemoryMax)"
	equal 500ms "$(property alice CPUQuotaPerSecUSec)"
	contains "$(skep show bob)" 'memory 128M, cpu 30%, tasks 80'
	contains "$(skep status)" 'enforced'
	run -137 inside bob python3 -c 'bytearray(300 << 20)'
	run inside bob bash -c 'for i in {1..150}; do sleep 1 & done; wait'
	contains "$output" 'Resource temporarily unavailable'
	equal 30000 "$(in_host cat "/sys/fs/cgroup/cpu$(property bob ControlGroup)/cpu.cfs_quota_us")"
	equal running "$(shown bob state)"
}

@test "limits change while it runs, as a commit, and last" {
	before=$(shown bob leader) commits=$(meta rev-list --count main)
	skep set bob memory_max=160M cpu_quota=80% tasks_max=90
	wait_for 30 in_host grep -qx 90 "/sys/fs/cgroup/pids$(property bob ControlGroup)/pids.max"
	equal "$before" "$(shown bob leader)"
	equal $((160 << 20)) "$(property bob MemoryMax)"
	equal 800ms "$(property bob CPUQuotaPerSecUSec)"
	equal $((160 << 20)) "$(in_host cat "/sys/fs/cgroup/memory$(property bob ControlGroup)/memory.limit_in_bytes")"
	equal $((commits + 1)) "$(meta rev-list --count main)"
	contains "$(skep history bob)" 'set bob memory_max=160M cpu_quota=80% tasks_max=90'
	skep restart bob
	equal $((160 << 20)) "$(property bob MemoryMax)"
	equal 90 "$(property bob TasksMax)"
	skep set bob cpu_quota=
	wait_for 30 is_property bob CPUQuotaPerSecUSec 500ms
	commits=$(meta rev-list --count main)
	for wrong in memory_max=1 memory_max=lots cpu_quota=0% tasks_max=-1 network=elsewhere port=80 uid_base=0 parent=nobody \
		parent=bob 'label.a b=c' colour=red memory_max; do
		run skep set bob "$wrong"
		case $status in 2 | 3) ;; *) equal "2 or 3 for $wrong" "$status" ;; esac
	done
	run -2 skep set bob memory_max=200M colour=red
	equal "$commits" "$(meta rev-list --count main)"
	equal $((160 << 20)) "$(property bob MemoryMax)"
}

is_property() {
	[ "$(property "$1" "$2")" = "$3" ]
}

@test "what an agent asks for itself holds until the operator says otherwise, and more is flagged" {
	propose alice 'sed -i "s/\"environment\": {}/\"environment\": {\"MODE\": \"fast\"}, \"limits\": {\"memory_max\": \"3G\", \"tasks_max\": 300}/
		s/\"soak\": 2/\"soak\": 0/" agent.json' 'more memory'
	run -8 approve
	contains "$output" limits-up
	approve --ack limits-up
	equal $((3 << 30)) "$(property alice MemoryMax)"
	equal 300 "$(property alice TasksMax)"
	equal fast "$(inside alice sh -c 'echo $MODE')"
	skep set alice tasks_max=200
	wait_for 30 is_property alice TasksMax 200
}

@test "a setting that needs it restarts the agent" {
	before=$(shown bob leader)
	skep set bob network=host label.team=blue label.shift=
	wait_for 60 is_other_leader bob "$before"
	equal "$(in_host readlink /proc/self/ns/net)" "$(inside bob readlink /proc/self/ns/net)"
	equal blue "$(desired bob labels.team)"
}

is_other_leader() {
	local row state leader
	row=$(skep --json show "$1")
	state=$(field state <<< "$row")
	leader=$(field leader <<< "$row")
	[ "$state" = running ] && [ "$leader" != null ] && [ "$leader" != "$2" ]
}

@test "power is what was asked for, recorded, and keeps its state" {
	inside bob sh -c 'echo kept > /state/note; echo kept > /root/.claude/note'
	skep stop bob alice
	equal 'stopped stopped' "$(shown bob state) $(shown alice state)"
	equal inactive "$(in_host systemctl is-active skep-agent@bob.service || true)"
	equal stopped "$(desired bob desired)"
	run -5 inside bob true
	contains "$output" "'bob' is stopped"
	skep stop bob
	# not one of them when one is unknown
	run -3 skep start bob nobody
	equal stopped "$(shown bob state)"
	skep start bob alice
	equal 'running running' "$(shown bob state) $(shown alice state)"
	equal running "$(desired bob desired)"
	equal kept "$(inside bob cat /state/note /root/.claude/note | sort -u)"
	before=$(shown bob leader)
	skep start bob
	equal "$before" "$(shown bob leader)"
	skep restart bob
	fails equal "$before" "$(shown bob leader)"
	equal 700 "$(inside bob stat -c %a /root/.claude)"
	# what it did to its own root stays with it
	inside bob touch /etc/mine
	skep restart bob
	inside bob test -e /etc/mine
}

@test "poweroff and reboot inside are noticed, and it runs again" {
	before=$(shown bob leader)
	inside bob systemctl reboot || true
	wait_for 90 is_other_leader bob "$before"
	before=$(shown bob leader)
	inside bob systemctl poweroff || true
	wait_for 90 is_other_leader bob "$before"
	inside bob true
}

@test "a pause is a marker, and outlives the runtime directory" {
	skep pause bob
	wait_for 30 inside bob test -e /run/hive/paused
	equal true "$(desired bob paused)"
	contains "$(skep list)" paused
	equal running "$(shown bob state)"
	skep pause bob
	in_host systemctl stop skepd.socket skepd-read.socket skep-exec.socket skepd.service skep-exec.service
	in_host systemctl stop 'skep-agent@*.service'
	run skep doctor --plain
	equal 1 "$status"
	contains "$output" $'skepd\tfailed\t'
	contains "$output" $'\nnspawn\tok\t'
	contains "$output" $'\naccounts\tok\t'
	contains "$output" $'\nsockets\tfailed\t'
	in_host rm -rf /run/skep
	in_host systemd-tmpfiles --create /etc/tmpfiles.d/skep.conf
	in_host systemctl start skepd.socket skepd-read.socket skep-exec.socket
	wait_for 90 is_shown bob state running
	wait_for 30 inside bob test -e /run/hive/paused
	skep resume bob
	wait_for 30 inside bob test ! -e /run/hive/paused
	equal false "$(desired bob paused)"
	wait_for 90 is_shown hm1nd state running
	wait_for 90 is_shown alice state running
}

@test "exec: status, signals, standard input and output, user, directory" {
	for wanted in 0 1 7 255; do
		run inside bob sh -c "exit $wanted"
		equal "$wanted" "$status"
	done
	run -137 inside bob sh -c 'kill -9 $$'
	equal in:hello "$(inside bob sh -c 'read x; echo in:$x' <<< hello)"
	equal 2000000 "$(head -c 2000000 /dev/zero | inside bob cat | wc -c)"
	equal err "$(inside bob sh -c 'echo out; echo err >&2' 2>&1 > /dev/null)"
	equal out "$(inside bob sh -c 'echo out; echo err >&2' 2> /dev/null)"
	equal '$HOME %n "x" ' "$(inside bob printf '%s ' '$HOME %n "x"')"
	equal 'nobody /tmp v=1' "$(skep exec --user nobody --cwd /tmp --env v=1 bob -- sh -c 'echo $(id -un) $PWD v=$v')"
	run -3 inside bob no-such-program
	run -3 skep exec --user no-such-user bob -- true
	run -3 skep exec --cwd /no-such-directory bob -- true
	run -3 inside nobody true
	contains "$(skep audit -n 40)" '["sh","-c","exit 255"]'
	# a signal to the client ends the command inside
	background long skep exec bob -- sh -c 'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.1; done'
	wait_for 30 in_host grep -q ready /tmp/long
	in_host systemctl kill -s TERM --kill-who=main long
	wait_for 30 in_host grep -q caught /tmp/long
	wait_for 30 in_host sh -c '! systemctl is-active -q long'
	fails inside bob pgrep -f 'echo caught'
	# and so does its sudden end
	background gone skep exec bob -- sh -c 'echo ready; exec sleep 1234'
	wait_for 30 in_host grep -q ready /tmp/gone
	in_host systemctl kill -s KILL gone
	wait_for 60 bash -c '! "$@"' - "$ROOT/tests/host/lib/testhost" exec "$HOST" skep exec bob -- pgrep -fx 'sleep 1234'
}

@test "shell: a terminal inside, with its size, its end, and nothing dangerous coming out" {
	in_host python3 - <<-'PY'
	import fcntl, os, pty, select, struct, sys, termios, time

	pid, fd = pty.fork()
	if pid == 0:
	    os.environ["TERM"] = "vt100"
	    os.execvp("skep", ["skep", "shell", "bob"])
	fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
	seen = b""

	def until(text, seconds=60):
	    global seen
	    end = time.time() + seconds
	    while text not in seen:
	        if time.time() > end:
	            sys.exit("no %r in %r" % (text, seen))
	        if select.select([fd], [], [], 0.1)[0]:
	            try:
	                seen += os.read(fd, 65536)
	            except OSError:
	                sys.exit("it ended: %r" % seen)

	def say(line):
	    os.write(fd, line + b"\n")

	say(b"stty -echo; echo up-$((40 + 2))")
	until(b"up-42")
	# the size it has by now reached it, and a change follows
	say(b"until [ \"$(stty size)\" = '33 111' ]; do :; done; echo size-$((1 + 1))")
	until(b"size-2")
	fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 50, 0, 0))
	say(b"until [ \"$(stty size)\" = '20 50' ]; do :; done; echo size-$((2 + 2))")
	until(b"size-4")
	say(b"tty; echo term-$TERM; type skep")
	until(b"/dev/pts/")
	until(b"term-vt100")
	until(b"/run/hive/bin/skep")
	# colours pass, what would change the operator's terminal or clipboard does not
	say(b"printf '\\033]0;title\\007\\033]52;c;eA==\\007\\033P+q\\033\\134<\\033[31mred\\033[0m>'; echo done-$((3 + 3))")
	until(b"done-6")
	assert b"\x1b]" not in seen and b"\x1bP" not in seen and b"<\x1b[31mred" in seen, seen
	# ^C is the shell's, not the client's
	say(b"sleep 100; echo after-$?")
	time.sleep(0.5)
	os.write(fd, b"\x03")
	say(b"echo alive-$((5 + 5))")
	until(b"alive-10")
	say(b"exit 66")
	_, status = os.waitpid(pid, 0)
	sys.exit(0 if os.waitstatus_to_exitcode(status) == 66 else "ended with %d" % status)
	PY
}

@test "several are meant by a label: held still, watched, stopped, and read afterwards" {
	skep freeze --label team=blue
	contains "$(skep list)" frozen
	run -5 skep exec bob -- true
	contains "$output" 'skep thaw bob'
	skep thaw --label team=blue
	skep exec bob -- true
	contains "$(skep top --plain)" bob
	[ "$(skep top bob --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["tasks"])')" -gt 3 ]
	run -3 skep stop --label team=red
	run -2 skep stop
	skep stop --label team=blue --deadline 20
	equal stopped "$(shown bob state)"
	contains "$(skep log bob -n 500)" 'bob is up'
	run -5 skep log bob -f
	run -5 skep freeze bob
	skep start --label team=blue
	cursor=$(skep log bob --show-cursor | sed -n 's/^-- cursor: //p')
	inside bob logger -t mine 'after the cursor'
	wait_for 30 bash -c 'case $("$@") in *"after the cursor"*) ;; *) false ;; esac' - \
		"$ROOT/tests/host/lib/testhost" exec "$HOST" skep log bob --after-cursor "$cursor"
	fails grep -q 'bob is up' <<< "$(skep log bob --after-cursor "$cursor")"
	contains "$(skep log bob --json -n 1)" '"cursor":'
}

@test "journals can be followed, and say nothing to the terminal" {
	inside bob logger -t mine 'line one'
	inside bob python3 -c 'import syslog; syslog.openlog("mine"); syslog.syslog("bad\x1b]0;x\x07\x1b[2Jline")'
	background journal skep log bob -f
	wait_for 30 in_host grep -q 'line one' /tmp/journal
	inside bob logger -t mine 'line two'
	wait_for 30 in_host grep -q 'line two' /tmp/journal
	ended journal
	fails in_host grep -q $'\e' /tmp/journal
	equal 1 "$(skep log bob -n 1 | wc -l)"
	run -3 skep log nobody
	run -3 skep log 999
}

@test "events tell what happens" {
	background events skep events -f
	wait_for 30 in_host grep -q 'bob running' /tmp/events
	skep stop bob
	wait_for 30 in_host grep -q 'bob stopped' /tmp/events
	propose bob 'sed -i "s/\"soak\": 2/\"soak\": 0/" agent.json; echo x > rootfs/etc/x' 'told'
	wait_for 30 in_host grep -q "proposal $N of bob needs-review: told" /tmp/events
	approve
	wait_for 30 in_host grep -q "proposal $N of bob deployed: told" /tmp/events
	# a change is deployed, but what is wanted stopped stays stopped
	wait_for 60 is_shown bob state stopped
	skep start bob
	member bob whoami
	ask_agent bob '{"cmd":"set_status","text":"counting\u001b[2J sheep"}'
	wait_for 30 in_host grep -q 'bob running.*: counting.*sheep' /tmp/events
	ended events
	fails in_host grep -q $'\e' /tmp/events
	contains "$(skep list)" counting
	# from a number on
	contains "$(operator '{"cmd":"subscribe_agent_status","snapshot":true}' | head -n 1)" '"snapshot":true'
}

# ask_agent AGENT REQUEST: one request on its own socket, from inside
ask_agent() {
	inside "$1" python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/hive/agent.sock")
s.sendall(sys.argv[1].encode() + b"\n")
print(s.makefile().readline(), end="")' "$2"
}

@test "destroy keeps what it knows and has; the same name brings it back" {
	port=$(shown bob port) base=$(shown bob uid_base) deployed=$(desired bob deployed)
	inside bob sh -c 'echo remembered > /state/note'
	propose bob 'echo y > rootfs/etc/x' 'undecided'
	undecided=$N
	skep destroy bob
	run -3 skep show bob
	equal "cancelled/$undecided proposal/$undecided" "$(tags bob "*/$undecided")"
	equal inactive "$(in_host systemctl is-active skep-agent@bob.service || true)"
	for path in /run/skep/agents/bob /run/skep/spec/bob.json /run/systemd/system/skep-agent@bob.service.d /var/lib/skep/roots/bob; do
		fails in_host test -e "$path"
	done
	equal null "$(desired bob port)"
	fails contains "$(skep list)" bob
	equal remembered "$(in_host cat /var/lib/skep/agents/bob/state/note)"
	# nobody else gets its ids
	skep spawn carol
	fails equal "$base" "$(shown carol uid_base)"
	skep spawn bob
	equal "$port $base $deployed" "$(shown bob port) $(shown bob uid_base) $(desired bob deployed)"
	equal remembered "$(inside bob cat /state/note)"
	equal x "$(inside bob cat /etc/x)"
	equal 0 "$(applied bob tag -l 'deployed/0' | grep -cv deployed/0)"
	contains "$(skep history bob)" 'revive bob'
	run -5 skep destroy hm1nd
	contains "$output" 'repositories'
}

@test "purge removes everything but the record" {
	numbers=$(operator '{"cmd":"pending","status":"all"}' | python3 -c 'import json, sys; print(max(r["id"] for r in json.load(sys.stdin)["approvals"]))')
	run -2 skep destroy bob --purge
	run -2 skep destroy bob --purge --confirm alice
	skep destroy bob --purge --confirm bob
	for path in applied proposed agents roots; do
		fails in_host test -e "/var/lib/skep/$path/bob"
	done
	fails in_host test -e /run/skep/agents/bob
	run -3 skep show bob
	run -0 skep audit verify
	# what was destroyed before can be purged as well
	skep destroy carol
	skep destroy carol --purge --confirm carol
	fails in_host test -e /var/lib/skep/applied/carol
	run -3 skep destroy carol --purge --confirm carol
	run -0 skep audit verify
	# a new agent of that name is a new one, and no number comes back
	skep spawn bob
	equal deployed/0 "$(tags bob)"
	fails inside bob test -e /state/note
	propose bob 'echo z > rootfs/etc/z' 'again'
	equal $((numbers + 1)) "$N"
	in_host systemctl restart skepd.service
	run -0 skep audit verify
}
