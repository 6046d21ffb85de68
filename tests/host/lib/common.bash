# What host tests share: `load lib/common`. One host or box per file, made in setup_file and taken down in
# teardown_file whatever happened in between.

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUILD=$(cd "$ROOT" && cd "${BUILD:-build}" && pwd)
export ROOT BUILD
HOST=t$BATS_ROOT_PID
STAGE=$BATS_FILE_TMPDIR/stage

testhost() {
	"$ROOT/tests/host/lib/testhost" "$@"
}

# in_host COMMAND...: in the test host (or box) of this file
in_host() {
	testhost exec "$HOST" "$@"
}

# wait_for SECONDS COMMAND...: until it succeeds; says what it waited for when it never does
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000)) seconds=$1
	shift
	until "$@" > /dev/null 2>&1; do
		if [ "${EPOCHREALTIME/./}" -gt "$end" ]; then
			echo "still not so after $seconds s: $*" >&2
			"$@" >&2
			return 1
		fi
		sleep 0.02
	done
}

# fails COMMAND...: succeeds when it does not (a bare `!` passes unnoticed in the middle of a test)
fails() {
	if "$@"; then
		echo "should have failed: $*" >&2
		return 1
	fi
}

# equal WANTED FOUND
equal() {
	[ "$1" = "$2" ] || {
		printf 'wanted: %s\nfound:  %s\n' "$1" "$2" >&2
		return 1
	}
}

# contains TEXT PART
contains() {
	case $1 in
	*"$2"*) ;;
	*)
		printf 'no "%s" in: %s\n' "$2" "$1" >&2
		return 1
		;;
	esac
}

# A systemd host with skep installed as a packager would: programs and units by `make install`, accounts and
# directories by systemd's own tools.
skep_host_up() {
	local reports=()
	[ -z "${SANITIZE-}" ] || reports=(--bind="$BUILD/reports:/run/sanitizer")
	make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$STAGE" install
	testhost up "$HOST" --bind-ro="$STAGE/usr/local:/usr/local" --bind-ro="$STAGE/etc:/stage" \
		--bind-ro="$BUILD/helpers:/helpers" "${reports[@]}" "$@"
	in_host cp -a --no-preserve=ownership /stage/. /etc/
	[ -z "${SANITIZE-}" ] || make_room_for_sanitizers
	in_host systemd-sysusers
	in_host systemd-tmpfiles --create /etc/tmpfiles.d/skep.conf
	in_host systemctl daemon-reload
}

# The services of instrumented programs may write reports and look for leaks, and have the memory that takes.
make_room_for_sanitizers() {
	local unit
	for unit in skepd skep-exec skep-web; do
		in_host mkdir -p "/etc/systemd/system/$unit.service.d"
		printf '%s\n' '[Service]' ReadWritePaths=/run/sanitizer SystemCallFilter=ptrace MemoryMax=infinity |
			in_host tee "/etc/systemd/system/$unit.service.d/sanitizer.conf" > /dev/null
	done
}

# In the host: asks one thing over a socket and prints the line that comes back. A refused connection is a failure.
# shellcheck disable=SC2034 # for the files that load this
ASK='import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
print(s.makefile().readline(), end="")'

# unix_socket PATH STATE: whether the host has a socket there that listens (01) or is connected (03)
unix_socket() {
	# shellcheck disable=SC2016 # awk's fields
	in_host awk -v path="$1" -v state="$2" '$6 == state && $8 == path { found = 1 } END { exit !found }' /proc/net/unix
}

# Keeps what a failed test left to read.
host_save() {
	local to=$BUILD/test-logs/${BATS_TEST_FILENAME##*/}-${1//[^a-zA-Z0-9-]/_}

	mkdir -p "$BUILD/test-logs"
	in_host journalctl --no-pager -o short-monotonic > "$to.journal" 2>&1
	cp "${TESTHOST_DIR:-/var/tmp/testhost}/$HOST/console.log" "$to.console"
	echo "journal: $to.journal" >&2
}

save_when_failed() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || host_save "$BATS_TEST_NAME"
}

# For teardown_file. A set-up that failed leaves no test to keep the journal.
host_down() {
	[ -e "$BATS_FILE_TMPDIR/is-up" ] || host_save set-up
	testhost kill "$HOST"
}

# Last in setup_file.
host_is_up() {
	: > "$BATS_FILE_TMPDIR/is-up"
}
