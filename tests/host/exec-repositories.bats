#!/usr/bin/env bats
# skep-exec and what belongs to git: proposed repositories, systems built from commits, and what the manager sees of both.
# shellcheck disable=SC2016,SC2086 # what is quoted is for the shell inside; ids are digits

load lib/common
load lib/exec

setup_file() {
	exec_programs
	exec_up
	system $S1 > /dev/null
}

teardown_file() {
	exec_down
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || cat "$HIVE/log" >&2
}

@test "seed makes a repository of its owner, once; a half made one is made anew" {
	mkdir -p "$STATE/proposed/.new-alice/junk"
	args=$(jq -nc --argjson owner $MANAGER_BASE '{agent: "alice", owner: $owner, url: "/applied/alice/.git", time: 1700000000, files: [
		{path: "agent.json", data: "{}\n"}, {path: "rootfs/etc/motd", data: "hi\n"},
		{path: "run.sh", data: "#!/bin/sh\n", executable: true}]}')
	equal true "$(ask seed "$args" | jq .seeded)"
	equal "700 $MANAGER_BASE" "$(stat -c '%a %u' "$STATE/proposed/alice")"
	fails test -e "$STATE/proposed/.new-alice"
	equal '' "$(find "$STATE/proposed/alice" ! -uid $MANAGER_BASE)"
	equal false "$(ask seed "$args" | jq .seeded)"
	as_owner="setpriv --reuid $MANAGER_BASE --regid $MANAGER_BASE --clear-groups env -i HOME=/ git -C $STATE/proposed/alice"
	equal "agent.json rootfs/etc/motd run.sh" "$($as_owner ls-tree -r --name-only HEAD | xargs)"
	$as_owner remote set-url applied /somewhere/else
	ask remote "{\"agent\":\"alice\",\"owner\":$MANAGER_BASE,\"url\":\"/applied/alice/.git\"}"
	equal /applied/alice/.git "$($as_owner remote get-url applied)"
	refused "outside" seed "$(jq -c '.agent="bob" | .files[0].path="../outside"' <<< "$args")"
	fails test -e "$STATE/proposed/bob"
	fails test -e "$STATE/proposed/.new-bob"
}

@test "a proposed repository that is a link or another's is not touched" {
	mkdir -p "$HIVE/elsewhere"
	ln -s "$HIVE/elsewhere" "$STATE/proposed/carol"
	refused "carol" export "{\"agent\":\"carol\",\"owner\":$MANAGER_BASE}"
	refused "carol" remote "{\"agent\":\"carol\",\"owner\":$MANAGER_BASE,\"url\":\"/x\"}"
	refused "carol" seed "{\"agent\":\"carol\",\"owner\":$MANAGER_BASE,\"url\":\"/x\",\"files\":[],\"time\":1}"
	refused "belongs to uid" export "{\"agent\":\"alice\",\"owner\":$BASE}"
	ask purge '{"agent":"carol"}'
	fails test -L "$STATE/proposed/carol"
	test -d "$HIVE/elsewhere"
}

@test "build makes a system of a commit's tree, root's and read-only, and takes it again" {
	local repo=$STATE/applied/alice
	mkdir -p "$repo/.git" "$HIVE/tree/rootfs/etc"
	install -d -o $SKEP_UID -g $BUILD_UID -m 2750 "$STATE/applied"
	git init -q --bare "$repo/.git"
	echo built > "$HIVE/tree/rootfs/etc/system"
	ln -s /etc/system "$HIVE/tree/rootfs/etc/link"
	echo '{"description":"a test"}' > "$HIVE/tree/agent.json"
	git -C "$HIVE/tree" init -q
	git -C "$HIVE/tree" add -A
	git -C "$HIVE/tree" -c user.name=t -c user.email=t@t commit -qm one
	git -C "$HIVE/tree" push -q "$repo/.git" HEAD:refs/heads/main
	chown -R $SKEP_UID:$BUILD_UID "$STATE/applied"
	chmod -R g+rX,o= "$STATE/applied"
	commit=$(git -C "$HIVE/tree" rev-parse HEAD)
	tree=$(git -C "$HIVE/tree" rev-parse 'HEAD^{tree}')
	args="{\"agent\":\"alice\",\"commit\":\"$commit\",\"tree\":\"$tree\"}"
	answer=$(ask build "$args" | tail -n 1)
	equal "$tree null" "$(jq -r '"\(.system) \(.reused)"' <<< "$answer")"
	equal '' "$(find "$STATE/systems/$tree" ! -uid 0)"
	equal '' "$(find "$STATE/systems/$tree" ! -type l -perm /222)"
	equal true "$(ask build "$args" | tail -n 1 | jq .reused)"
	# A spoiled one is not taken.
	echo spoiled > "$STATE/systems/$tree/rootfs/etc/system"
	equal null "$(ask build "$args" | tail -n 1 | jq .reused)"
	equal built "$(< "$STATE/systems/$tree/rootfs/etc/system")"
	none=9999999999999999999999999999999999999999
	refused '"ok": false' build "{\"agent\":\"alice\",\"commit\":\"$commit\",\"tree\":\"$none\"}"
	refused '"ok": false' build "{\"agent\":\"alice\",\"commit\":\"$none\",\"tree\":\"$none\"}"
	# What a build that was killed left behind goes with the next one; what one is at work on stays.
	mkdir "$STATE/systems/.staging-4194304" "$STATE/systems/.staging-$$"
	rm -r "$STATE/systems/$tree"
	ask build "$args"
	equal "$STATE/systems/.staging-$$" "$(echo "$STATE"/systems/.staging*)"
	rmdir "$STATE/systems/.staging-$$"
	equal '' "$(find "$STATE/systems" -maxdepth 1 -name '.staging*')"
	up alice "$tree" > /dev/null
	equal built "$(run_in alice cat /etc/link)"
}

@test "the manager writes proposed repositories and reads applied and meta with git" {
	git init -q --bare "$STATE/meta/.git"
	chown -R $SKEP_UID:$BUILD_UID "$STATE/meta"
	chmod 2750 "$STATE/meta"
	ask start "$(spec hm1nd $S1)"
	equal running "$(row hm1nd .boot_state)"
	run_in hm1nd sh -c 'cd /agents/alice && echo x > new && git add new && git -c user.name=m -c user.email=m@m commit -qm two'
	equal $MANAGER_BASE "$(stat -c %u "$STATE/proposed/alice/new")"
	equal one "$(run_in hm1nd git -C /applied/alice/.git log -1 --format=%s main)"
	run_in hm1nd git -C /meta/.git rev-parse --git-dir
	fails run_in hm1nd touch /applied/alice/.git/x
	fails run_in hm1nd sh -c 'echo x > /applied/alice/.git/HEAD'
	fails run_in hm1nd touch /meta/x
	fails run_in hm1nd touch /agents/x
	run_in hm1nd sh -c 'cd /agents/alice && git fetch -q applied'
	ask stop '{"agent":"hm1nd"}'
}
