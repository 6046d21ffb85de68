#!/usr/bin/env bats
# Who may do what: every verb on every socket as the table says, and what an agent's and the manager's container can
# reach of the host, of the hive and of each other.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

OWN=/run/hive/agent.sock

setup_file() {
	hive_up proposals_per_hour=1000
	in_host useradd -M -G skep-read rita
	skep spawn hm1nd
	skep spawn alice
	skep spawn bob
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

SAY=$(< "$ROOT/tests/host/lib/say.py")

# say WHO: requests on standard input, answers on standard output. WHO is operator, reader, or an agent's name
say() {
	case $1 in
	operator) in_host python3 -c "$SAY" /run/skep/operator.sock ;;
	reader) in_host runuser -u rita -- python3 -c "$SAY" /run/skep/read.sock ;;
	*) inside "$1" python3 -c "$SAY" $OWN ;;
	esac
}

# code: of each answer on standard input, its code or "ok"
code() {
	python3 -c '
import json, sys
for line in sys.stdin:
    answer = json.loads(line)
    print("ok" if answer["ok"] else answer["code"])'
}

# said WHO REQUEST: the code of one answer
said() {
	say "$1" <<< "$2" | code
}

@test "every verb is forbidden exactly where the table says" {
	for who in operator reader hm1nd:manager alice:agent; do
		"$BUILD/helpers/verbs" > "$BATS_TEST_TMPDIR/table"
		while read -r verb _; do
			# names nobody, so that what is allowed changes nothing
			printf '{"cmd":"%s","name":"nobody","agent":"nobody","child":"nobody","id":999999}\n' "$verb"
		done < "$BATS_TEST_TMPDIR/table" | say "${who%:*}" | code > "$BATS_TEST_TMPDIR/codes"
		equal "$(wc -l < "$BATS_TEST_TMPDIR/table")" "$(wc -l < "$BATS_TEST_TMPDIR/codes")"
		while read -r verb principals <&3 && read -r found <&4; do
			case " $principals " in
			*" ${who#*:} "*) wanted=allowed ;;
			*) wanted=forbidden ;;
			esac
			[ "$found" = forbidden ] || found=allowed
			equal "$who $verb $wanted" "$who $verb $found"
		done 3< "$BATS_TEST_TMPDIR/table" 4< "$BATS_TEST_TMPDIR/codes"
	done
}

@test "verbs of others are unknown, and odd requests are refused" {
	for verb in send recv ack_turn ask answer remind wake set_resource_limits approve_all Approve '' 'list '; do
		equal unknown_cmd "$(said alice "{\"cmd\":\"$verb\"}")"
		equal unknown_cmd "$(said operator "{\"cmd\":\"$verb\"}")"
	done
	for request in '[]' '7' '{' '{"cmd":7}' '{"cmd":null}' '{"cmd":"list"' '{"cmd":"list"}}' '{"cmd":"list","cmd":"list"}' \
		'{"command":"list"}' '"list"' $'{"cmd":"whoami","x":"\xff"}' '{"cmd":"list","x":"\u0000"}'; do
		equal bad_request "$(said alice "$request")"
		equal bad_request "$(said operator "$request")"
	done
}

