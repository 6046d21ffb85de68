#!/usr/bin/env bats
# Containers of nixos-container, driven by skep-exec on a real systemd: made, moved by reload and by restart, put back,
# adopted, destroyed; and what is not ours left alone.

load lib/common
load lib/nixos

BASE=1310720
UNIT=container@h-alice.service
CONF=/etc/nixos-containers/h-alice.conf
PROFILE=/nix/var/nix/profiles/per-container/h-alice/system

setup_file() {
	nix_host_up
	in_host systemctl start skep-exec.socket
	system alice "$(service one)" > "$BATS_FILE_TMPDIR/one"
	system alice "$(service two)" > "$BATS_FILE_TMPDIR/two"
	system bob "$(service one)" > "$BATS_FILE_TMPDIR/bob-one"
	system bob "$(service two)" > "$BATS_FILE_TMPDIR/bob-two"
	call prepare "{\"agent\":\"alice\",\"role\":\"agent\",\"uid_base\":$BASE}"
	host_is_up
}

teardown_file() {
	host_down
}

setup() {
	root alice "$(path one)" "$(path two)"
	root bob "$(path bob-one)" "$(path bob-two)"
}

teardown() {
	save_when_failed
}

call() {
	local uid
	uid=$(in_host id -u skep)
	in_host /helpers/exec-call -u "$uid" /run/skep/exec.sock "$@"
}

# path NAME: of a system that was built
path() {
	cat "$BATS_FILE_TMPDIR/$1"
}

# spec SYSTEM [JQ]: of alice
spec() {
	jq -nc --arg system "$1" --argjson base $BASE '{agent: "alice", role: "agent", uid_base: $base, system: $system,
		driver: "nixos-container", network: "host", port: 8879, label: "alice", dashboard_port: 7700, env: [],
		limits: {memory_max_bytes: 268435456, cpu_quota_percent: 50, tasks_max: 200}} | '"${2:-.}"
}

says() {
	call exec '{"agent":"alice","argv":["cat","/run/says"]}' | head -n 1
}

property() {
	in_host systemctl show "$UNIT" -p "$1" --value
}

row() {
	call inspect '{"agent":"alice"}' | jq -r ".agents[0].$1"
}

@test "it is made from a system that was built, and runs in its own range of ids" {
	call start "$(spec "$(path one)")"
	equal active "$(property ActiveState)"
	equal 268435456 "$(property MemoryMax)"
	wait_for 5 says
	equal one "$(says)"
	equal "$(path one)" "$(row system)"
	equal true "$(row claimed)"
	leader=$(row leader)
	contains "$(in_host cat "/proc/$leader/uid_map")" "$BASE"
	equal $BASE "$(in_host stat -c %u /var/lib/nixos-containers/h-alice)"
	equal "$(path one)" "$(in_host readlink -f $PROFILE)"
}

@test "the conf file holds skep's lines once" {
	conf=$(in_host cat $CONF)
	contains "$conf" "SYSTEM_PATH=$(path one)"
	contains "$conf" "PRIVATE_USERS=$BASE"
	contains "$conf" 'PRIVATE_NETWORK=0'
	fails grep 192.0.2 <<< "$conf"
	equal "$(cut -d= -f1 <<< "$conf" | sort -u | wc -l)" "$(wc -l <<< "$conf")"
	equal 644 "$(in_host stat -c %a $CONF)"
}

@test "the daemon's socket is hidden, profile and roots cannot be changed from inside" {
	leader=$(row leader)
	fails in_host ls "/proc/$leader/root/nix/var/nix/daemon-socket/socket"
	run call exec '{"agent":"alice","argv":["touch","/nix/var/nix/profiles/x"]}'
	fails test "$status" = 0
	run call exec '{"agent":"alice","argv":["touch","/nix/store/x"]}'
	fails test "$status" = 0
}

@test "state and sockets are bound as for any agent" {
	call exec '{"agent":"alice","argv":["sh","-c","echo kept > /state/file; test -d /root/.claude && test -x /run/hive/bin/skep"]}'
	equal $BASE "$(in_host stat -c %u /var/lib/skep/agents/alice/state/file)"
}

@test "starting what runs restarts nothing" {
	before=$(property MainPID)
	call start "$(spec "$(path one)")"
	equal "$before" "$(property MainPID)"
}

@test "another system comes by reload, without a restart" {
	before=$(property MainPID)
	answer=$(call switch "$(spec "$(path two)")")
	contains "$answer" '"downtime_ms": 0'
	equal "$before" "$(property MainPID)"
	equal two "$(says)"
	equal "$(path two)" "$(row system)"
	equal "$(path two)" "$(in_host readlink -f $PROFILE)"
	contains "$(in_host cat $CONF)" "SYSTEM_PATH=$(path two)"
}

