#!/usr/bin/env bats
# Instrumented programs limit no calls.
# bats file_tags=plain
# What the processes that read foreign data may still ask of the kernel once they do: each program as it is, with a call of
# its own exchanged for one that it must not make.
# shellcheck disable=SC2154 # $output is from run

setup_file() {
	load lib/common
	mkdir -p "$BATS_FILE_TMPDIR/dir"
	chown "$OWNER:$OWNER" "$BATS_FILE_TMPDIR/dir"
}

OWNER=64003
OID=1111111111111111111111111111111111111111

setup() {
	load lib/common
}

# limited PROGRAM ARGUMENT...: its descriptor 3 is a socket's or a pipe's stand-in, 4 a directory of OWNER's
limited() {
	local wanted
	wanted=$'NoNewPrivs:\t1 Seccomp:\t2
socket refused
prctl refused
io_uring_setup refused
execve ended
clone ended
ptrace ended
kill ended
mount ended
unshare ended
setresuid ended
clone3 missing
one-to-come missing'
	run "$BUILD/helpers/forbidden" "$@" < /dev/null 3< /dev/null 4< "$BATS_FILE_TMPDIR/dir"
	equal "$* $wanted" "$* $output"
}

@test "skep-export: reading, seeding, checking out, putting a remote right" {
	for verb in serve seed checkout remote; do
		limited "$BUILD/skep-export" $verb --uid $OWNER --gid $OWNER
	done
}

@test "skep-build: writing a commit's files, hashing a directory" {
	limited "$BUILD/skep-build" overlay --uid $OWNER --gid $OWNER --owner $OWNER --repo "$BATS_FILE_TMPDIR" --commit $OID --tree $OID
	limited "$BUILD/skep-build" hash --uid $OWNER --gid $OWNER
}

@test "skepd: each kind of worker" {
	limited "$BUILD/skepd" import-worker "$BATS_FILE_TMPDIR" $OID '' 1 1 1 1000
	limited "$BUILD/skepd" diff-worker "$BATS_FILE_TMPDIR" '' $OID keep
	limited "$BUILD/skepd" repack-worker "$BATS_FILE_TMPDIR"
	limited "$BUILD/skepd" takeover-worker "$BATS_FILE_TMPDIR" 1000 '' '' 1 1 1 1
	limited "$BUILD/skepd" look-worker 1000
	limited "$BUILD/skepd" file-worker "$BATS_FILE_TMPDIR" name 1000 1000
}