@test "an agent speaks for itself, the manager for its children too, nobody decides" {
	propose bob 'echo x > rootfs/etc/x' 'for bob'
	bob_n=$N
	equal forbidden "$(said alice "{\"cmd\":\"submit\",\"agent\":\"bob\",\"commit\":\"$COMMIT\"}")"
	equal forbidden "$(said alice "{\"cmd\":\"submit\",\"agent\":\"hm1nd\",\"commit\":\"$COMMIT\"}")"
	for request in '"withdraw"' '"proposal"'; do
		equal not_found "$(said alice "{\"cmd\":$request,\"id\":$bob_n}")"
	done
	equal '{"version":1,"ok":true,"approvals":[]}' "$(say alice <<< '{"cmd":"proposals","status":"all"}')"
	equal '{"version":1,"ok":true,"approvals":[]}' "$(say alice <<< '{"cmd":"proposals","status":"all","agent":"bob"}')"
	equal '{"version":1,"ok":true,"agents":["alice"]}' "$(say alice <<< '{"cmd":"list"}')"
	contains "$(say alice <<< '{"cmd":"whoami"}')" '"name":"alice","role":"agent","parent":"hm1nd"'
	equal '{"version":1,"ok":true,"agents":["alice","bob","hm1nd"]}' "$(say hm1nd <<< '{"cmd":"list"}')"
	contains "$(say hm1nd <<< '{"cmd":"whoami"}')" '"role":"manager"'
	equal ok "$(said hm1nd "{\"cmd\":\"diff\",\"id\":$bob_n}")"
	# what is not its child any more is not its business
	skep set bob parent=alice
	equal forbidden "$(said hm1nd "{\"cmd\":\"submit\",\"agent\":\"bob\",\"commit\":\"$COMMIT\"}")"
	equal forbidden "$(said hm1nd '{"cmd":"agent","name":"bob"}')"
	equal forbidden "$(said hm1nd '{"cmd":"stop","name":"bob"}')"
	equal not_found "$(said hm1nd "{\"cmd\":\"withdraw\",\"id\":$bob_n}")"
	equal forbidden "$(said alice "{\"cmd\":\"submit\",\"agent\":\"bob\",\"commit\":\"$COMMIT\"}")"
	skep set bob parent=hm1nd
	# an agent may propose for itself, if the commit is in its repository
	mine=$(commit alice 'echo y > rootfs/etc/y' 'by alice')
	equal ok "$(said alice "{\"cmd\":\"submit\",\"commit\":\"$mine\"}")"
	equal forbidden "$(said alice '{"cmd":"approve","id":2}')"
	contains "$(operator '{"cmd":"pending","agent":"alice"}')" '"submitter":"alice"'
	equal ok "$(said hm1nd "{\"cmd\":\"withdraw\",\"id\":$bob_n}")"
	equal ok "$(said alice '{"cmd":"withdraw","id":2}')"
}

@test "the manager starts and stops its children and not itself" {
	equal ok "$(said hm1nd '{"cmd":"stop","name":"bob","wait":true}')"
	equal stopped "$(shown bob state)"
	equal ok "$(said hm1nd '{"cmd":"start","scope":{"agents":true},"wait":true}')"
	equal running "$(shown bob state)"
	for request in '{"cmd":"stop"}' '{"cmd":"stop","name":"hm1nd"}' '{"cmd":"restart"}' '{"cmd":"stop","scope":{"agent_names":["hm1nd"]}}'; do
		equal forbidden "$(said hm1nd "$request")"
	done
	equal forbidden "$(said alice '{"cmd":"stop","name":"bob"}')"
	equal running "$(shown hm1nd state)"
}

@test "only the container's own root is served on an agent's socket" {
	socket=/run/skep/agents/alice/agent.sock
	equal "600 $(shown alice uid_base)" "$(in_host stat -c '%a %u' $socket)"
	# nobody else inside
	run -1 inside alice setpriv --reuid=1000 --regid=1000 --clear-groups python3 -c "$SAY" $OWN <<< '{"cmd":"whoami"}'
	contains "$output" 'Permission denied'
	# not even the host's root, nor another agent's, were the file open to them and left so
	skep set alice reconcile=report
	in_host chmod 666 $socket
	in_host chmod o+x /run/skep/agents
	for uid in 0 992 1000 "$(shown bob uid_base)" $(($(shown alice uid_base) + 1)); do
		equal forbidden "$(in_host setpriv --reuid="$uid" --clear-groups python3 -c "$SAY" $socket <<< '{"cmd":"whoami"}' | code)"
	done
	run -4 in_host skep --socket $socket whoami
	contains "$output" "this is the socket of 'alice' and not yours"
	in_host chmod o-x /run/skep/agents
	skep set alice reconcile=
	wait_for 30 in_host sh -c "[ \$(stat -c %a $socket) = 600 ]"
	equal ok "$(said alice '{"cmd":"whoami"}')"
	equal 6 "$(in_host journalctl --no-pager -o cat -u skepd.service | grep -c 'a peer of a wrong uid was refused')"
}

