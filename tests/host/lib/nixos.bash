# A host that looks like NixOS to whoever starts containers, with Nix and systems to boot: `load lib/nixos` after
# lib/common.

# nix_host_up [OPTION...]: as skep_host_up
nix_host_up() {
	skep_host_up --bind-ro="$ROOT/tests/nix:/nixtests" "$@"
	in_host /nixtests/host/setup
}

# system AGENT MODULE: builds a system of an agent in the host and roots it for it, as a build would; prints its path
system() {
	local path
	path=$(build_system "$@")
	root "$1" "$path"
	echo "$path"
}

# root AGENT PATH...: roots systems for an agent; a destroy takes them away
root() {
	local path roots=/nix/var/nix/gcroots/skep/var-lib-skep/$1
	shift
	in_host mkdir -p "$roots"
	for path; do
		in_host ln -sfn "$path" "$roots/${path##*/}"
	done
}

build_system() {
	in_host bash -c '
		dir=$(mktemp -d)
		cd "$dir"
		printf "%s\n" "$2" > agent.nix
		cat > flake.nix <<-FLAKE
		{ inputs.nixpkgs.url = "git+file:///srv/nixpkgs"; inputs.base.url = "git+file:///srv/base";
		  inputs.base.inputs.nixpkgs.follows = "nixpkgs";
		  outputs = { self, nixpkgs, base }: { nixosConfigurations.x = nixpkgs.lib.nixosSystem { modules = [
		    base.nixosModules.agent ./agent.nix { skep.identity = { name = "$1"; port = 8879; }; } ]; }; }; }
		FLAKE
		nix build --no-link --json "path:$dir#nixosConfigurations.x.config.system.build.toplevel" |
			python3 -c "import json, sys; print(json.load(sys.stdin)[0][\"outputs\"][\"out\"])"
	' - "$1" "$2"
}

# service TEXT [MORE]: a module with one service that says TEXT
service() {
	printf '{ systemd.services.agent = { wantedBy = [ "multi-user.target" ]; script = "echo %s > /run/says; exec sleep infinity"; }; %s }' \
		"$1" "${2-}"
}
