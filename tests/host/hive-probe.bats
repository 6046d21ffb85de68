#!/usr/bin/env bats
# The check that decides whether a deploy holds: its kinds, the time it has to come good, the time it has to stay good.
# shellcheck disable=SC2016 # what is quoted is for the shell inside

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive

setup_file() {
	hive_up proposals_per_hour=1000
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

# probe JSON SHELL: a proposal with this probe, whose service runs this
probe() {
	propose alice "printf '{\"probe\": %s}\n' '$1' > agent.json
		sed -i -e '/^ExecStart=/d' -e '/^Restart=/d' rootfs/etc/systemd/system/agent.service
		sed -i 's|^\[Service\]|&\nExecStart=/bin/sh /etc/run|' rootfs/etc/systemd/system/agent.service
		printf '%s\n' '$2' > rootfs/etc/run" "probe: $1"
}

# holds [SHELL]: the last proposal is deployed
holds() {
	approve
	equal "$N" "$(desired alice deployed)"
}

# breaks TEXT: it is rolled back with this reason, and what ran before runs
breaks() {
	local before
	before=$(desired alice deployed)
	run approve
	contains "$output" "$1"
	equal 7 "$status"
	contains "$output" 'rolled back'
	contains "$(applied alice cat-file tag "failed/$N")" "$1"
	equal "$before" "$(desired alice deployed)"
	equal running "$(shown alice state)"
	equal "$(shown alice system)" "$(shown alice system_running)"
	follow alice
}

@test "default: no unit is failed that was not failed before" {
	probe '{"kind": "default", "grace": 0, "soak": 3}' 'sleep 1; exit 1'
	breaks "unit 'agent.service' failed"
	probe '{"kind": "default", "grace": 60, "soak": 0}' 'exec sleep infinity'
	holds
	# a unit that was failed already is no reason
	inside alice systemd-run -q --wait --unit=older /bin/false || true
	contains "$(shown alice state)" running
	probe '{"kind": "default", "grace": 0, "soak": 0}' 'exec sleep infinity; true'
	holds
}

@test "none: it runs, and that is enough" {
	probe '{"kind": "none"}' 'exit 1'
	holds
	contains "$(skep log "$N")" 'probe: none'
}

@test "command: its status, tried again within the grace" {
	probe '{"kind": "command", "command": ["/bin/sh", "-c", "test -e /run/ready"], "grace": 60, "soak": 0}' \
		'sleep 4; touch /run/ready; exec sleep infinity'
	holds
	probe '{"kind": "command", "command": ["/bin/sh", "-c", "exit 9"], "grace": 1, "soak": 0}' 'exec sleep infinity; true'
	breaks "the probe's command exited with status 9"
	probe '{"kind": "command", "command": ["/no/such/program"], "grace": 0, "soak": 0}' 'exec sleep infinity; true'
	breaks "no program '/no/such/program'"
}

@test "command: what comes good must stay good" {
	probe '{"kind": "command", "command": ["/bin/sh", "-c", "test -e /run/ready"], "grace": 60, "soak": 6}' \
		'touch /run/ready; sleep 3; rm /run/ready; exec sleep infinity'
	breaks "the probe's command exited with status 1"
	contains "$(skep log "$N")" 'came good, must stay so for 6000 ms'
}

@test "command: one that never ends is ended" {
	probe '{"kind": "command", "command": ["/bin/sleep", "infinity"], "grace": 0, "soak": 0}' 'exec sleep infinity; true'
	breaks 'ran longer than'
	fails inside alice pgrep -fx '/bin/sleep infinity'
}

@test "tcp: the agent's own port or another, from where the agent is" {
	probe '{"kind": "tcp", "grace": 60, "soak": 1}' \
		'sleep 2; exec python3 -m http.server --bind 127.0.0.1 "$HIVE_PORT"'
	holds
	probe '{"kind": "tcp", "port": 4711, "grace": 1, "soak": 0}' 'exec sleep infinity; true'
	breaks 'nothing answers on port 4711'
	# in a network of its own, the port is its own
	skep set alice network=private
	wait_for 90 is_private
	probe '{"kind": "tcp", "port": 4711, "grace": 60, "soak": 0}' 'exec python3 -m http.server --bind 127.0.0.1 4711'
	holds
	fails in_host sh -c 'ss -tln | grep -q :4711'
}

is_private() {
	[ "$(inside alice sh -c 'wc -l < /proc/net/dev')" = 3 ]
}

@test "a container that dies under its probe is rolled back" {
	probe '{"kind": "default", "grace": 20, "soak": 8}' 'sleep 2; exec systemctl poweroff --force --force'
	breaks 'the container is'
}

@test "a manifest that cannot be used is flagged, and not deployed" {
	for bad in '{"kind": "http"}' '{"kind": "none", "grace": -1}' '{"kind": "none", "soak": 1e9}' '{"kind": "command"}' \
		'{"kind": "tcp", "port": 70000}' '{"grace": 1}' '[]'; do
		probe "$bad" 'exec sleep infinity'
		run -8 approve
		contains "$output" manifest-invalid
		equal '' "$(tags alice "approved/$N")"
	done
}