@test "containers have ids of their own, and few capabilities" {
	for agent in hm1nd alice bob; do
		base=$(shown $agent uid_base)
		equal "0 $base 65536" "$(inside $agent cat /proc/self/uid_map | xargs)"
		equal "0 $base 65536" "$(inside $agent cat /proc/self/gid_map | xargs)"
		inside $agent touch /state/mine
		equal "$base" "$(in_host stat -c %u /var/lib/skep/agents/$agent/state/mine)"
		equal "$base" "$(in_host stat -c %u "/proc/$(pid_in_host $agent)")"
	done
	equal 3 "$(for agent in hm1nd alice bob; do shown $agent uid_base; done | sort -u | wc -l)"
	equal 1310720 "$(shown hm1nd uid_base)"
}

# pid_in_host AGENT: its PID 1
pid_in_host() {
	shown "$1" leader
}

@test "a container's root is not the host's" {
	inside alice sh -c '
		fails() { if "$@" 2> /dev/null; then echo "worked: $*"; exit 1; fi; }
		fails sh -c "echo /tmp/x > /proc/sys/kernel/core_pattern"
		fails sh -c "echo 1 > /proc/sys/net/ipv4/ip_forward"
		fails sh -c "echo b > /proc/sysrq-trigger"
		mkdir -p /tmp/proc /tmp/host; mount -t proc proc /tmp/proc 2> /dev/null && fails sh -c "echo x > /tmp/proc/sys/kernel/core_pattern"
		fails mknod /tmp/disk b 8 0
		fails mount -o remount,rw /usr
		fails mount -o remount,bind,rw /usr
		fails mount -o remount,bind,rw /run/hive
		fails touch /usr/x
		fails umount /usr
		fails umount /run/hive
		fails python3 -c "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"
		fails python3 -c "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"
		fails python3 -c "import socket; socket.socket().bind((\"127.0.0.1\", 80))"
		fails sysctl -w kernel.pid_max=1000
		fails dmesg
		fails date -s 2001-01-01
	'
	equal '' "$(in_host sh -c 'ss -xl | grep -o "@[^ ]*skep[^ ]*" || true')"
}

@test "an agent sees its own directory of the hive, and cannot change it" {
	for agent in alice hm1nd; do
		for change in 'touch /run/hive/x' 'rm /run/hive/agent.sock' 'mv /run/hive/agent.sock /run/hive/other' 'mkdir /run/hive/d' \
			'rm /run/hive/bin/skep' 'sh -c "echo x > /run/hive/bin/skep"' 'chmod 777 /run/hive/agent.sock' 'ln -s / /run/hive/l'; do
			run inside $agent sh -c "$change"
			fails equal 0 "$status"
		done
		equal 'agent.sock bin' "$(inside $agent ls /run/hive | xargs)"
		equal '' "$(inside $agent find / -xdev -name operator.sock -o -xdev -name exec.sock -o -xdev -name read.sock)"
		for path in /run/skep /var/lib/skep /proc/1/root/var/lib/skep /etc/shadow-; do
			fails inside $agent test -e $path
		done
	done
	for path in /agents /applied /meta; do
		fails inside alice test -e $path
	done
	# what others keep is out of reach
	inside bob sh -c 'echo secret > /state/secret; chmod 644 /state/secret'
	equal '' "$(inside alice find / -xdev -name secret -path '*state*')"
}

