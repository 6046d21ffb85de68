#!/usr/bin/env bats
# The dashboard's server as an installed unit beside a whole hive: who it is, what it may, and what an agent gets from it whose
# container shares the host's network.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up proposals_per_hour=1000
	in_host systemctl start skepd.service
	in_host systemctl enable --now skep-web.socket
	skep spawn hm1nd
	skep spawn alice
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# Asks over HTTP and prints the status, a space, and the body. REQUESTS is "METHOD PATH [HEADER]..." with the host's name filled in.
HTTP='
import http.client, sys
host, method, path = sys.argv[1], sys.argv[2], sys.argv[3]
c = http.client.HTTPConnection(host, 7700, timeout=20)
headers = dict(h.split(": ", 1) for h in sys.argv[4:] if ": " in h)
body = next((h[5:] for h in sys.argv[4:] if h.startswith("body=")), None)
c.request(method, path, body, headers)
r = c.getresponse()
print(r.status, r.read().decode())
for name, value in r.getheaders():
    if name == "Set-Cookie":
        print("cookie", value.split(";")[0])'

# http METHOD PATH [HEADER|body=TEXT]...: from the host
http() {
	in_host python3 -c "$HTTP" 127.0.0.1 "$@"
}

# from_alice METHOD PATH [HEADER|body=TEXT]...: from a container that shares the host's network
from_alice() {
	inside alice python3 -c "$HTTP" 127.0.0.1 "$@"
}

# Logs in with a link, as a browser would; sets cookie and key.
login() {
	local link answer
	link=$(skep dashboard --json | field url)
	answer=$(http POST /api/v1/login 'Origin: http://127.0.0.1:7700' 'Content-Type: application/json' \
		"body={\"code\":\"${link#*#}\"}")
	cookie=$(sed -n 's/^cookie //p' <<< "$answer")
	key=$(sed -n 's/^200 //p' <<< "$answer" | field login.key)
}

@test "it is started by the first who asks, and is nobody" {
	contains "$(http GET /livez)" '200 alive'
	contains "$(in_host python3 -c "$HTTP" ::1 GET /livez)" '200 alive'
	pid=$(in_host systemctl show skep-web.service -p MainPID --value)
	status=$(in_host cat "/proc/$pid/status")
	contains "$(in_host ps -o user= -p "$pid")" skep-web
	[[ $status =~ CapEff:[[:space:]]+0000000000000000 ]]
	[[ $status =~ NoNewPrivs:[[:space:]]+1 ]]
	[[ $status =~ Seccomp:[[:space:]]+2 ]]
	# no network of its own: it accepts on sockets it was handed, and can open none
	fails equal "$(in_host readlink /proc/1/ns/net)" "$(in_host readlink "/proc/$pid/ns/net")"
	equal '600 skep-web' "$(in_host stat -c '%a %U' /run/skep/web.sock)"
	contains "$(in_host ss -Hltn 'sport = 7700')" '[::1]:7700'
}

@test "a link logs in, the session reads, the key acts" {
	login
	contains "$(http GET /api/v1/agents "Cookie: $cookie")" '"name":"alice"'
	contains "$(http POST /api/v1/agents/alice/pause "Cookie: $cookie" "Skep-Key: $key" 'Origin: http://127.0.0.1:7700' \
		'Content-Type: application/json' 'body={}')" '200 '
	contains "$(skep --json show alice)" '"paused":true'
	contains "$(http POST /api/v1/agents/alice/resume "Cookie: $cookie" "Skep-Key: ${cookie#*=}" 'Origin: http://127.0.0.1:7700' \
		'Content-Type: application/json' 'body={}')" '403 '
	contains "$(skep --json show alice)" '"paused":true'
	contains "$(http GET /metrics "Cookie: $cookie")" 'skep_agents{'
	contains "$(http GET /readyz)" '200 ready'
	in_host systemctl restart skep-web.service
	contains "$(http GET /api/v1/session "Cookie: $cookie")" '"login"'
	in_host systemctl restart skepd.service
	wait_for 20 contains_session
}

contains_session() {
	contains "$(http GET /api/v1/session "Cookie: $cookie")" '200 '
}

@test "an agent on the host's network reaches the port and gets nothing" {
	login
	contains "$(from_alice GET /livez)" '200 alive'
	for path in /api/v1/status /api/v1/agents /api/v1/proposals /api/v1/audit /api/v1/openapi.json /events /metrics '/readyz?verbose=1' \
		/api/v1/agents/alice/log; do
		contains "$(from_alice GET "$path")" '401 '
		contains "$(from_alice GET "$path" 'Cookie: skep_s=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')" '401 '
	done
	for path in /api/v1/agents/alice/stop /api/v1/agents /api/v1/logout /api/v1/step-up; do
		contains "$(from_alice POST "$path" 'Origin: http://127.0.0.1:7700' 'Content-Type: application/json' 'body={}')" '401 '
	done
	contains "$(from_alice POST /api/v1/login 'Origin: http://127.0.0.1:7700' 'Content-Type: application/json' \
		'body={"code":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}')" '40'
	# a cookie it stole, from a sniffed or planted page, reads but never acts
	contains "$(from_alice POST /api/v1/agents/alice/stop "Cookie: $cookie" 'Origin: http://127.0.0.1:7700' \
		'Content-Type: application/json' 'body={}')" '403 '
	contains "$(skep --json show alice)" '"running":true'
	# what it cannot reach at all
	inside alice test ! -e /run/skep/web.sock
	# and the port is not to be had, at either address, while the server is away
	in_host systemctl stop skep-web.service
	for address in 127.0.0.1 ::1; do
		fails inside alice python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind((sys.argv[1], 7700))
s.listen()' "$address"
	done
	contains "$(http GET /livez)" '200 alive'
}

@test "the doctor tells whose the port is" {
	contains "$(skep doctor)" http://127.0.0.1:7700/
	in_host systemctl stop skep-web.socket skep-web.service
	contains "$(skep doctor)" 'not served'
	in_host systemd-run --unit=squatter -p User=nobody python3 -m http.server --bind 127.0.0.1 7700
	wait_for 10 in_host python3 -c "$HTTP" 127.0.0.1 GET /
	run skep doctor
	contains "$output" "port 7700 belongs to 'python3'"
	in_host systemctl stop squatter
	in_host systemctl start skep-web.socket
}