@test "a change of the host's side takes a restart" {
	before=$(property MainPID)
	call switch "$(spec "$(path one)" '.network = "private"')"
	fails test "$before" = "$(property MainPID)"
	equal one "$(says)"
	contains "$(in_host cat $CONF)" PRIVATE_NETWORK=1
	equal kept "$(call exec '{"agent":"alice","argv":["cat","/state/file"]}' | head -n 1)"
	call switch "$(spec "$(path two)")"
	equal two "$(says)"
}

@test "an activation that fails is put back: system, profile, conf" {
	bad=$(system alice "$(service three 'stub.failActivation = true;')")
	before=$(property MainPID)
	conf=$(in_host cat $CONF)
	run call switch "$(spec "$bad")"
	fails test "$status" = 0
	contains "$output" 'this activation was told to fail'
	equal "$before" "$(property MainPID)"
	equal two "$(says)"
	equal "$(path two)" "$(row system)"
	equal "$(path two)" "$(in_host readlink -f $PROFILE)"
	equal "$conf" "$(in_host cat $CONF)"
}

@test "a system that does not boot is an error, and the one before comes back" {
	bad=$(system alice "$(service four 'stub.failBoot = true;')")
	run call switch "$(spec "$bad" '.network = "private"')"
	fails test "$status" = 0
	call switch "$(spec "$(path two)")"
	equal two "$(says)"
	equal "$(path two)" "$(in_host readlink -f $PROFILE)"
}

@test "what runs after a stop is what was deployed last" {
	call stop '{"agent":"alice","timeout_s":20}'
	equal inactive "$(property ActiveState)"
	call start "$(spec "$(path two)")"
	equal two "$(says)"
}

@test "limits change while it runs" {
	before=$(property MainPID)
	call limits '{"agent":"alice","limits":{"memory_max_bytes":134217728,"cpu_quota_percent":80,"tasks_max":190}}'
	equal 134217728 "$(property MemoryMax)"
	equal "$before" "$(property MainPID)"
}

@test "a killed nspawn is news, and is started again" {
	before=$(property MainPID)
	call watch 1 > "$BATS_TEST_TMPDIR/news" &
	wait_for 5 unix_socket /run/skep/exec.sock 03
	in_host kill -KILL "$before"
	wait $!
	contains "$(< "$BATS_TEST_TMPDIR/news")" '"agent": "alice"'
	wait_for 15 running_as_other_than "$before"
}

running_as_other_than() {
	[ "$(property ActiveState)" = active ] && [ "$(property MainPID)" != "$1" ] && [ "$(property MainPID)" != 0 ]
}

@test "destroy takes conf, profile, root and drop-in, and keeps the state" {
	call destroy '{"agent":"alice"}'
	fails in_host test -e $CONF
	fails in_host test -e /var/lib/nixos-containers/h-alice
	fails in_host test -e /nix/var/nix/profiles/per-container/h-alice
	fails in_host test -e /run/systemd/system/container@h-alice.service.d
	fails in_host test -e /var/lib/skep/nixos-containers/h-alice
	in_host test -e /var/lib/skep/agents/alice/state/file
	call destroy '{"agent":"alice"}'
}

@test "a create that fails leaves no ghost" {
	in_host touch /run/nixos-container.faults/fail-set
	run call start "$(spec "$(path one)")"
	in_host rm /run/nixos-container.faults/fail-set
	fails test "$status" = 0
	contains "$output" 'failed to set initial container configuration'
	fails in_host test -e $CONF
	fails in_host test -e /var/lib/skep/nixos-containers/h-alice
}

@test "a create that is killed leaves one, which is removed" {
	in_host touch /run/nixos-container.faults/die-after-conf
	run call start "$(spec "$(path one)")"
	in_host rm /run/nixos-container.faults/die-after-conf
	fails test "$status" = 0
	contains "$output" 'nixos-container create h-alice failed'
	fails in_host test -e $CONF
	call start "$(spec "$(path one)")"
	equal one "$(says)"
	call destroy '{"agent":"alice"}'
}

@test "a create that is killed together with skep-exec leaves one, which the next start makes anew" {
	in_host touch /run/nixos-container.faults/slow
	call start "$(spec "$(path one)")" > /dev/null 2>&1 3>&- &
	caller=$!
	wait_for 20 in_host test -e $CONF
	in_host systemctl kill -s KILL skep-exec.service
	wait $caller || true
	in_host rm /run/nixos-container.faults/slow
	in_host test -e $CONF
	fails in_host test -e /nix/var/nix/profiles/per-container/h-alice/system
	call start "$(spec "$(path one)")"
	equal one "$(says)"
	call destroy '{"agent":"alice"}'
	fails in_host test -e $CONF
}