@test "the manager reads the record with git, and writes proposed repositories alone" {
	inside hm1nd sh -ec '
		cd /
		git -C /applied/alice/.git tag -l | grep -q deployed/0
		git -C /applied/alice/.git cat-file tag deployed/0 | grep -q ^Skep-Seq
		git -C /applied/hm1nd log --oneline main | grep -q .
		git -C /meta/.git log --format=%s main | grep -q "spawn bob"
		git -C /meta show main:agents.json | grep -q uid_base
		git -C /agents/alice status --porcelain
		git -C /agents/alice fetch -q applied
		git -C /agents/alice tag -l | grep -q applied/deployed/0
		touch /agents/alice/x && rm /agents/alice/x'
	for change in 'touch /applied/x' 'touch /applied/alice/.git/x' 'rm -r /applied/bob' 'git -C /applied/alice/.git tag deployed/9 main' \
		'git -C /applied/alice/.git update-ref -d refs/tags/deployed/0' 'touch /meta/.git/x' 'mount -o remount,bind,rw /applied' \
		'chmod 777 /applied/alice' 'chown 0:0 /applied/alice/.git/HEAD' 'git -C /agents/alice push -q applied HEAD:refs/heads/x'; do
		run inside hm1nd sh -c "$change"
		fails equal 0 "$status"
	done
	equal deployed/0 "$(tags bob 'deployed/*')"
	# none of it is anybody else's on the host
	equal "$(shown hm1nd uid_base) 700" "$(in_host stat -c '%u %a' /var/lib/skep/proposed/alice)"
	equal 'skep skep-build 2750' "$(in_host stat -c '%U %G %a' /var/lib/skep/applied/alice/.git | sed s/.git//)"
	equal 'skep skep-build 2750' "$(in_host stat -c '%U %G %a' /var/lib/skep/meta)"
}

@test "more connections than an agent may have are turned away, and nobody else notices" {
	inside alice python3 - <<-'PY'
	import json, select, socket

	def connect():
	    s = socket.socket(socket.AF_UNIX)
	    s.connect("/run/hive/agent.sock")
	    s.settimeout(60)
	    return s

	def ask(s, what):
	    s.sendall(json.dumps(what).encode() + b"\n")
	    return json.loads(s.makefile().readline())

	held = [connect() for _ in range(80)]
	served = 0
	for s in held:
	    # the ones too many were answered unasked, and closed
	    if select.select([s], [], [], 0)[0]:
	        assert json.loads(s.makefile().readline())["code"] == "busy"
	        assert s.recv(1) == b""
	    elif ask(s, {"cmd": "whoami"})["ok"]:
	        served += 1
	assert served == 8, served
	for s in held:
	    s.close()
	PY
	equal ok "$(said bob '{"cmd":"whoami"}')"
	wait_for 30 bash -c '"$@" | grep -q alice' - "$ROOT/tests/host/lib/testhost" exec "$HOST" skep exec alice -- /run/hive/bin/skep whoami
}

@test "an agent that talks too much, too long, too slow or not at all is held back alone" {
	inside alice python3 - <<-'PY'
	import json, socket, time

	def connect():
	    s = socket.socket(socket.AF_UNIX)
	    s.settimeout(60)
	    s.connect("/run/hive/agent.sock")
	    return s

	# many requests at once; what the agent asked before counts as well, and two more are granted each second, while it is listened to less
	time.sleep(11)
	s = connect()
	s.sendall(b'{"cmd":"whoami"}\n' * 300)
	codes = [json.loads(line).get("code") for line, _ in zip(s.makefile(), range(300))]
	assert codes[:20] == [None] * 20, codes
	assert codes.count("rate_limited") > 150, codes
	s.close()

	# a line without end
	s = connect()
	try:
	    s.sendall(b'{"cmd":"' + b"x" * (1 << 20))
	except (BrokenPipeError, ConnectionResetError):
	    pass
	answer = s.makefile().readline()
	assert not answer or json.loads(answer)["code"] == "too_large", answer
	s.close()

	# half a line, and nothing
	slow, idle = connect(), connect()
	slow.sendall(b'{"cmd":')
	answer, *more = slow.makefile().readlines() or [""]
	assert not answer or json.loads(answer)["code"] == "too_large", answer
	assert not more, more
	assert idle.recv(1) == b""

	# answers that nobody reads
	deaf = [connect() for _ in range(8)]
	for s in deaf:
	    s.setblocking(False)
	    try:
	        while True:
	            s.send(b'{"cmd":"hello"}\n' * 100)
	    except BlockingIOError:
	        pass
	PY
	equal ok "$(said bob '{"cmd":"whoami"}')"
	contains "$(skep status)" running
	[ "$(in_host systemctl show skepd.service -p MemoryCurrent --value)" -lt $((100 << 20)) ]
}

