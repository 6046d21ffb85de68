#!/usr/bin/env bats
# A hive made from files: planned, applied as one generation or not at all, pruned by its owner's label alone, and whole
# again after the controller died in the middle. Real containers, and the client as an operator uses it.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/crash

setup_file() {
	hive_up
	skep spawn hm1nd
	three
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# file PATH JSON: below /srv/hive in the host
file() {
	in_host mkdir -p "/srv/hive/$(dirname "$1")"
	printf '%s\n' "$2" | in_host tee "/srv/hive/$1" > /dev/null
}

# three: the files of a hive of three agents, as they are at the beginning of each test
three() {
	in_host rm -rf /srv/hive
	file hive.json '{"name": "prod", "profiles": ["quick"]}'
	file profiles/quick.json '{"probe": {"kind": "default", "soak": 0}}'
	file images/site.json '{"builder": "overlay"}'
	file images/site/agent.json '{"description": "a site"}'
	file images/site/rootfs/etc/hive/who 'I am @NAME@'
	file agents/alice.json '{"image": "site", "limits": {"memory_max": "256M"}}'
	file agents/bob.json '{"labels": {"team": "red"}}'
	file agents/carol.json '{"desired": "stopped"}'
}

# plan_is CREATE CHANGE REMOVE LEAVE NONE [OPTION...]
plan_is() {
	local wanted="$1 $2 $3 $4 $5"
	shift 5
	equal "$wanted" "$(skep --json plan /srv/hive "$@" | python3 -c '
import json, sys
plan = json.load(sys.stdin)
print(*(plan[key] for key in ("create", "change", "remove", "leave", "none")))')"
}

commits() {
	meta rev-list --count main
}

settled() {
	[ -z "$(meta for-each-ref refs/skep/generation)" ]
}

@test "three agents are made as one generation, and then there is nothing to do" {
	run -0 skep validate /srv/hive
	contains "$output" 'prod is valid: agents 3, images 1 here'
	plan_is 3 0 0 0 0
	run -10 skep plan /srv/hive --exit-code
	before=$(commits)
	run -0 skep apply /srv/hive
	contains "$output" 'applied generation 1 of prod: 3 to create'
	equal $((before + 1)) "$(commits)"
	equal 'apply prod generation 1' "$(meta log -1 --format=%s main)"
	contains "$(meta log -1 --format=%B main)" 'Skep-Actor: uid 0'
	equal running "$(shown alice state)"
	equal running "$(shown bob state)"
	equal stopped "$(shown carol state)"
	equal 'I am alice' "$(inside alice cat /etc/hive/who)"
	equal prod "$(shown bob labels.owner)"
	plan_is 0 0 0 0 3
	run -0 skep plan /srv/hive --exit-code
	run -0 skep apply /srv/hive
	contains "$output" 'prod is as declared'
	equal $((before + 1)) "$(commits)"
	skep audit verify
	contains "$(skep --json audit)" '"verb":"apply"'
	is_true
}

@test "limits and a label change while the agent runs" {
	three
	leader=$(shown alice leader)
	file agents/alice.json '{"image": "site", "limits": {"memory_max": "300M"}, "labels": {"team": "blue"}}'
	run -0 skep plan /srv/hive
	contains "$output" 'memory_max: 256M -> 300M'
	contains "$output" 'label.team: - -> blue'
	skep apply /srv/hive
	equal 314572800 "$(property alice MemoryMax)"
	equal "$leader" "$(shown alice leader)"
	equal blue "$(shown alice labels.team)"
	plan_is 0 0 0 0 3
}

@test "a file that is wrong is told, and nothing changes" {
	three
	before=$(commits)
	file agents/alice.json '{"limits": {"memory_max": "12Q"}}'
	for command in validate plan apply; do
		run ! skep "$command" /srv/hive
		contains "$output" "agents/alice.json: 'limits.memory_max' must be"
	done
	file agents/alice.json '{"limits": {"memroy_max": "12M"}}'
	run ! skep apply /srv/hive
	contains "$output" "did you mean 'limits.memory_max'?"
	equal "$before" "$(commits)"
}

@test "one member that fails takes all of it back" {
	three
	skep apply /srv/hive
	agents=$(meta show main:agents.json | field agents)
	file agents/alice.json '{"image": "site", "limits": {"memory_max": "200M"}}'
	file agents/bob.json '{"network": "private", "labels": {"team": "green"}}'
	file agents/dave.json '{}'
	file images/bad.json '{"builder": "overlay"}'
	file images/bad/agent.json '{"probe": {"kind": "command", "command": ["/bin/false"], "grace": 1, "soak": 0}}'
	file agents/erin.json '{"image": "bad", "probe": null}'
	file hive.json '{"name": "prod"}'
	run -7 skep apply /srv/hive
	contains "$output" "of 'prod' does not hold, and everything is as it was: 'erin': the probe failed"
	equal "$agents" "$(meta show main:agents.json | field agents)"
	run -3 skep show dave
	run -3 skep show erin
	equal inactive "$(property dave ActiveState)"
	equal red "$(shown bob labels.team)"
	equal host "$(shown bob network)"
	equal 268435456 "$(property alice MemoryMax)"
	settled
	is_true
}

@test "only what carries the hive's own label is pruned, and only when asked" {
	three
	skep spawn mine
	file agents/frank.json '{}'
	skep apply /srv/hive
	inside frank sh -c 'echo kept > /state/note'
	in_host rm /srv/hive/agents/frank.json
	plan_is 0 0 0 1 3
	run -0 skep apply /srv/hive
	equal running "$(shown frank state)"
	plan_is 0 0 1 0 3 --prune
	run -0 skep apply --prune /srv/hive
	run -3 skep show frank
	equal inactive "$(property frank ActiveState)"
	equal running "$(shown mine state)"
	equal running "$(shown hm1nd state)"
	# declared again, it has what it kept
	file agents/frank.json '{}'
	skep apply /srv/hive
	equal kept "$(inside frank cat /state/note)"
	in_host rm /srv/hive/agents/frank.json
	skep apply --prune /srv/hive
	skep destroy mine
	# another hive's agents are not taken
	file hive.json '{"name": "other"}'
	run -5 skep plan /srv/hive
	contains "$output" "belongs to the declared hive 'prod'"
	is_true
}

@test "a plan of a hive that has changed since is stale" {
	three
	file agents/bob.json '{"labels": {"team": "late"}}'
	in_host python3 - <<- 'END'
		import array, json, os, fcntl, socket
		document = {"version": 1, "hive": "prod", "agents": {"bob": {"labels": {"team": "late"}}}}
		fd = os.memfd_create("document", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
		os.write(fd, json.dumps(document).encode())
		fcntl.fcntl(fd, 1033, 2 | 4 | 8)
		s = socket.socket(socket.AF_UNIX)
		s.connect("/run/skep/operator.sock")
		request = json.dumps({"cmd": "apply", "meta": "0" * 40, "wait": True}).encode() + b"\n"
		s.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
		answer = json.loads(s.makefile().readline())
		assert answer["code"] == "stale", answer
	END
	equal red "$(shown bob labels.team)"
}

@test "a repository at a revision" {
	three
	in_host git -C /srv/hive init -q
	in_host git -C /srv/hive add -A
	in_host git -C /srv/hive -c user.name=x -c user.email=x@y commit -qm one
	commit=$(in_host git -C /srv/hive rev-parse HEAD)
	file agents/bob.json '{"labels": {"team": "worktree"}}'
	run -0 skep plan /srv/hive --rev HEAD --json
	equal 0 "$(field change <<< "$output")"
	in_host git -C /srv/hive -c user.name=x -c user.email=x@y commit -qam two
	run -0 skep apply /srv/hive --rev HEAD
	contains "$(meta log -1 --format=%B main)" "Skep-Source: git $(in_host git -C /srv/hive rev-parse HEAD)"
	skep apply /srv/hive --rev "$commit"
	equal red "$(shown bob labels.team)"
}

@test "files that are watched are applied when they change, and told when they are wrong" {
	three
	background watching skep apply --watch --prune /srv/hive
	said() { in_host cat /tmp/watching; }
	says() { [[ $(said) == *"$1"* ]]; }
	has_team() { [ "$(shown bob labels.team)" = "$1" ]; }
	wait_for 60 says prod
	file agents/bob.json '{"labels": {"team": "watched"}}'
	wait_for 60 has_team watched
	file agents/bob.json '{"labels": {"team": "b a d"}}'
	wait_for 60 says "agents/bob.json: 'labels.team': label"
	has_team watched
	in_host mkdir /srv/hive/new
	file new/agents/hugo.json '{"desired": "stopped"}'
	file agents/bob.json '{"labels": {"team": "red"}}'
	file hive.json '{"name": "prod", "profiles": ["quick"], "include": ["new"]}'
	wait_for 60 is_shown hugo desired stopped
	wait_for 60 has_team red
	in_host rm -r /srv/hive/new
	wait_for 60 says "hive.json: there is nothing in 'new/'"
	equal stopped "$(shown hugo desired)"
	file hive.json '{"name": "prod", "profiles": ["quick"]}'
	gone() { fails skep show hugo; }
	wait_for 60 gone
	wait_for 60 settled
	ended watching
	run ! skep apply --watch --rev HEAD /srv/hive
}

@test "a Chimera Spawn tree is applied, and what is left behind is told" {
	in_host mkdir -p /srv/chimera/images /srv/chimera/profiles /srv/chimera/nodes /srv/chimera/cloud-init
	in_host tee /srv/chimera/images/u.yaml <<- 'END'
		u-24.04:
		  type: tar
		  source: https://images.example/u.tar.xz
		  nspawn_parameters: [systemd.mask=systemd-networkd.service]
	END
	in_host tee /srv/chimera/profiles/p.yaml <<- 'END'
		small:
		  nspawn_config_content: |
		    [Network]
		    Private=no
		    [Files]
		    Bind=/srv
		  systemd_override_content: |
		    [Service]
		    MemoryMax=200M
	END
	in_host tee /srv/chimera/cloud-init/b.yaml <<- 'END'
		base:
		  user_data: |
		    write_files:
		      - path: /etc/hive/from
		        content: chimera
	END
	in_host tee /srv/chimera/nodes/node1.yaml <<- 'END'
		containers:
		  moved:
		    image: u-24.04
		    profile: small
		    cloud_init: {template: base, meta_data: {purpose: test}}
	END
	run -0 skep apply --from chimera --host node1 /srv/chimera
	contains "$output" 'profiles/p.yaml: nspawn_config_content: [Files] Bind=/srv is not carried over'
	contains "$output" "images/u.yaml: source: is not carried over"
	equal running "$(shown moved state)"
	equal chimera "$(inside moved cat /etc/hive/from)"
	equal masked "$(inside moved systemctl is-enabled systemd-networkd.service || true)"
	equal 209715200 "$(property moved MemoryMax)"
	equal test "$(shown moved labels.purpose)"
	run -0 skep apply --from chimera --host node1 /srv/chimera
	contains "$output" 'chimera is as declared'
	skep destroy moved
}

@test "the controller dies in the middle: the old generation, or the new one, never between" {
	crash_points
	three
	skep apply /srv/hive --prune
	old=$(meta show main:agents.json | field agents)
	file agents/alice.json '{"image": "site", "limits": {"memory_max": "200M"}}'
	file agents/bob.json '{"network": "private"}'
	file agents/gina.json '{}'
	in_host rm /srv/hive/agents/carol.json
	for point in generation-created generation-changed generation-held; do
		dies_at $point skep apply /srv/hive --prune
		wait_for 120 settled
		is_true
		equal "$point: $old" "$point: $(meta show main:agents.json | field agents)"
		run -3 skep show gina
		equal inactive "$(property gina ActiveState)"
		equal 268435456 "$(property alice MemoryMax)"
	done
	dies_at generation-recorded skep apply /srv/hive --prune
	wait_for 120 settled
	is_true
	plan_is 0 0 0 0 3 --prune
	equal running "$(shown gina state)"
	run -3 skep show carol
	skep audit verify
}