@test "a ghost of our own from before is made anew" {
	in_host bash -c "mkdir -p /var/lib/skep/nixos-containers; echo alice > /var/lib/skep/nixos-containers/h-alice; echo AUTO_START=0 > $CONF"
	call start "$(spec "$(path one)")"
	equal one "$(says)"
	call destroy '{"agent":"alice"}'
}

@test "a container made by hand is reported, left alone, and adopted when asked" {
	in_host /run/current-system/sw/bin/nixos-container create h-alice --system-path "$(path two)"
	in_host bash -c "echo 'COPY_RESOLV_CONF=0' >> $CONF"
	run call start "$(spec "$(path one)")"
	fails test "$status" = 0
	contains "$output" 'that skep did not make'
	contains "$output" 'skep adopt alice'
	contains "$(in_host cat $CONF)" 10.233.1.1
	contains "$(call observe '{"what":"host"}')" "h-alice"
	call destroy '{"agent":"alice"}'
	in_host test -e $CONF
	root alice "$(path one)"
	call adopt '{"agent":"alice"}'
	call start "$(spec "$(path one)")"
	equal one "$(says)"
	contains "$(in_host cat $CONF)" COPY_RESOLV_CONF=0
	fails grep 10.233 <<< "$(in_host cat $CONF)"
	call destroy '{"agent":"alice"}'
}

@test "a declared container is refused clearly" {
	in_host bash -c "echo PRIVATE_NETWORK=0 > /srv/declared.conf; ln -s /srv/declared.conf $CONF"
	run call start "$(spec "$(path one)")"
	fails test "$status" = 0
	contains "$output" "declared in this machine's configuration"
	run call adopt '{"agent":"alice"}'
	fails test "$status" = 0
	contains "$output" "declared in this machine's configuration"
	in_host rm $CONF
	run call adopt '{"agent":"alice"}'
	contains "$output" 'there is no container'
}

@test "a system that was not built for the agent is refused before anything is made" {
	run call start "$(spec "$(path bob-one)")"
	fails test "$status" = 0
	contains "$output" "was not built for 'alice'"
	in_host ln -s /nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq-gone /nix/var/nix/gcroots/skep/var-lib-skep/alice/gone
	run call start "$(spec /nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq-gone)"
	fails test "$status" = 0
	fails in_host test -e $CONF
}

# bob's: no nixos-container, the system on a root of skep's own
bob() {
	jq -nc --arg system "$1" '{agent: "bob", role: "agent", uid_base: 1441792, system: $system, network: "host",
		port: 8744, label: "bob", dashboard_port: 7700, env: [],
		limits: {memory_max_bytes: 268435456, cpu_quota_percent: 50, tasks_max: 200}}'
}

bob_says() {
	call exec '{"agent":"bob","argv":["cat","/run/says"]}' | head -n 1
}

@test "a NixOS system boots without NixOS: in nspawn, by its own init" {
	call prepare '{"agent":"bob","role":"agent","uid_base":1441792}'
	call start "$(bob "$(path bob-one)")"
	wait_for 5 bob_says
	equal one "$(bob_says)"
	in_host systemctl is-active skep-agent@bob.service
	row=$(call inspect '{"agent":"bob"}')
	contains "$row" "\"system\": \"$(path bob-one)\""
	contains "$row" '"claimed": true'
	contains "$row" '"boot_state": '
	call exec '{"agent":"bob","argv":["sh","-c","echo kept > /state/file; test -x /run/hive/bin/skep; ! touch /nix/store/x"]}'
	equal 1441792 "$(in_host stat -c %u /var/lib/skep/agents/bob/state/file)"
	equal 268435456 "$(in_host systemctl show skep-agent@bob.service -p MemoryMax --value)"
}

@test "another NixOS system takes its place by a restart, and back" {
	call switch "$(bob "$(path bob-two)")"
	equal two "$(bob_says)"
	equal kept "$(call exec '{"agent":"bob","argv":["cat","/state/file"]}' | head -n 1)"
	bad=$(system bob "$(service three 'stub.failBoot = true;')")
	run call switch "$(bob "$bad")"
	fails test "$status" = 0
	call switch "$(bob "$(path bob-one)")"
	equal one "$(bob_says)"
	contains "$(call inspect '{"agent":"bob"}')" "\"system\": \"$(path bob-one)\""
	call destroy '{"agent":"bob"}'
	equal '' "$(in_host ls /var/lib/skep/roots)"
}

@test "what a container claims to run is shown as that" {
	call start "$(bob "$(path bob-one)")"
	call exec '{"agent":"bob","argv":["ln","-sfn","/etc","/run/current-system"]}'
	equal null "$(call inspect '{"agent":"bob"}' | jq '.agents[0].system')"
	call destroy '{"agent":"bob"}'
}