@test "a name that is none is refused everywhere with one message, and nothing is made" {
	in_host find /var/lib/skep /run/skep -not -path '*/agents/*/claude/*' -not -path '*/audit/*' -not -path '/var/lib/skep/roots/*' | sort > "$BATS_TEST_TMPDIR/before"
	meta rev-parse main > "$BATS_TEST_TMPDIR/main"
	python3 - > "$BATS_TEST_TMPDIR/requests" <<-'PY'
	import json

	names = ["..", ".", "/", "a/b", "../alice", "a b", " alice", "alice ", "a'b", 'a"b', "a\nb", "alice\n", "Alice", "-a", "a-", "1a",
	         "", "a" * 33, "a" * 5000, "al\u00efce", "alice\u200b", "a\tb", "a.b", "a_b", "a:b", "a%i", "$(id)", "`id`", "a;b", "--help",
	         "all", "meta", "operator", "manager", "root", "skep", "host"]
	shapes = [{"cmd": c, "name": 0} for c in ("spawn", "start", "stop", "kill", "restart", "rebuild", "destroy", "agent", "rollback",
	                                          "exec", "shell", "logs", "history")]
	shapes += [{"cmd": "set", "name": 0, "settings": {"label.a": "b"}}, {"cmd": "set_paused", "name": 0, "paused": True},
	           {"cmd": "set_parent", "child": 0, "new_parent": None}, {"cmd": "submit", "agent": 0, "commit": "a" * 40},
	           {"cmd": "pending", "agent": 0}, {"cmd": "start", "scope": {"agent_names": [0]}},
	           {"cmd": "destroy", "name": 0, "purge": True, "confirm": 0}, {"cmd": "exec", "name": 0, "argv": ["true"]}]
	for shape in shapes:
	    for name in names:
	        print(json.dumps(shape).replace(": 0", ": " + json.dumps(name)).replace("[0]", "[" + json.dumps(name) + "]"))
	for name in names:
	    if name:
	        print(json.dumps({"cmd": "set_parent", "child": "alice", "new_parent": name}))
	PY
	say operator < "$BATS_TEST_TMPDIR/requests" > "$BATS_TEST_TMPDIR/answers"
	python3 - "$BATS_TEST_TMPDIR/requests" "$BATS_TEST_TMPDIR/answers" <<-'PY'
	import json, sys

	wrong = 0
	for request, answer in zip(open(sys.argv[1]), open(sys.argv[2]), strict=True):
	    a = json.loads(answer)
	    message = a.get("error", "")
	    if a["ok"] or a["code"] != "bad_name" or not ("is not an agent name: 1 to 32 characters a-z, 0-9 and '-'" in message or "is reserved" in message):
	        wrong += 1
	        if wrong < 6:
	            print(request[:200], answer)
	sys.exit(wrong > 0)
	PY
	for name in .. a/b 'a b' "a'b" $'a\nb' Alice a- 1a "$(printf 'a%.0s' {1..33})" root; do
		for words in "spawn" "start" "stop" "restart" "rebuild" "destroy" "show" "pause" "log" "rollback" "shell" "history"; do
			run -2 skep "$words" "$name"
		done
		run -2 skep exec "$name" -- true
		run -2 skep set "$name" label.a=b
		run -2 skep submit "$name" aaaaaaa
		run -2 skep proposals --agent "$name"
		run -2 skep destroy "$name" --purge --confirm "$name"
	done
	equal "$(< "$BATS_TEST_TMPDIR/main")" "$(meta rev-parse main)"
	in_host find /var/lib/skep /run/skep -not -path '*/agents/*/claude/*' -not -path '*/audit/*' -not -path '/var/lib/skep/roots/*' | sort |
		diff "$BATS_TEST_TMPDIR/before" -
}
