#!/usr/bin/env bats
# The process that reads an agent's repository, in its real jail: what is left of root's rights, that it ends when it
# should, and the whole corpus of hostile repositories read through it.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load lib/common

OWNER=1310720

setup() {
	# the owner must be able to reach it, wherever the checkout is
	top=$(mktemp -d)
	chmod 0755 "$top"
	cp "$BUILD/skep-export" "$top/"
	EXPORT=$top/skep-export
	cd /
	dir=$top/proposed
	mkdir -m 0700 "$dir"
	chown $OWNER:$OWNER "$dir"
	parent=
}

teardown() {
	# the reader dies with it
	[ -z "$parent" ] || kill -9 "$parent" || true
	rm -rf "$top"
}

# seed DIR: the first state, made as skep-exec has it made
seed() {
	printf '{"files":[{"path":"agent.json","data":"{}\\n"},{"path":"run","data":"#!/bin/sh\\n","executable":true},
		{"path":"link","data":"run","symlink":true}],"url":"/applied/alice/.git","time":1757000000}' |
		"$EXPORT" seed --uid $OWNER --gid $OWNER 4< "$1"
}

as_owner() {
	setpriv --reuid=$OWNER --regid=$OWNER --clear-groups env -i PATH="$PATH" GIT_CONFIG_NOSYSTEM=1 HOME=/nonexistent "$@"
}

# open_reader: a reader of $dir whose parent, $parent, does nothing; $reader is its pid and descriptor TO its socket's keeper
open_reader() {
	coproc KEEPER {
		exec python3 -c '
import os, socket, subprocess, sys
ours, theirs = socket.socketpair()
directory = os.open(sys.argv[2], os.O_DIRECTORY)
def place():
    a, b = os.dup(theirs.fileno()), os.dup(directory)
    a, b = os.dup2(a, 103), os.dup2(b, 104)
    os.dup2(a, 3); os.dup2(b, 4)
child = subprocess.Popen([sys.argv[1], "serve", "--uid", sys.argv[3], "--gid", sys.argv[3]],
                         preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
theirs.close()
# an answer shows that it is in its jail
ours.sendall(b"O" + bytes.fromhex(sys.argv[4]) + b"\0")
if len(sys.argv) < 6:
    assert len(ours.recv(10, socket.MSG_WAITALL)) == 10
print(child.pid, flush=True)
sys.stdin.read()
ours.close()
print(child.wait(), flush=True)
' "$EXPORT" "$dir" $OWNER "$@"
	}
	parent=$KEEPER_PID
	read -r -t 10 reader <&"${KEEPER[0]}"
}

status_of() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$reader/status"
}

ABSENT=a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1

# An instrumented program keeps its report open.
# bats test_tags=plain
@test "the jail leaves an id, a directory and nothing else" {
	seed "$dir"
	open_reader $ABSENT
	equal "$OWNER $OWNER $OWNER $OWNER" "$(status_of Uid | xargs)"
	equal "$OWNER $OWNER $OWNER $OWNER" "$(status_of Gid | xargs)"
	equal "" "$(status_of Groups | xargs)"
	for set in CapInh CapPrm CapEff CapAmb; do
		equal 0000000000000000 "$(status_of $set)"
	done
	equal 1 "$(status_of NoNewPrivs)"
	equal "$dir" "$(readlink "/proc/$reader/root")"
	equal "$dir" "$(readlink "/proc/$reader/cwd")"
	for space in net ipc mnt uts; do
		fails equal "$(readlink /proc/self/ns/$space)" "$(readlink "/proc/$reader/ns/$space")"
	done
	equal lo: "$(awk 'NR > 2 { print $1 }' "/proc/$reader/net/dev")"
	equal "0 1 2 3" "$(find "/proc/$reader/fd" -mindepth 1 -printf '%f\n' | sort -n | head -n 4 | xargs)"
	# whatever else is open is the repository's own
	run find "/proc/$reader/fd" -lname '/*' ! -lname /dev/null ! -lname "$dir/*"
	equal "" "$output"
	limits=$(< "/proc/$reader/limits")
	contains "$limits" "$(printf '%-26s%-21s%-21sbytes' 'Max file size' 0 0)"
	contains "$limits" "$(printf '%-26s%-21s%-21sbytes' 'Max address space' 1073741824 1073741824)"
	contains "$limits" "$(printf '%-26s%-21s%-21sbytes' 'Max core file size' 0 0)"
	contains "$limits" "$(printf '%-26s%-21s%-21sseconds' 'Max cpu time' 60 60)"
	contains "$limits" "$(printf '%-26s%-21s%-21sfiles' 'Max open files' 256 256)"
	# not even its own uid may look into it
	fails as_owner cat "/proc/$reader/environ"
}

