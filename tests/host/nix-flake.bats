#!/usr/bin/env bats
# The project's flake and its modules, with a stand-in for nixpkgs: evaluated into a store of the test's own, without
# network, and nothing is built.

load lib/common

setup_file() {
	"$ROOT/tests/nix/repos" "$BATS_FILE_TMPDIR"
	mkdir "$BATS_FILE_TMPDIR/skep"
	cp -r "$ROOT"/{flake.nix,nix,LICENSE,Makefile,share,src,templates,tests} "$BATS_FILE_TMPDIR/skep/"
}

# on_stub NIX-WORDS...: with the flake at its place and nixpkgs ours
on_stub() {
	NIX_REMOTE="local?root=$BATS_FILE_TMPDIR/store" \
	NIX_CONFIG='experimental-features = nix-command flakes
		sandbox = false
		build-users-group =
		substituters =' nix "$@" --no-write-lock-file --override-input nixpkgs "git+file://$BATS_FILE_TMPDIR/nixpkgs"
}

# check DIR: what the modules of that copy get wrong
check() {
	NIX_REMOTE="local?root=$BATS_FILE_TMPDIR/store" NIX_CONFIG='experimental-features = nix-command' nix eval --impure --json --expr "import $1/nix/check.nix rec {
		lib = import $ROOT/tests/nix/nixpkgs/modules.nix;
		pkgs = import $ROOT/tests/nix/nixpkgs/packages.nix { inherit lib; system = \"x86_64-linux\"; }; }" 2> /dev/null
}

@test "the modules evaluate to what they should" {
	equal '[]' "$(check "$ROOT")"
}

@test "a module that forgets something is noticed" {
	for line in 'boot.enableContainers' 'sandbox-fallback' 'skep-admin.members' 'HIVE_PORT' 'email' 'nix.enable'; do
		copy=$BATS_TEST_TMPDIR/$line
		mkdir "$copy"
		cp -r "$ROOT/nix" "$copy/"
		sed -i "/$line/d" "$copy/nix/module.nix" "$copy/nix/agent.nix"
		fails test "$(check "$copy")" = '[]'
	done
}

@test "the flake has everything a NixOS user looks for" {
	on_stub flake check --no-build "path:$BATS_FILE_TMPDIR/skep"
	shown=$(on_stub flake show --json "path:$BATS_FILE_TMPDIR/skep" 2> /dev/null)
	equal '["checks","devShells","formatter","nixosModules","overlays","packages"]' "$(jq -c keys <<< "$shown")"
	equal '["agent","default","manager"]' "$(jq -c '.nixosModules | keys' <<< "$shown")"
	equal '["module","package","vm"]' "$(jq -c '.checks["x86_64-linux"] | keys' <<< "$shown")"
	equal '["default","skep"]' "$(jq -c '.packages["aarch64-linux"] | keys' <<< "$shown")"
}

@test "the base of an agent makes a system" {
	mkdir "$BATS_TEST_TMPDIR/x"
	cat > "$BATS_TEST_TMPDIR/x/flake.nix" <<-FLAKE
	{ inputs.nixpkgs.url = "git+file://$BATS_FILE_TMPDIR/nixpkgs"; inputs.skep.url = "path:$BATS_FILE_TMPDIR/skep";
	  inputs.skep.inputs.nixpkgs.follows = "nixpkgs";
	  outputs = { self, nixpkgs, skep }: { system = (nixpkgs.lib.nixosSystem { modules = [ skep.nixosModules.agent
	    { skep.identity = { name = "alice"; label = "Alice"; port = 8879; }; systemd.services.x.script = "true"; } ]; })
	    .config.system.build.toplevel; }; }
	FLAKE
	equal alice "$(on_stub eval --raw "path:$BATS_TEST_TMPDIR/x#system.hostName")"
	unit=$(on_stub eval --raw "path:$BATS_TEST_TMPDIR/x#system.unit_text_0")
	contains "$unit" 'Environment="HIVE_PORT=8879"'
	contains "$unit" 'Environment="HIVE_LABEL=Alice"'
}
