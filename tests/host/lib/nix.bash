# What tests with Nix share: `load lib/nix` after lib/hive. The machine's own Nix with its daemon, no network and no
# sandbox; nixpkgs and base are the stubs in tests/nix.

NIX_CONFIG_KEYS=('nixpkgs="git+file:///srv/nixpkgs?ref=refs/heads/main"' 'base="git+file:///srv/base?ref=refs/heads/main"')

# nix_up: the daemon, the stubs in /srv, and what looks like NixOS to whoever starts containers
nix_up() {
	in_host /opt/nix-tests/host/setup
	in_host systemd-run -q --unit=nix-daemon nix-daemon
	wait_for 30 in_host test -S /nix/var/nix/daemon-socket/socket
}

# nix_hive_up [KEY=JSON...]: a hive that may build by Nix
nix_hive_up() {
	skep_host_up --bind-ro="$ROOT/tests/nix:/opt/nix-tests"
	nix_up
	in_host mkdir -p /nix/var/nix/gcroots
	hive_config "${NIX_CONFIG_KEYS[@]}" "$@"
	in_host systemctl enable --now skepd.socket skepd-read.socket skep-exec.socket
}

# propose_nix AGENT MODULE: as propose, with this agent.nix
propose_nix() {
	propose "$1" "cat > agent.nix <<'NIX'
$2
NIX" 'a module'
}

# roots AGENT: where its roots in the store lead to
roots() {
	in_host find "/nix/var/nix/gcroots/skep/var-lib-skep/$1" -type l -printf '%l\n' 2> /dev/null
}

is_rooted() {
	roots "$1" | grep -qxF "$2"
}

# without_nix COMMAND...: while there is no daemon to build with
without_nix() {
	local status=0
	in_host systemctl kill -s STOP nix-daemon
	"$@" || status=$?
	in_host systemctl kill -s CONT nix-daemon
	return $status
}

# nix_keeps_lock: Nix changes nothing in meta's flake.lock and warns of nothing
nix_keeps_lock() {
	in_host bash -euc '
		rm -rf /tmp/meta && mkdir /tmp/meta /tmp/home 2> /dev/null || true
		printf "[safe]\n\tdirectory = *\n" > /tmp/home/.gitconfig
		export HOME=/tmp/home
		git --git-dir=/var/lib/skep/meta/.git archive main | tar -x -C /tmp/meta
		cp /tmp/meta/flake.lock /tmp/lock
		nix flake lock path:/tmp/meta 2>&1 | grep -v "have Internet access" > /tmp/said || true
		cat /tmp/said
		cmp /tmp/lock /tmp/meta/flake.lock
		test ! -s /tmp/said'
}

# is_effect N STATE, is_ready N: how far the preview of a proposal is
is_effect() {
	[ "$(operator "{\"cmd\":\"effect\",\"id\":$1}" | field effect.state)" = "$2" ]
}

is_ready() {
	is_effect "$1" ready
}