@test "the reader ends with its socket" {
	seed "$dir"
	open_reader $ABSENT
	local socket=${KEEPER[1]}
	exec {socket}>&-
	parent=
	read -r -t 10 status <&"${KEEPER[0]}"
	equal 0 "$status"
}

@test "the reader dies with its parent, even while it hangs" {
	seed "$dir"
	mkdir "$dir/.git/objects/${ABSENT:0:2}"
	mkfifo "$dir/.git/objects/${ABSENT:0:2}/${ABSENT:2}"
	chown -R $OWNER:$OWNER "$dir"
	open_reader $ABSENT unanswered
	wait_for 10 grep -q "fifo\|wait_for_partner" "/proc/$reader/wchan" "/proc/$reader/stack"
	kill -9 "$parent"
	parent=
	wait_for 10 test ! -e "/proc/$reader"
}

@test "who is not the directory's owner, or root, is refused" {
	run -1 "$EXPORT" serve --uid 4711 --gid 4711 3<> /dev/null 4< "$dir"
	contains "$output" "belongs to uid $OWNER"
	run -1 as_owner "$EXPORT" serve --uid $OWNER --gid $OWNER 3<> /dev/null 4< "$dir"
	contains "$output" "Operation not permitted"
	run -1 "$EXPORT" serve --uid $OWNER --gid $OWNER 3<> /dev/null 4< /dev/null
	contains "$output" "not a directory"
	# one right of root's short
	run -1 setpriv --bounding-set -sys_chroot "$EXPORT" serve --uid $OWNER --gid $OWNER 3<> /dev/null 4< "$dir"
	contains "$output" "cannot make the directory the root"
	for arguments in "serve" "serve --uid 0 --gid 0" "serve --uid $OWNER" "serve --uid $OWNER --gid 0" "serve --uid -1 --gid 1" \
		"serve --uid 1x --gid 1" "other --uid 1 --gid 1" "--uid 1 --gid 1" "serve seed --uid 1 --gid 1"; do
		# shellcheck disable=SC2086
		run -2 "$EXPORT" $arguments 3<> /dev/null 4< "$dir"
	done
}

@test "seeding makes the owner's repository, once" {
	run -0 seed "$dir"
	equal '{"ok":true}' "$output"
	equal "" "$(find "$dir" ! -user $OWNER -o ! -group $OWNER)"
	equal "" "$(as_owner git -C "$dir" status --porcelain)"
	equal "First state" "$(as_owner git -C "$dir" log --format=%s)"
	equal /applied/alice/.git "$(as_owner git -C "$dir" config remote.applied.url)"
	run -1 seed "$dir"
	contains "$output" '"errno":39'
	contains "$output" 'not empty'
}

@test "a bad request to seed makes nothing" {
	for request in '' '{}' '[]' '{"files":[],"url":"/a","time":1,"x":1}' '{"files":[],"url":"a","time":1}' \
		'{"files":[],"url":"/a\nb","time":1}' '{"files":[{"path":"a"}],"url":"/a","time":1}' \
		'{"files":[{"path":"a","data":1}],"url":"/a","time":1}' '{"files":[],"url":"/a","time":-1}'; do
		run -1 "$EXPORT" seed --uid $OWNER --gid $OWNER 4< "$dir" <<< "$request"
		contains "$output" '"ok":false'
		equal "" "$(ls -A "$dir")"
	done
	run -1 "$EXPORT" seed --uid $OWNER --gid $OWNER 4< "$dir" \
		<<< '{"files":[{"path":"../escaped","data":"x"}],"url":"/a","time":1}'
	contains "$output" "'../escaped'"
	[ ! -e "$top/escaped" ]
}

@test "the remote is put right and nothing else, wherever links lead" {
	seed "$dir"
	as_owner git -C "$dir" config remote.applied.url elsewhere
	as_owner git -C "$dir" config user.name A
	as_owner git -C "$dir" config include.path /etc/shadow
	run -0 "$EXPORT" remote --uid $OWNER --gid $OWNER 4< "$dir" <<< '{"url":"/applied/bob/.git"}'
	equal /applied/bob/.git "$(as_owner git config -f "$dir/.git/config" --get-all remote.applied.url)"
	equal A "$(as_owner git config -f "$dir/.git/config" user.name)"
	equal "" "$(as_owner git -C "$dir" status --porcelain)"
	# a directory of root's, named through the repository
	mkdir "$top/other"
	printf '[core]\n' > "$top/other/config"
	rm -r "$dir/.git"
	ln -s "$top/other" "$dir/.git"
	run -1 "$EXPORT" remote --uid $OWNER --gid $OWNER 4< "$dir" <<< '{"url":"/applied/bob/.git"}'
	equal "[core]" "$(< "$top/other/config")"
}

@test "every hostile repository is taken or refused as it should be" {
	run -0 "$BUILD/helpers/corpus" --export "$EXPORT" --owner $OWNER
	echo "$output"
	contains "$output" "symlinked objects through /proc"
}
